"""Pages pinned as files: `UPDATE_GOLDENS=1 pytest ...` writes them anew; the difference is then read and committed."""

from __future__ import annotations

import os
from pathlib import Path


def assert_golden(path: Path, text: str) -> None:
    """The text is what the file holds."""
    if os.environ.get("UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; UPDATE_GOLDENS=1 makes it"
    assert text == path.read_text(encoding="utf-8")
