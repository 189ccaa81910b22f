"""Ten thousand names of requests: the report stays small and quick, and its totals exact."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support.journals import write

from chaos.protocol.digest import MOST_NAMES, OTHERS
from chaos.report.data.grouping import MOST_SHOWN, with_busiest
from chaos.report.data.journal import read_run
from chaos.report.pages.render import render


def with_ids(folder: Path, names: int) -> Path:
    """A run whose requests carry ids in their names."""
    write(folder, name="ids", requests=40 * names, seconds=3)
    chance = random.Random(4)
    lines = []
    for line in (folder / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["type"] == "digest":
            entries = record["entries"]
            record["entries"] = [
                entry | {"task": f"/orders/{chance.randrange(names)}"} for entry in entries for _ in range(names // 4)
            ]
        lines.append(json.dumps(record))
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_names_beyond_the_busiest_are_one_and_nothing_is_lost(tmp_path: Path) -> None:
    result = read_run(with_ids(tmp_path / "ids" / "20260101-000000", 2_000))
    names = {key.task for key, _ in result.digest.items()}
    assert len(names) == MOST_NAMES + 1 and OTHERS in names
    shown = with_busiest(result)
    tasks = {key.task for key, _ in shown.digest.items()}
    assert MOST_SHOWN <= len(tasks) <= MOST_SHOWN + 2
    assert shown.digest.count == result.digest.count == result.delivered.requests
    assert [each.requests for each in shown.stretches] == [each.requests for each in result.stretches]
    assert f"beyond the {MOST_SHOWN} busiest are shown as {OTHERS}" in shown.events[-1].text


@pytest.mark.slow
def test_a_report_of_many_names_is_small_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    folder = with_ids(tmp_path / "ids" / "20260101-000000", 2_000)
    paths = render(folder)
    assert paths.html.stat().st_size < 3_000_000
    assert "busiest are shown as (others)" in paths.html.read_text()
    outcomes = json.loads(paths.json.read_text())["outcomes"]
    assert sum(each["count"] for each in outcomes) == read_run(folder).delivered.requests
