"""The log of a child's stderr: a file in the run's folder, or memory if there is no folder.

Nothing is written outside a run's own folder, so that a killed run leaves nothing to clean up.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos.errors import EnvironmentFailed


class Log:
    """An open descriptor to write to, which is closed with the last reference to this object."""

    def __init__(self, descriptor: int, *, readable: bool = True):
        self.descriptor, self._readable = descriptor, readable
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def of(cls, path: Path | None) -> Log:
        """Open the log in a file, or in memory if `path` is None. Raises EnvironmentFailed if the file cannot be
        made."""
        if path is None:
            return cls(_in_memory())
        try:
            return cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644))
        except OSError as error:
            raise EnvironmentFailed(f"cannot write {path}: {error.strerror}") from None

    @classmethod
    def passed_on(cls) -> Log:
        """Return a log that is our own stderr, which cannot be read back."""
        return cls(os.dup(2), readable=False)

    def text(self) -> str:
        """Return everything so far. The child's own position in the file stays where it is."""
        size = os.fstat(self.descriptor).st_size if self._readable else 0
        return os.pread(self.descriptor, size, 0).decode("utf-8", "replace") if size else ""

    def last_line(self) -> str:
        """Return the last line that is not blank; empty without one."""
        lines = [line for line in self.text().splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def save(self, path: Path) -> None:
        """Copy the text into a file."""
        path.write_text(self.text(), encoding="utf-8")


def redact_file(path: Path, redact: Callable[[str], str]) -> None:
    """Take out of a log what may not be recorded, once nobody writes to it any more. Lines are read one by one, because
    a program may have written gigabytes."""
    beside = path.with_name(f".{path.name}")
    options: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}
    changed = False
    try:
        with path.open(**options) as lines, beside.open("w", **options) as made:
            for line in lines:
                shown = redact(line)
                changed = changed or shown != line
                made.write(shown)
        if changed:
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _in_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("log")
    with tempfile.TemporaryFile() as file:  # has no name, so it goes with its last descriptor
        return os.dup(file.fileno())
