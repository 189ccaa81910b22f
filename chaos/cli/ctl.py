"""`chaos ctl`: look at a gateway that runs, and set its faults."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say, say_json, say_lines

if TYPE_CHECKING:
    from chaos.runner.processes.admin import Admin


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class OnOff(StrEnum):
    ON = "on"
    OFF = "off"


Address = Annotated[
    str | None,
    typer.Option("--admin", metavar="HOST:PORT", help="The gateway's admin API; else the one that runs here."),
]
Token = Annotated[
    str | None,
    typer.Option("--admin-token", envvar="CHAOS_ADMIN_TOKEN", metavar="TOKEN", help="The token of its admin API."),
]
Output = Annotated[Format, typer.Option("--format", help="text or json.")]

ctl = typer.Typer(
    help="Look at a gateway that runs, and set its faults.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@ctl.callback()
def commands() -> None:
    """Look at a gateway that runs, and set its faults.

    In a run of `chaos run`, requests that meet what was set by hand are counted apart: no verdict is about them."""


@ctl.command()
def status(admin: Address = None, token: Token = None, output: Output = Format.TEXT) -> int:
    """Print the rules with their fault levels and counts, and whether faults are on."""
    return _print_status(_find(admin, token), output)


@ctl.command()
def faults(
    switch: Annotated[OnOff, typer.Argument(metavar="on|off", help="Whether faults are injected.")],
    admin: Address = None,
    token: Token = None,
    output: Output = Format.TEXT,
) -> int:
    """Switch all faults on or off; the rules stay as they are."""
    gateway = _find(admin, token)
    gateway.switch_faults(switch is OnOff.ON)
    return _print_change(gateway, output)


@ctl.command("set")
def set_levels(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="HOST.FAULT=LEVEL...",
            help="For example webserver.abort=10, webserver.delay=50 (percent), webserver.fixedDelay=250ms or "
            "policy/NAME.percentage=10. In place of a host, a rule's name or key.",
        ),
    ],
    admin: Address = None,
    token: Token = None,
    output: Output = Format.TEXT,
) -> int:
    """Set the levels of faults that the rules have, without a change of the rules' files."""
    from chaos.runner.ctl.setting import apply, settings
    from chaos.runner.ctl.status import read_faults

    gateway = _find(admin, token)
    apply(gateway, settings(texts, read_faults(gateway)))
    return _print_change(gateway, output)


@ctl.command()
def reset(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[HOST...]", help="Hosts, or rules; all of them if none is named.")
    ] = None,
    admin: Address = None,
    token: Token = None,
    output: Output = Format.TEXT,
) -> int:
    """Undo what was set: the rules have their own levels again, and faults are as they were."""
    from chaos.runner.ctl.setting import reset as undo
    from chaos.runner.ctl.status import read_faults

    gateway = _find(admin, token)
    undo(gateway, names or (), read_faults(gateway))
    return _print_change(gateway, output)


@ctl.command()
def watch(admin: Address = None, token: Token = None, output: Output = Format.TEXT) -> int:
    """Show the counters once a second, until Ctrl-C."""
    from chaos.runner.ctl.watch import json_line, looks, plain_lines, show_live

    gateway = _find(admin, token)
    if output is Format.TEXT and sys.stdout.isatty():
        show_live(gateway)
    for look in looks(gateway):
        if output is Format.JSON:
            say_json(json_line(look))
        else:
            say_lines(plain_lines(look))
        sys.stdout.flush()
    return 0


def _find(address: str | None, token: str | None) -> Admin:
    from chaos.runner.ctl.find import find

    return find(address, token)


def _print_status(admin: Admin, output: Format) -> int:
    import json

    from chaos.runner.ctl.status import read_status

    found = read_status(admin)
    if output is Format.JSON:
        say_json(json.dumps(found.to_dict(), indent=1))
    else:
        say_lines(found.lines())
    return 0


def _print_change(admin: Admin, output: Format) -> int:
    """Print how things stand after a change: the whole status in JSON, one line otherwise."""
    from chaos.runner.ctl.status import read_faults

    if output is Format.JSON:
        return _print_status(admin, output)
    found = read_faults(admin)
    by_hand = f"; by hand: {', '.join(found['by_hand'])}" if found["by_hand"] else "; nothing is set by hand"
    say(f"faults {'on' if found['enabled'] else 'off'}{by_hand}")
    return 0
