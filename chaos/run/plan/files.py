"""Read the user's files as text, and say in one line what is wrong with those that cannot be read.

The only place of the run that opens an experiment file; the core gets text. A file is at most 1 MB: a larger one is
not an experiment but a mistake, and YAML takes ten seconds and a gigabyte to find that out.
"""

from __future__ import annotations

from pathlib import Path

from chaos.errors import InvalidInput

MAX_FILE = 1_000_000


def read_text(path: str | Path) -> str:
    """The file's text. Raises InvalidInput for what is missing, no file, unreadable, too large, or not text."""
    name = str(path)
    file = Path(path)
    try:
        if file.is_dir():
            raise InvalidInput.at(name, "is a folder; name the file in it")
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise InvalidInput.at(name, "there is no such file") from None
    except OSError as error:
        raise InvalidInput.at(name, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise InvalidInput.at(name, "is larger than 1 MB; an experiment file is not")
    return decode(data, name)


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
