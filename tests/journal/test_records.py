"""The journal: one JSON object per line, readable up to its last whole line."""

from __future__ import annotations

import json

import pytest

from chaos.errors import InvalidInput
from chaos.journal.records import (
    SCHEMA,
    Counters,
    DigestLine,
    End,
    Event,
    Exemplars,
    Faulted,
    Findings,
    Phase,
    Plan,
    Record,
    Sample,
    decode_lines,
    encode,
)
from chaos.protocol.digest import Key
from chaos.protocol.exemplars import Exemplar

PLAN = Plan(
    name="abort50",
    file="experiments/abort50.yaml",
    documents={"experiments/abort50.yaml": "kind: Experiment\n# größer\n"},
    seed=7,
    command=("chaos", "run", "experiments/abort50.yaml"),
    started="2024-05-01T12:00:00+02:00",
    confidence=0.99,
    tolerance=0.02,
)
EVERY_KIND: list[Record] = [
    PLAN,
    Phase(at=0.5, name="fault", event="begin"),
    DigestLine(at=1.5, second=0.0, users=20, cpu=0.4, pairs=(["", "t", "r", "abort", [1, 2, 3, 4]],)),
    Counters(at=1.5, counters={"phases": {}}),
    Faulted(at=1.6, requests=({"id": "x"},)),
    Sample(at=1.6, second=0.0, share=0.1, requests=(["id", "t", 200, "", "abort"],)),
    Exemplars(at=1.65, requests=(Exemplar("x", Key("", "t", "r", "d", 503), 0.5, 1500, "oh\n\u2028").record(),)),
    Findings(at=1.7, findings=({"id": "a", "kind": "abort", "title": "abort 400", "verdict": "verified"},)),
    Event(at=1.8, level="warning", text="line one\nline two \u2028 three"),
    End(at=2.0, outcome="verified", exit_code=0),
]  # fmt: skip


def lines() -> list[str]:
    return [encode(record) + "\n" for record in EVERY_KIND]


def test_every_kind_of_record_survives_as_one_line() -> None:
    assert all(line.count("\n") == 1 for line in lines())
    assert list(decode_lines(lines())) == EVERY_KIND


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_last_line_cut_short_is_left_out(cut: int) -> None:
    """What a kill in the middle of a write leaves behind."""
    text = "".join(lines())
    assert list(decode_lines(text[:-cut].splitlines(keepends=True))) == EVERY_KIND[: -1 if cut > 1 else None]


def test_zeros_at_the_end_are_left_out() -> None:
    """What a crash of the machine can leave behind."""
    assert list(decode_lines([*lines(), "\x00" * 512])) == EVERY_KIND


def test_a_damaged_line_in_the_middle_is_an_error_at_its_place() -> None:
    damaged = lines()
    damaged[3] = damaged[3][:10] + "\n"
    with pytest.raises(InvalidInput, match=r"^run/journal\.jsonl:4:1: damaged: "):
        list(decode_lines(damaged, file="run/journal.jsonl"))


def test_records_before_the_damage_are_still_given() -> None:
    damaged = lines()
    damaged[3] = "{\n"
    read = decode_lines(damaged)
    assert [next(read) for _ in range(3)] == EVERY_KIND[:3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "not a record"),
        ("{}", "not a record"),
        ('{"type": "end", "at": 1}', "a damaged `end` record: without outcome, exit_code"),
        (json.dumps({"type": "plan", "schema": SCHEMA + 1}), f"journal schema {SCHEMA + 1}; this version reads schema"),
    ],
)
def test_what_is_no_record_is_an_error(line: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        list(decode_lines([line + "\n"]))


def test_unknown_kinds_and_fields_are_skipped() -> None:
    """A newer version may have written more than this one knows."""
    newer = json.loads(lines()[0]) | {"mood": "good"}
    assert list(decode_lines([json.dumps(newer), json.dumps({"type": "weather", "at": 1})])) == [PLAN]


def test_an_older_journal_has_its_rules_faults_as_fields() -> None:
    """They are read as the list that is written today; a share of None was no fault."""
    rule = {"phase": "", "name": "web[0]", "abort": 0.5, "abort_status": 503, "delay": None, "delay_seconds": 0.0}
    line = json.loads(encode(PLAN)) | {"rules": [rule, rule | {"abort": None, "delay": 0.1, "delay_seconds": 2.0}]}
    (plan,) = decode_lines([json.dumps(line)])
    assert isinstance(plan, Plan)
    assert plan.rules == (
        {"phase": "", "name": "web[0]", "faults": [{"kind": "abort", "share": 0.5, "parameters": {"status": 503}}]},
        {"phase": "", "name": "web[0]", "faults": [{"kind": "delay", "share": 0.1, "parameters": {"seconds": 2.0}}]},
    )


def test_numbers_that_json_lacks_are_refused() -> None:
    """A NaN in a journal would be read by few tools."""
    with pytest.raises(ValueError, match="JSON compliant"):
        encode(DigestLine(second=0, cpu=float("nan")))
