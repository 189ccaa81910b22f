"""Read the user's files as text, and say in one line what is wrong with those that cannot be read.

The only place of the run that opens an experiment file; the core gets text. A file is at most 1 MB: a larger one is
not an experiment but a mistake, and YAML takes ten seconds and a gigabyte to find that out.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

from chaos.errors import InvalidInput

MAX_FILE = 1_000_000
PIPE_SECONDS = 30.0
"""How long to wait for the next bytes from a pipe: `helm template` may take its time."""


def read_text(path: str | Path) -> str:
    """Return the file's text. Raises InvalidInput for what is missing, no file, unreadable, too large, or not text."""
    name = str(path)
    try:
        data = _read(name)
    except FileNotFoundError:
        raise InvalidInput.at(name, "there is no such file") from None
    except OSError as error:
        raise InvalidInput.at(name, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise InvalidInput.at(name, "is larger than 1 MB; an experiment file is not")
    return decode(data, name)


def _read(name: str) -> bytes:
    """Return the first megabyte and a byte. A pipe is read to its end: `chaos validate <(helm template .)`."""
    handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe that nobody writes to would wait for ever
    with open(handle, "rb", buffering=0) as stream:
        kind = os.fstat(handle).st_mode
        if stat.S_ISDIR(kind):
            raise InvalidInput.at(name, "is a folder; name the file in it")
        if stat.S_ISREG(kind):
            return stream.read(MAX_FILE + 1)
        if stat.S_ISFIFO(kind):
            return b"".join(_read_pipe(name, handle))
        raise InvalidInput.at(name, "is a device or a socket, not a file")


def _read_pipe(name: str, handle: int) -> Iterator[bytes]:
    """Yield what comes through a pipe, at most a megabyte and a bit. Raises InvalidInput when nobody writes to it."""
    size = 0
    while size <= MAX_FILE:
        if not select.select([handle], [], [], PIPE_SECONDS)[0]:
            raise InvalidInput.at(name, f"is a pipe, and nothing came through it for {PIPE_SECONDS:g} s")
        piece = os.read(handle, 65536)
        if not piece:
            break
        size += len(piece)
        yield piece
    if not size:
        raise InvalidInput.at(name, "is a pipe that nobody writes to")


def decode(data: bytes, name: str) -> str:
    """UTF-8 text, with or without a byte order mark. Raises InvalidInput at the line that is none."""
    if b"\0" in data[:8192]:
        raise InvalidInput.at(name, "is a binary file, not YAML")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise InvalidInput.at(
            name, f"is not UTF-8 text (octet 0x{data[error.start]:02x})", line=line, column=column
        ) from None


def beside(base: str, name: str) -> str:
    """The path of a file that `base` names relative to itself."""
    path = Path(name)
    return str(path if path.is_absolute() else Path(base).parent / path)
