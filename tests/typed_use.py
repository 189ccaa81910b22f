"""The library as a type checker sees it: `make types` checks this file, and nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import chaos


def use_of_rules(file: Path) -> None:
    rules = chaos.load_rules(file)
    assert_type(rules, chaos.Rules)
    decision = rules.decide(chaos.Request.parse("GET http://reviews/"), chaos.FixedDraws(abort=0.1))
    assert_type(decision.status, int | None)
    assert_type(chaos.explain(rules, "GET http://reviews/"), chaos.Explanation)


def use_of_runs(file: str) -> None:
    experiment = chaos.load_experiment(file, overrides={"spec.seed": 7})
    assert_type(experiment.forecast().claims[0].median, int | None)
    result = chaos.run(experiment, seed=3)
    assert_type(result, chaos.Result)
    assert_type(result.verdict, chaos.Verdict | None)
    assert_type([finding.estimate for finding in chaos.read_run(result.folder).findings], list[float | None])


async def use_in_a_loop(file: str) -> chaos.Result:
    return await chaos.run_async(file, on_event=lambda level, text: None)


def use_in_a_test(rules: chaos.Rules) -> None:
    with chaos.testing.gateway(rules) as gateway:
        assert_type(gateway, chaos.testing.Gateway)
        assert_type(gateway.record(200), int)
    assert_type(gateway.verify(), list[chaos.Finding])


def use_of_errors() -> list[tuple[str, int, int]]:
    try:
        chaos.load_rules("missing.yaml")
    except chaos.InvalidInput as error:
        return [(each.location.file, each.location.line, each.location.column) for each in error.problems]
    return []
