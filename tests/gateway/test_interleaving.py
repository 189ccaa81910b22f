"""Whatever happens at the same time, every answer is that of its request, and every request is counted once.

`make interleave` runs it with as many requests as one likes."""

from __future__ import annotations

import os

import pytest
from support.interleave import KINDS, interleave

pytestmark = [pytest.mark.slow, pytest.mark.representative]

REQUESTS = int(os.environ.get("CHAOS_INTERLEAVE_REQUESTS", "3000"))
SEED = int(os.environ.get("CHAOS_INTERLEAVE_SEED", "1"))


async def test_every_answer_belongs_to_its_request_and_every_request_is_counted_once() -> None:
    figures = await interleave(SEED, REQUESTS)
    print(figures)
    assert figures.wrong == []
    assert figures.trouble == []
    assert figures.left == (0, 0, 0)
    assert figures.ledgers.keys() == set(KINDS)
    for name, counts in figures.ledgers.items():
        assert counts["requests"] == sum(counts["statuses"].values()), name
    assert sum(counts["requests"] for counts in figures.ledgers.values()) == figures.events["requests judged"]
