"""The file with the token that a load and its workers share."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from chaos.errors import InvalidInput
from chaos.runner.plan.files import read_text

LEAST = 16  # bytes
HOW = "make one with `openssl rand -hex 32 > token`, and give the same file to the run and to each `chaos load-worker`"


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `warning` says what is wrong with its file, empty if nothing is."""

    text: str = field(default="", repr=False)
    warning: str = ""


def read_token(path: str | None, option: str) -> Token:
    """Return the token of a file; without a file an empty one. Raises InvalidInput, naming `option`."""
    if path is None:
        return Token()
    try:
        text = read_text(path).strip()
    except InvalidInput as error:
        raise InvalidInput.of(option, str(error)) from None
    if len(text.encode()) < LEAST:
        raise InvalidInput.of(option, f"{path} has fewer than {LEAST} bytes; {HOW}")
    return Token(text, _exposure(path))


def _exposure(path: str) -> str:
    found = os.stat(path)
    exposed = stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_IROTH
    if os.statvfs(path).f_flag & os.ST_RDONLY:  # as a Secret in a pod, which nobody else is in
        return ""
    return f"{path}: everybody on this machine can read the token; `chmod 600 {path}` changes that" if exposed else ""
