"""Watch a running gateway: its counters once a second, as a table on a terminal, as plain lines anywhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chaos.faults import FaultKind
from chaos.formatting import plain_count, plain_share
from chaos.printable import printable
from chaos.runner.ctl.status import RuleStatus, Status, read_status
from chaos.runner.processes.admin import Admin

EVERY = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the status, and each rule's requests per second since the look before, by key."""

    seconds: float
    status: Status
    rates: dict[str, float]

    def rate(self, rule: RuleStatus) -> str:
        return f"{plain_count(round(self.rates.get(rule.faults['key'], 0.0)))}/s"


def looks(
    admin: Admin, *, now: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
) -> Iterator[Look]:
    """Yield a look once a second, for ever. Raises EnvironmentFailed when the gateway ends."""
    began = before = now()
    requests: dict[str, int] = {}
    while True:
        status, at = read_status(admin), now()
        passed = at - before
        counts = {rule.faults["key"]: rule.requests for rule in status.rules}
        rates = {key: (n - requests[key]) / passed for key, n in counts.items() if key in requests and passed > 0}
        yield Look(at - began, status, rates)
        requests, before = counts, at
        wait(max(0.0, EVERY - (now() - at)))


def json_line(look: Look) -> str:
    """Return a look as one line of JSON."""
    return json.dumps({"at": round(look.seconds, 3), **look.status.to_dict()})


def plain_lines(look: Look) -> list[str]:
    """Return a line for each rule that has had requests; one that says so if none has."""
    busy = [rule for rule in look.status.rules if rule.requests]
    at = f"{look.seconds:.0f} s  "
    off = "" if look.status.faults["enabled"] else ", faults off"
    if not busy:
        return [f"{at}no requests yet{off}"]
    told = {rule.name: [rule.asked, look.rate(rule), *rule.counts()] for rule in busy}
    return [f"{at}{name}: {', '.join(words)}{off}" for name, words in told.items()]


def show_live(admin: Admin) -> None:
    """Show the table until it is interrupted. Raises EnvironmentFailed when the gateway ends."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(), auto_refresh=False) as live:
        for look in looks(admin):
            live.update(_table(look), refresh=True)


def _table(look: Look) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("rule", overflow="fold")
    table.add_column("faults")
    for title in ("requests", "", *(kind.happened for kind in FaultKind)):
        table.add_column(title, justify="right", no_wrap=True)
    for rule in look.status.rules:
        table.add_row(
            Text(printable(rule.name)),
            Text("\n".join([*rule.levels(), *(rule.counts() if rule.policy else ())])),
            plain_count(rule.requests),
            look.rate(rule),
            *("" if rule.policy else plain_share(rule.share(kind)) for kind in FaultKind),
        )
    faults = look.status.faults
    by_hand = f"   by hand: {', '.join(faults['by_hand'])}" if faults["by_hand"] else ""
    foot = f"faults {'on' if faults['enabled'] else 'off'}{by_hand}   Ctrl-C ends"
    return Group(table, Text(printable(foot), style="dim"))
