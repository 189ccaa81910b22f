"""Write the journal's file: one record a line, appended whole, so that it is readable whatever happens next.

Recurring records (digests, counters, findings) are written as they come in the first minutes and less and less often
later, so that the journal of a day-long run can be read in a second (chaos/journal/condense.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chaos.errors import EnvironmentFailed
from chaos.experiment.redaction import Redaction
from chaos.journal.condense import Condenser, Gatherer, Pace
from chaos.journal.records import Counters, DigestLine, End, Event, Exemplars, Faulted, Findings, Phase, Record, encode
from chaos.protocol.counters import FaultedRequest
from chaos.protocol.exemplars import ExemplarRecord

NAME = "journal.jsonl"


class JournalWriter:
    """Writes records with the seconds since the run began. `Plan` is the first and has `at` 0.

    `redact` takes out of a text what may not be recorded: of events, reasons, the requests that others sent, and what
    came back. `observe` is called with every record, those included that are held back or combined with others."""

    def __init__(
        self,
        folder: Path,
        redact: Redaction | None = None,
        observe: Callable[[Record], None] | None = None,
    ):
        self.path = folder / NAME
        self._redact, self._observe = redact or Redaction(), observe
        self.began = time.monotonic()
        self._digests = Condenser()
        self._paces = {Counters.type: Pace(), Findings.type: Pace()}
        self._exemplars = Gatherer()
        self._held: dict[str, Record] = {}
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def write(self, record: Record) -> Record:
        """Append a record, or hold it back until its stretch ends; the last one of a phase is always written. Return
        the record with its time.

        Raises EnvironmentFailed if it cannot be written."""
        stamped = replace(record, at=round(self.now, 3)) if record.at == 0.0 and record.type != "plan" else record
        stamped = self._redacted(stamped)
        match stamped:
            case DigestLine():
                self._append(self._digests.push(stamped))
            case Exemplars():
                self._append(self._exemplars.push(stamped))
            case Counters() | Findings() if not self._paces[stamped.type].due(stamped.at):
                self._held[stamped.type] = stamped
            case Counters() | Findings():
                self._held.pop(stamped.type, None)
                self._append(stamped)
            case Phase() | End():
                self.flush()
                self._append(stamped)
            case _:
                self._append(stamped)
        if self._observe is not None:
            self._observe(stamped)
        return stamped

    def _redacted(self, record: Record) -> Record:
        redact = self._redact
        match record:
            case Event():
                return replace(record, text=redact(record.text))
            case End():
                return replace(record, reasons=tuple(map(redact, record.reasons)))
            case Faulted():
                return replace(record, requests=tuple(_redacted_request(each, redact) for each in record.requests))
            case Exemplars():
                return replace(record, requests=tuple(_redacted_exemplar(each, redact) for each in record.requests))
            case _:
                return record

    def flush(self) -> None:
        """Write the records that are held back."""
        self._append(self._digests.flush())
        self._append(self._exemplars.flush(round(self.now, 3)))
        held, self._held = self._held, {}
        for record in held.values():
            self._append(record)

    def _append(self, record: Record | None) -> None:
        if record is None:
            return
        line = encode(record).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise EnvironmentFailed(f"cannot write {self.path}: {error.strerror}") from None

    def close(self) -> None:
        try:
            self.flush()
        finally:
            os.close(self._file)


def _redacted_request(request: FaultedRequest, redact: Callable[[str], str]) -> FaultedRequest:
    return {**request, "target": redact(request["target"]), "authority": redact(request["authority"])}


def _redacted_exemplar(request: ExemplarRecord, redact: Redaction) -> ExemplarRecord:
    body, reason, asked = (redact.excerpt(request[name]) for name in ("body", "reason", "request"))
    return {**request, "body": body, "reason": reason, "request": asked}


def run_folder(root: Path, name: str, when: time.struct_time) -> Path:
    """Make the folder `root/name/20261122-215907` and return it; a second run in one second gets `-2`. Raises
    EnvironmentFailed."""
    stamp = time.strftime("%Y%m%d-%H%M%S", when)
    for number in range(1, 1000):
        folder = root / name / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise EnvironmentFailed(f"cannot make {folder}: {error.strerror}") from None
        return folder
    raise EnvironmentFailed(f"cannot make a folder for the run in {root / name}")
