"""The signals that ask a process to end, and whether one of them is to be heeded.

Each process decides itself what then happens: the gateway drains, a run ends in good order, a command cleans up."""

from __future__ import annotations

import signal

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded() -> tuple[signal.Signals, ...]:
    """Return the signals of ENDING that should end this process. SIGHUP is not one of them if it is ignored already,
    because nohup says with that that the process outlives its terminal."""
    return tuple(
        number for number in ENDING if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )
