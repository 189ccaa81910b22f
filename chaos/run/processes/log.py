"""What a child writes to its stderr: a file in the run's folder, or memory while there is no folder (or never one).

Nothing is written outside a run's own folder, so whatever is killed leaves nothing to clean up.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path


class Log:
    """`path` is None for one in memory."""

    def __init__(self, path: Path | None = None):
        """Raises OSError when the file cannot be made."""
        self.path = path
        self.descriptor = _in_memory() if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        weakref.finalize(self, os.close, self.descriptor)

    def text(self) -> str:
        """Everything so far. The child's own position in the file stays where it is."""
        size = os.fstat(self.descriptor).st_size
        return os.pread(self.descriptor, size, 0).decode("utf-8", "replace")

    def last_line(self) -> str:
        """The last line that is not blank; empty when there is none."""
        lines = [line for line in self.text().splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def save(self, path: Path) -> None:
        """Copy it into a file."""
        path.write_text(self.text(), encoding="utf-8")


def _in_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("log")
    with tempfile.TemporaryFile() as file:  # has no name, so it goes with its last descriptor
        return os.dup(file.fileno())
