"""The journal's file: one record a line, appended whole and at once, so that it is readable whatever happens next."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from chaos.errors import EnvironmentFailed
from chaos.journal.records import Record, encode

NAME = "journal.jsonl"


class JournalWriter:
    """Writes records with the time since the run began. `Plan` is the first and has `at` 0."""

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self.began = time.monotonic()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def write(self, record: Record) -> Record:
        """Append it, stamped with the time. Raises EnvironmentFailed when the disk does not take it."""
        stamped = replace(record, at=round(self.now, 3)) if record.at == 0.0 and record.type != "plan" else record
        line = encode(stamped).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise EnvironmentFailed(f"cannot write {self.path}: {error.strerror}") from None
        return stamped

    def close(self) -> None:
        os.close(self._file)


def run_folder(root: Path, name: str, when: time.struct_time) -> Path:
    """A new folder `root/name/20261122-215907`; a second run in one second gets `-2`. Raises EnvironmentFailed."""
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
