"""The weights of connections are judged by the proxy's own count, whatever becomes of the load's requests."""

from __future__ import annotations

from typing import Any

import pytest

from chaos.claims.effects import ConnectionEffect, PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.judge.judge import Judge
from chaos.protocol.digest import Digest, Key
from chaos.verify.verdict import Verdict

KEY = "virtualservice/default/db/tcp/0"
DB = ConnectionEffect(KEY, "db.tcp[0]", "db.yaml:7:5", (("db:5432/v1", 0.8), ("db:5432/v2", 0.2)))
V, F, U, NONE = Verdict.VERIFIED, Verdict.FALSIFIED, Verdict.INCONCLUSIVE, Verdict.NO_TRAFFIC


def judged(**destinations: int) -> list[Finding]:
    """The findings when so many connections went to v1 and v2, beside a load that had no response at all."""
    judge = Judge(expectations([PhaseEffects("", (), connections=(DB,))]))
    lost = Digest()
    lost.add(Key("", "GET /", "", "", 0, error="refused"), 1000)
    judge.observe(lost)
    reached = {f"db:5432/{version}": count for version, count in destinations.items()}
    rule = {"destinations": reached, "requests": sum(reached.values())}
    counters: Any = {"phases": {"": {KEY: rule}} if reached else {}}
    return judge.findings(counters)


VERDICTS = [
    ({}, NONE, "No connection took this rule, so nothing is known about it."),
    ({"v1": 79, "v2": 21}, U, "of 100 connections went to db/v1; "),
    (
        {"v1": 7980, "v2": 2020},
        V,
        "of 10 000 connections went to db/v1; 80 % is configured. This is the proxy's own",
    ),
    ({"v1": 8000, "v2": 2000}, V, "80.0 % of 10 000 connections went to db/v1, as configured. This is the proxy's own"),
    ({"v1": 7000, "v2": 3000}, F, "of 10 000 connections went to db/v1, not 80 %, by the proxy's own count."),
]


@pytest.mark.parametrize(("destinations", "verdict", "sentence"), VERDICTS)
def test_the_share_of_each_destination_is_judged(destinations: dict[str, int], verdict: Verdict, sentence: str) -> None:
    first, second = judged(**destinations)
    assert (first.title, first.kind, first.where) == ("connections to db/v1", "connections", "db.yaml:7:5")
    assert (first.verdict, second.verdict, first.observed) == (verdict, verdict, None)
    assert sentence in first.sentence.replace("\u202f", " ")
