"""Find a run's journal and read it; no other file of the report opens one. chaos.journal knows what it means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.errors import InvalidInput
from chaos.journal.records import decode_lines
from chaos.journal.result import Result

JOURNAL = "journal.jsonl"
LATEST = "latest"


def read_run(run: Path) -> Result:
    """Return the result of a run's folder, as far as its journal goes; a last line that was cut short is skipped.

    Raises InvalidInput when there is no journal, or when it is damaged before its end."""
    path = journal_of(run)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return Result.from_records(decode_lines(lines, file=str(path)), file=str(path))
    except OSError as error:
        raise InvalidInput.at(str(path), f"cannot be read: {error.strerror}") from None


@contextmanager
def only_damage(journal: Path) -> Iterator[None]:
    """Raise InvalidInput for any error that the journal's values cause in the block: a journal written by a run causes
    none.

    Reading has checked each field alone, but not that the fields fit together."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput.at(str(journal), f"damaged: its values do not fit together ({what[:200]})") from error


def journal_of(run: Path) -> Path:
    """Return the journal in a run's folder; of the latest run when `run` is an experiment's folder, or `latest` in it.

    Raises InvalidInput when there is none."""
    if run.name == JOURNAL and run.is_file():
        return run
    if (run / JOURNAL).is_file():
        return run / JOURNAL
    runs = sorted(run.glob(f"*/{JOURNAL}")) if run.is_dir() else []
    if runs:
        return runs[-1]
    if run.name == LATEST and run.parent.is_dir() and not run.exists():
        return journal_of(run.parent)
    if not run.exists():
        raise InvalidInput.of(str(run), "there is no such run")
    raise InvalidInput.of(str(run), f"is not the folder of a run: there is no {JOURNAL} in it")
