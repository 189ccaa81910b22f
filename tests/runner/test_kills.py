"""Whoever is killed, and whenever: nothing is left two seconds later, and the exit code is right.

Ten kills here; `make kills` makes sixty (CHAOS_KILLS, CHAOS_KILLS_SEED)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.kills import Kill, KilledRun, kills

pytestmark = [pytest.mark.slow, pytest.mark.representative]

COUNT, SEED = int(os.environ.get("CHAOS_KILLS", "10")), int(os.environ.get("CHAOS_KILLS_SEED", "2887"))


@pytest.mark.parametrize("kill", kills(COUNT, SEED), ids=str)
def test_nothing_is_left_two_seconds_after_a_kill(kill: Kill, tmp_path: Path) -> None:
    run = KilledRun(tmp_path, kill)
    try:
        run.happen()
        run.check()
    finally:
        run.end_what_is_left()
