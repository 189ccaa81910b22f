"""Journals that are damaged or made to do harm: an error at its line, quickly, and never anything else."""

from __future__ import annotations

import json
import random
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.journals import write

from chaos.errors import InvalidInput
from chaos.journal.records import decode_lines
from chaos.journal.result import Result
from chaos.report.pages.index import render_index
from chaos.report.pages.render import render

BOMB = b64encode(pack(">II", 0x1C849314, 100) + zlib.compress(bytes(50_000_000), 9)).decode()
HOSTILE: list[Any] = [
    *(None, True, -1, 0, 10**17, 1e14, -1e14, "", "x", "\ud800", "\x1b[2J", "a" * 100_000, BOMB),
    *([], {}, [[]], [None], {"a": None}, [1, 2]),
]
RAW = ["NaN", "Infinity", "-Infinity", "9" * 400, "1e999", "[" * 50_000 + "]" * 50_000, "0" * 10_000]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The journal of a small run."""
    folder = write(
        tmp_path_factory.mktemp("runs") / "hostile" / "20260101-000000", name="hostile", requests=500, seconds=3
    )
    return (folder / "journal.jsonl").read_text().splitlines()


def read(lines: list[str]) -> Result:
    return Result.from_records(decode_lines(lines))


def told(action: Callable[[], object]) -> str | None:
    """What is wrong, if anything."""
    try:
        action()
    except InvalidInput as error:
        return str(error)
    return None


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a parsed line, the line itself left out."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from places(inner, (*path, step))


def planted(line: str, path: tuple[Any, ...], hostile: Any) -> str:
    """The line with another value at one place."""
    value = json.loads(line)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = hostile
    return json.dumps(value)


@given(st.data())
@settings(max_examples=400, deadline=2000)
def test_any_value_at_any_place_is_read_or_told(lines: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(lines) - 1))
    path = data.draw(st.sampled_from(list(places(json.loads(lines[number])))))
    changed = [*lines]
    changed[number] = planted(lines[number], path, data.draw(st.sampled_from(HOSTILE)))
    said = told(lambda: read(changed))
    assert said is None or (said.startswith("journal.jsonl:") and "\n" not in said)


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw[:12])
def test_numbers_that_no_journal_has_are_told_at_their_line(lines: list[str], raw: str) -> None:
    changed = [*lines]
    changed[1] = changed[1].replace('"at":', f'"extra":{raw},"at":', 1)
    with pytest.raises(InvalidInput, match=r"^journal\.jsonl:2:1: "):
        read(changed)


def test_a_second_plan_is_told(lines: list[str]) -> None:
    with pytest.raises(InvalidInput, match="a second plan"):
        read([lines[0], *lines])


def test_a_report_of_damaged_values_is_an_error_at_the_journal_and_the_index_keeps_the_others(
    lines: list[str], tmp_path: Path
) -> None:
    """Twelve seeded changes that reading lets pass: fields that are right by themselves and do not go together."""
    write(tmp_path / "hostile" / "20260101-000000", name="hostile", requests=500, seconds=3)
    render(tmp_path / "hostile" / "20260101-000000")
    chance = random.Random(5)
    for turn in range(12):
        folder = tmp_path / "hostile" / f"20260102-{turn:06}"
        folder.mkdir()
        changed = [*lines]
        for _ in range(3):
            number = chance.randrange(len(changed))
            path = chance.choice(list(places(json.loads(changed[number]))))
            changed[number] = planted(changed[number], path, chance.choice(HOSTILE))
        (folder / "journal.jsonl").write_text("\n".join(changed) + "\n")
        (folder / "result.json").write_text(chance.choice(["{}", "[" * 20_000, "null", '{"name": 1}']))
        said = told(partial(render, folder))
        assert said is None or str(folder / "journal.jsonl") in said
    page = render_index(tmp_path).read_text()
    assert "20260101-000000" in page
