"""The journal's file has everything of a short run, and a short account of a long one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chaos.errors import EnvironmentFailed
from chaos.experiment.redaction import Redaction
from chaos.journal.records import (
    Counters,
    DigestLine,
    End,
    Event,
    Exemplars,
    Findings,
    Phase,
    Plan,
    Record,
    decode_lines,
)
from chaos.protocol.digest import Digest, Key
from chaos.protocol.exemplars import Exemplar
from chaos.runner.supervise.journal import JournalWriter

PLAN = Plan(name="a", file="a.yaml", seed=1, started="2024-05-01T12:00:00+0000", confidence=0.99, tolerance=0.02)


def finding(number: int) -> dict[str, str]:
    """Return what a journal says at least of a finding."""
    return {"id": str(number), "kind": "abort", "title": "abort", "verdict": "inconclusive"}


def half_second(number: int) -> DigestLine:
    digest = Digest()
    digest.add(Key("", "home", "", "", 200), 1000 + number)
    at = 1.0 + number / 2
    return DigestLine(at=at, second=number / 2, seconds=0.5, entries=tuple(digest.entries()))


def read(writer: JournalWriter) -> list[Record]:
    with writer.path.open() as lines:
        return list(decode_lines(lines))


def test_a_short_run_is_written_as_it_comes(tmp_path: Path) -> None:
    """Every record is in the file when `write` returns: a kill at any moment loses nothing."""
    writer = JournalWriter(tmp_path)
    writer.write(PLAN)
    for number in range(5):
        writer.write(half_second(number))
        writer.write(Findings(at=1.0 + number / 2, findings=(finding(number),)))
        assert len(read(writer)) == 1 + 2 * (number + 1)
    writer.close()


def test_a_long_run_is_condensed_and_its_last_words_are_kept(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.write(PLAN)
    for number in range(3601):
        writer.write(half_second(number))
        writer.write(Counters(at=1.0 + number / 2, counters={"number": number}))
        writer.write(Findings(at=1.0 + number / 2, findings=(finding(number),)))
    writer.write(End(outcome="verified", exit_code=0))
    writer.close()
    records = read(writer)
    kinds = Counter(record.type for record in records)
    assert all(kinds[kind] < 1200 for kind in ("digest", "counters", "findings"))
    digests = [record for record in records if isinstance(record, DigestLine)]
    assert sum(entry["count"] for digest in digests for entry in digest.entries) == 3601
    assert sum(digest.seconds for digest in digests) == 3601 / 2
    assert [each.counters for each in records if isinstance(each, Counters)][-1] == {"number": 3600}
    assert [each.findings for each in records if isinstance(each, Findings)][-1][0]["id"] == "3600"
    assert isinstance(records[-1], End)


def test_what_is_held_back_is_written_before_the_phase_changes(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.write(PLAN)
    for number in range(901):
        writer.write(half_second(number))
    writer.write(Phase(name="fault", event="begin"))
    *_, last, phase = read(writer)
    writer.close()
    assert isinstance(last, DigestLine)
    assert last.second + last.seconds == pytest.approx(901 / 2)
    assert isinstance(phase, Phase)


def test_records_are_stamped_with_the_time_of_the_run(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    writer.write(PLAN)
    stamped = writer.write(Event(level="info", text="ready"))
    writer.close()
    plan, event = read(writer)
    assert plan.at == 0.0
    assert event == stamped
    assert 0 <= event.at <= writer.now


def test_a_disk_that_is_full_is_an_environment_that_failed(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "run").mkdir()
    writer = JournalWriter(tmp_path / "run")
    writer.close()
    with Path("/dev/full").open("wb") as full:
        writer._file = full.fileno()
        with pytest.raises(EnvironmentFailed, match="No space left"):
            writer.write(PLAN)


def test_single_requests_are_written_before_a_phase_ends_and_redacted(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, Redaction(hidden=("secret",)))
    writer.write(PLAN)
    key = Key("", "home", "", "", 500)
    for number in range(3):
        one = Exemplar(f"{number}", key, 0.0, 10, "a secret body", "secret reason", "GET /secret")
        writer.write(Exemplars(at=10.0 + number, requests=(one.record(),)))
    assert [len(each.requests) for each in read(writer) if isinstance(each, Exemplars)] == [1]
    writer.write(Phase(name="", event="end"))
    writer.close()
    found = [each for record in read(writer) if isinstance(record, Exemplars) for each in record.requests]
    assert [each["id"] for each in found] == ["0", "1", "2"]
    assert {(each["body"], each["reason"], each["request"]) for each in found} == {
        ("a *** body", "*** reason", "GET /***")
    }
