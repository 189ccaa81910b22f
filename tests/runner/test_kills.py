"""Whoever is killed, and whenever: nothing is left two seconds later, and the exit code is right.

Ten kills here, the first of them in `make test`; `make kills` makes sixty (CHAOS_KILLS, CHAOS_KILLS_SEED)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from support.kills import Kill, KilledRun, kills

pytestmark = pytest.mark.slow

COUNT, SEED = int(os.environ.get("CHAOS_KILLS", "10")), int(os.environ.get("CHAOS_KILLS_SEED", "2887"))


def each_kill() -> Iterator[ParameterSet]:
    for number, kill in enumerate(kills(COUNT, SEED)):
        yield pytest.param(kill, id=str(kill), marks=[pytest.mark.representative] if number < 1 else [])


@pytest.mark.parametrize("kill", list(each_kill()))
def test_nothing_is_left_two_seconds_after_a_kill(kill: Kill, tmp_path: Path) -> None:
    run = KilledRun(tmp_path, kill)
    try:
        run.happen()
        run.check()
    finally:
        run.end_what_is_left()
