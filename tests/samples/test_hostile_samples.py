"""Damaged files of every format end in a located problem or in findings, never in a traceback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from chaos.claims.hypotheses.expression import parse_expression
from chaos.errors import InvalidInput
from chaos.samples.claim_text import parse_claim
from chaos.samples.detect import FORMATS, Options, Text, source_of
from chaos.samples.judging import SampleJudge
from chaos.samples.seconds import Gatherer

DATA = sorted((Path(__file__).parent / "data").iterdir())
JUNK = ("", ",", '"', "{", "}", "[", "]", "null", "true", "-1", "1e999", "9" * 5000, "NaN", "\n", ":", "{}", "[[", "x")


def judge(text: str, options: Options) -> None:
    judged = SampleJudge(
        [parse_claim("abort 50%"), parse_claim("delay 5s 10%")],
        [parse_expression("p99 < 1s"), parse_expression("failures < 5%"), parse_expression("status(503) < 5%")],
        confidence=0.99,
        tolerance=0.02,
    )
    source = source_of([Text("a", text.splitlines(keepends=True))], options)
    gatherer = Gatherer(source, judged.named)
    for stretch in gatherer.stretches():
        judged.observe(stretch.digest, stretch.seconds)
    judged.findings(source, gatherer.order.parts)


def damaged(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(JUNK) + text[at + chance.randrange(30) :]


def refusal(text: str, options: Options) -> str:
    """The problem; empty where there are findings."""
    try:
        judge(text, options)
    except InvalidInput as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("file", DATA, ids=lambda path: path.name)
def test_a_damaged_file_is_a_problem_or_has_findings(file: Path) -> None:
    chance, text = random.Random(file.name), file.read_text()
    said = [refusal(damaged(text, chance), Options(unit="ms")) for _ in range(120)]
    assert any(said)
    assert all(each.startswith("a:") for each in said if each)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "claims"])
@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '{"a": 1}\n', "[]\n", "null\n", '{"data": 5, "RetCodes": 3}\n'])
def test_a_file_of_another_format_than_named_is_a_problem(name: str, content: str) -> None:
    said = refusal(content, Options(format=name))
    assert said.startswith("a:") or (content and name in ("envoy", "k6-json"))  # which leave out what is another's
