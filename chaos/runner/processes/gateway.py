"""Start the gateway as a child with its plan, and read its addresses from its first two lines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.errors import EnvironmentFailed
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.child import Child, python
from chaos.runner.processes.pace import Pace

LISTENER = "listener "


@dataclass(slots=True)
class GatewayProcess:
    """A gateway that accepts requests. `listeners` are the URLs of its further listeners, by name."""

    child: Child
    url: str
    admin: Admin
    listeners: Mapping[str, str] = field(default_factory=dict)


async def start_gateway(
    plan: GatewayPlan,
    log: Path | None = None,
    *,
    program: Sequence[str] = (),
    passes_on: bool = False,
    pace: Pace = Pace(),  # noqa: B008 - frozen
) -> GatewayProcess:
    """Start a gateway and wait until it accepts requests. Raises EnvironmentFailed if it does not, with the last line
    of its log, or with its stderr passed on to ours (`passes_on`).

    `program` is the command of another gateway than ours, which gets the same plan on its stdin."""
    child = await Child.start(
        "the gateway",
        program or python("chaos.runner.gateway"),
        log=log,
        pass_fds=(plan.access_log,) if isinstance(plan.access_log, int) else (),
        passes_on_stderr=passes_on,
    )
    try:
        async with asyncio.timeout(pace.start):
            await child.send_line(plan.line())
            found = await _addresses(child, pace.start)
    except TimeoutError:
        await child.stop(pace.end)
        raise EnvironmentFailed(f"the gateway did not accept within {pace.start:g} s{child.last_words()}") from None
    except BaseException:
        await child.stop(pace.end)
        raise
    further = {name.removeprefix(LISTENER): where for name, where in found.items() if name.startswith(LISTENER)}
    return GatewayProcess(child, found["listening"], Admin(found["admin"], plan.admin_token, pace.answer), further)


async def _addresses(child: Child, seconds: float) -> dict[str, str]:
    """Return the URLs of the lines `admin on URL`, `listener NAME on URL` and `listening on URL`, which is the last, by
    what is before `on`."""
    found: dict[str, str] = {}
    while "listening" not in found:
        what, on, where = (await child.line(seconds)).strip().partition(" on ")
        if on:
            found[what] = where
    if "admin" not in found:
        raise EnvironmentFailed("the gateway did not say where its admin API listens")
    return found
