"""The entry point of `chaos`: set up streams and signals, then import the commands, which takes a tenth of a second."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from chaos.cli.streams import protect_streams, what_was_lost
from chaos.signals import ENDING


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code. The user sees a message for every error, never a traceback."""
    try:
        protect_streams()
        _end_like_ctrl_c()
        os.environ.setdefault(
            "PYDANTIC_DISABLE_PLUGINS", "__all__"
        )  # they make pydantic read the metadata of every package
        from chaos.cli.commands import call

        code = call(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        _ignore_signals()
        code = _interrupted()
    _ignore_signals()
    if (lost := what_was_lost(sys.stdout)) and code != 5:  # 5 has its own message
        print(f"chaos: stdout: {lost}; the output is not complete", file=sys.stderr)
    sys.exit(code)


def _end_like_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, so that everything is cleaned up. One that has a handler or is
    ignored, as SIGHUP is by nohup, stays as it is."""
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _interrupted() -> int:
    from chaos.errors import ExitCode

    print("interrupted", file=sys.stderr)
    return int(ExitCode.INTERRUPTED)


def _ignore_signals() -> None:
    """Ignore further signals, so that the exit code stands."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
