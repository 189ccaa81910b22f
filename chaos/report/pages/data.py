"""Write what programs read of a run, result.json and junit.xml, from the journal alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

from chaos.journal.result import Result
from chaos.report.data.journal import journal_of, only_damage, read_run


def write_data(run_folder: Path) -> None:
    """Write result.json and junit.xml beside a run's journal, for runs without a report.

    Raises InvalidInput when there is no journal, or a damaged one; OSError when the folder cannot be written."""
    from chaos.report.pages.junit import junit

    journal = journal_of(run_folder)
    result = read_run(journal.parent)
    with only_damage(journal):
        write_result(journal.parent, result)
        write(journal.parent / "junit.xml", junit(result))


def write_result(folder: Path, result: Result) -> None:
    """Write result.json."""
    write(folder / "result.json", json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n")


def write(path: Path, content: str | bytes) -> None:
    """Replace the file in one step: a reader sees the old one or the new one, never half."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", errors="replace")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
