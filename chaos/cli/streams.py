"""Make writing to the standard streams never fail, because a verdict must not depend on the terminal.

If the reader has closed the pipe (`| head -1`), the disk is full, or the descriptor is closed, all further output is
lost, and the command still runs to its end and its own exit code.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_NOBODY_READS = (errno.EPIPE, errno.EBADF, errno.EIO)  # EIO: the terminal has been closed


class Outlet(io.FileIO):
    """A descriptor for writing. `lost` is the first error; nothing is written after it."""

    lost: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        if self.lost is None:
            try:
                while (written := super().write(data)) is None:  # another process made it non-blocking, as ssh does
                    select.select([], [self], [])
                return written
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def protect_streams() -> None:
    """Replace sys.stdout and sys.stderr, and open what was closed when we were started.

    Else the next file that is opened would get the number 0, 1 or 2, and with it our output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
    sys.stdout = _protected(1, sys.stdout)
    sys.stderr = _protected(2, sys.stderr)


def _protected(descriptor: int, stream: TextIO | None) -> TextIO:
    """Return the same stream over an Outlet. Characters that its encoding lacks are escaped."""
    if isinstance(stream, io.TextIOWrapper):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Outlet(descriptor, "wb", closefd=False)),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=descriptor == 2 or os.isatty(descriptor),
        write_through=getattr(stream, "write_through", False),
    )


def what_was_lost(stream: TextIO) -> str:
    """Return why output to the stream was lost; empty if none was, or if nobody reads the stream."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    lost = raw.lost if isinstance(raw, Outlet) else None
    return "" if lost is None or lost.errno in _NOBODY_READS else lost.strerror or str(lost)
