"""The cause that is named is the one that fits best."""

from __future__ import annotations

import pytest

from chaos.claims.shares.causes import Explanation, best


def found(**gains: float) -> list[Explanation]:
    return [Explanation(name.replace("_", "-"), gain, True) for name, gain in gains.items()]


@pytest.mark.parametrize(
    ("explanations", "cause"),
    [
        (found(per_connection=100.0, per_task=400.0), "per-task"),
        (found(per_connection=400.0, per_task=100.0), "per-connection"),
        (found(per_connection=400.0, per_task=380.0), "per-task"),
        (found(in_bursts=400.0, drift=200.0), "drift"),
        (found(in_bursts=400.0, drift=100.0), "in-bursts"),
        (found(per_connection=9.0), ""),
        ([], ""),
    ],
)
def test_the_greatest_gain_counts_and_among_equals_the_simpler_one(explanations: list[Explanation], cause: str) -> None:
    assert best(explanations, 10.0) == cause
