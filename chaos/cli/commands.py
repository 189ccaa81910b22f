"""The command line: the table of commands, and the place where errors become messages and exit codes.

Each command has a module of its own and imports what it needs when it is called, so that `chaos --help` stays quick.
"""

from __future__ import annotations

import os
import tempfile
import traceback
from typing import Annotated, Any

import typer

from chaos.cli.compare import compare
from chaos.cli.ctl import ctl
from chaos.cli.demo import demo
from chaos.cli.doctor import doctor
from chaos.cli.explain import explain
from chaos.cli.export import export
from chaos.cli.gateway import gateway
from chaos.cli.init import init
from chaos.cli.judge import judge
from chaos.cli.load_worker import load_worker
from chaos.cli.output import say
from chaos.cli.plan import plan
from chaos.cli.recover import recover
from chaos.cli.replay import replay
from chaos.cli.report import report
from chaos.cli.run import run
from chaos.cli.schema import schema
from chaos.cli.test import test
from chaos.cli.validate import validate
from chaos.errors import ChaosError, ExitCode
from chaos.version import __version__

app = typer.Typer(
    name="chaos",
    help="Chaos testing with Istio VirtualServices on a laptop: faults, load, and a verdict you can trust.",
    epilog="Exit codes: 0 verified, 1 falsified, 2 bad usage or file, 3 inconclusive, 4 stopped by a safeguard, "
    "5 the environment failed, 6 a rule saw no traffic, 130 interrupted.",
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"chaos {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors in chaos itself.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if debug:
        os.environ["CHAOS_DEBUG"] = "1"


COMMANDS = (
    (run, "Run experiments, judge their claims, write reports."),
    (gateway, "Serve rules until interrupted."),
    (validate, "Check files as Istio would."),
    (explain, "Say which rule a request takes, and why."),
    (test, "Test which rules take which requests, without load."),
    (plan, "Print the expected outcomes and the number of requests a verdict needs."),
    (report, "Render reports again from their journals."),
    (compare, "Compare two runs of one experiment."),
    (judge, "Judge counts or samples from anywhere."),
    (load_worker, "Carry a part of the load of a run on another host."),
    (replay, "Send the faulted requests of a run again."),
    (recover, "List and remove what runs left in a mesh."),
    (demo, "Start the sample applications."),
    (init, "Write an experiment file to start from."),
    (doctor, "Look at this machine for what makes a run fail."),
    (schema, "Print the JSON Schema of an experiment file."),
)
for command, short in COMMANDS:
    app.command(short_help=short)(command)
app.add_typer(export, name="export")
app.add_typer(ctl, name="ctl")


def call(arguments: list[str]) -> int:
    """Run one command and return its exit code. Errors become messages on stderr."""
    try:
        result: Any = typer.main.get_command(app).main(arguments, prog_name="chaos", standalone_mode=False)
        return int(result) if isinstance(result, int) else 0
    except ChaosError as error:
        say(str(error), err=True)
        return int(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted", err=True)
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        # Typer's usage errors show themselves; their class lives in a private module whose name has changed.
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()
            return int(ExitCode.USAGE)
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    """Print one line about an error in chaos itself and return the exit code. The traceback goes to a file, or to
    stderr with --debug."""
    if os.environ.get("CHAOS_DEBUG"):
        traceback.print_exception(error)
        return int(ExitCode.ENVIRONMENT)
    what = str(error).splitlines()[0] if str(error) else ""
    details = _details(error)
    say(f"chaos failed: {type(error).__name__}{': ' if what else ''}{what} ({details})", err=True)
    return int(ExitCode.ENVIRONMENT)


def _details(error: Exception) -> str:
    """Write the traceback to a file and return a hint where it is."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="chaos-", suffix=".log", delete=False) as log:
            traceback.print_exception(error, file=log)
    except OSError:
        return "`chaos --debug` shows more"
    return f"details in {log.name}"
