"""Follow an access log that grows: a file, which may be cut or replaced, or a pipe that is written to."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from chaos.errors import InvalidInput

MOST = 8_000_000
"""Bytes that are read at once, so that a run goes on meanwhile."""
PIECE = 1_000_000
LONGEST_LINE = 1_000_000
OPTION = "--access-log"
HOW = "let `kubectl logs -f POD > FILE` write it, say"


def check(path: Path) -> None:
    """Raise InvalidInput if this is nothing to be followed. Nothing is opened: who writes to a pipe would notice."""
    try:
        kind = os.stat(path).st_mode
    except OSError as error:
        raise InvalidInput.of(OPTION, f"{path}: {error.strerror}; {HOW}") from None
    if not stat.S_ISREG(kind) and not stat.S_ISFIFO(kind):
        raise InvalidInput.of(OPTION, f"{path}: is neither a file nor a pipe; {HOW}")
    if not os.access(path, os.R_OK):
        raise InvalidInput.of(OPTION, f"{path}: cannot be read: permission denied")


class LogFile:
    """The lines that are written after it was opened. Raises InvalidInput if it cannot be."""

    def __init__(self, path: Path):
        self._path = path
        self._rest = b""
        self._handle = self._opened()
        if stat.S_ISREG(os.fstat(self._handle).st_mode):
            os.lseek(self._handle, 0, os.SEEK_END)

    def _opened(self) -> int:
        check(self._path)
        try:
            return os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise InvalidInput.of(OPTION, f"{self._path}: cannot be read: {error.strerror}") from None

    def close(self) -> None:
        os.close(self._handle)

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that have come since the last time. Raises OSError."""
        self._follow()
        read = 0
        while read < MOST and (piece := self._piece()):
            read += len(piece)
            *whole, self._rest = (self._rest + piece).split(b"\n")
            yield from whole
            if len(self._rest) > LONGEST_LINE:
                self._rest = b""

    def _piece(self) -> bytes:
        try:
            return os.read(self._handle, PIECE)
        except BlockingIOError:  # a pipe whose writer has nothing to say
            return b""

    def _follow(self) -> None:
        """Begin anew with a file that was cut, or that another one has taken the place of (a rotated log)."""
        now = os.fstat(self._handle)
        if not stat.S_ISREG(now.st_mode):
            return
        if now.st_size < os.lseek(self._handle, 0, os.SEEK_CUR):
            os.lseek(self._handle, 0, os.SEEK_SET)
            self._rest = b""
            return
        with contextlib.suppress(OSError, InvalidInput):
            there = os.stat(self._path)
            at_end = now.st_size == os.lseek(self._handle, 0, os.SEEK_CUR)
            if at_end and (there.st_dev, there.st_ino) != (now.st_dev, now.st_ino):
                another = self._opened()
                os.close(self._handle)
                self._handle = another
