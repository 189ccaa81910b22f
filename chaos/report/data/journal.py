"""Find a run's journal and read it: the only place of the report that opens one. What it means is chaos.journal's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.errors import InvalidInput
from chaos.journal.records import decode_lines
from chaos.journal.result import Result

JOURNAL = "journal.jsonl"


def read_run(run: Path) -> Result:
    """The result of a run's folder, as far as its journal goes; a torn last line is left out.

    Raises InvalidInput when there is no journal, or when it is damaged before its end."""
    path = journal_of(run)
    with path.open(encoding="utf-8", errors="replace") as lines:
        return Result.from_records(decode_lines(lines, file=str(path)), file=str(path))


@contextmanager
def only_damage(journal: Path) -> Iterator[None]:
    """Whatever trips over a journal's values is the journal's fault: every value was written by a run, or by nobody.

    Raises InvalidInput for it. What each field may hold is checked when it is read; how fields go together is not."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput.at(str(journal), f"damaged: its values do not go together ({what[:200]})") from error


def journal_of(run: Path) -> Path:
    """The journal in a run's folder; the folder's latest run when `run` is an experiment's folder of runs."""
    if run.name == JOURNAL and run.is_file():
        return run
    if (run / JOURNAL).is_file():
        return run / JOURNAL
    runs = sorted(run.glob(f"*/{JOURNAL}")) if run.is_dir() else []
    if runs:
        return runs[-1]
    if not run.exists():
        raise InvalidInput.at(str(run), "there is no such run")
    raise InvalidInput.at(str(run), f"is not the folder of a run: there is no {JOURNAL} in it")
