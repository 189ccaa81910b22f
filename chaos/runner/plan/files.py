"""Read the user's files as text, with a one-line error for each that cannot be read.

The only place of a run that opens an experiment file; the core gets text. A file is at most 1 MB: a larger one is a
mistake, and parsing it as YAML would take ten seconds and a gigabyte.
"""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from chaos.errors import InvalidInput

MAX_FILE = 1_000_000
PIECE = 65_536
WRITER_SECONDS = 1.0
"""How long a pipe may be without a writer: `mkfifo p; helm template . > p & chaos validate p`."""
PIPE_SECONDS = 30.0
"""How long the writer may take for all of it; `helm template` can take several seconds."""

_AT_ONCE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a pipe that nobody writes to is not waited for


def read_text(path: str | Path) -> str:
    """Return the file's text. Raises InvalidInput for what is missing, no file, unreadable, too large, or not text."""
    name = str(path)
    try:
        data = _read(name)
    except FileNotFoundError:
        raise InvalidInput.at(name, "there is no such file") from None
    except OSError as error:
        raise InvalidInput.at(name, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise InvalidInput.at(name, "is not the name of a file: it contains a NUL character") from None
    if len(data) > MAX_FILE:
        raise InvalidInput.at(name, "is larger than 1 MB, the most that is read")
    return decode(data, name)


def _read(name: str) -> bytes:
    """Return the file's bytes, and at most one piece beyond the limit. Pipes work as well: `chaos validate <(helm
    template .)`."""
    if trouble := _no_file(os.stat(name).st_mode):  # before opening: that alone makes some devices do something
        raise InvalidInput.at(name, trouble)
    handle = os.open(name, _AT_ONCE)
    try:
        is_pipe = stat.S_ISFIFO(os.fstat(handle).st_mode)
        return b"".join(_up_to_limit(_pieces_of_pipe(name, handle) if is_pipe else _pieces(handle)))
    finally:
        os.close(handle)


def _no_file(kind: int) -> str:
    """Return what is wrong if it is neither a file nor a pipe; empty if it is one."""
    if stat.S_ISDIR(kind):
        return "is a folder; name the file in it"
    return "" if stat.S_ISREG(kind) or stat.S_ISFIFO(kind) else "is a device or a socket, not a file"


def _up_to_limit(pieces: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        yield piece
        size += len(piece)
        if size > MAX_FILE:
            return


def _pieces(handle: int) -> Iterator[bytes]:
    while piece := os.read(handle, PIECE):
        yield piece


def _pieces_of_pipe(name: str, handle: int) -> Iterator[bytes]:
    """Yield the pieces of a pipe. Raises InvalidInput if nobody writes to it, or the writer does not end in time."""
    end = time.monotonic() + PIPE_SECONDS
    patience, begun = WRITER_SECONDS, False  # select waits even where there is no writer whose end could be noticed
    while True:
        select.select([handle], [], [], patience)
        try:
            piece = os.read(handle, PIECE)
        except BlockingIOError:  # there is a writer
            patience = end - time.monotonic()
            if patience <= 0:
                raise InvalidInput.at(
                    name, f"is a pipe that was not written to its end in {PIPE_SECONDS:g} s"
                ) from None
            continue
        if not piece:
            break
        begun = True
        yield piece
    if not begun:
        raise InvalidInput.at(name, "is a pipe that nobody writes to")


def trouble_with_file(path: str | Path) -> str:
    """Return what is wrong with a file that other processes will open, possibly several times; empty if nothing is."""
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return "there is no such file"
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"
    return "is a pipe, not a file" if stat.S_ISFIFO(kind) else _no_file(kind)


def decode(data: bytes, name: str) -> str:
    """Return the text of UTF-8 bytes, with or without a byte order mark. Raises InvalidInput at the first line that is
    not UTF-8."""
    if b"\0" in data[:8192]:
        raise InvalidInput.at(name, "is a binary file, not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise InvalidInput.at(
            name, f"is not UTF-8 text (byte 0x{data[error.start]:02x})", line=line, column=column
        ) from None


def beside(base: str, name: str) -> str:
    """Return the path of a file that `base` names relative to itself."""
    path = Path(name)
    return str(path if path.is_absolute() else Path(base).parent / path)
