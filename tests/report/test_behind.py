"""Delays between an application and what it calls, told by latency alone (chaos/report/data/behind.py)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from support.journals import PHASED_DELAY, records

from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.report.data.behind import Behind


@pytest.fixture(scope="module")
def result() -> Result:
    return Result.from_records(records(PHASED_DELAY))


def as_users_of_an_application_see(result: Result) -> pd.DataFrame:
    """The same outcomes without a tag."""
    return frames.outcomes(result).assign(fault="", route="", destination="", group=frames.FORWARDED)


def behind(result: Result) -> Behind:
    rules = tuple({**rule, "tasks": None} for rule in result.plan.rules)
    return Behind.of(replace(result, plan=replace(result.plan, rules=rules)))  # type: ignore[arg-type]


def test_delays_behind_are_those_of_rules_that_no_task_takes(result: Result) -> None:
    """And of the phases in which there are any."""
    assert behind(result).delays == {"fault": 0.2}
    assert Behind.of(result).delays == {}


def test_what_was_as_late_as_the_delay_is_told_apart(result: Result) -> None:
    """As many as were delayed, in the phase with faults alone; and no request is lost."""
    table, tagged = as_users_of_an_application_see(result), frames.outcomes(result)
    found = behind(result).split(table)
    late = found[found["group"] == frames.LATE]
    assert set(late["phase"]) == {"fault"}
    assert late["count"].sum() == tagged[tagged["fault"] == "delay"]["count"].sum() > 0
    assert found["count"].sum() == table["count"].sum() == sum(each.total for each in found["latency"])


def test_a_task_that_is_as_slow_without_faults_tells_nothing(result: Result) -> None:
    """Its latency cannot be the delay's doing."""
    table = as_users_of_an_application_see(result)
    calm = table[table["phase"] == "fault"].assign(phase="baseline")
    slow = pd.concat([table[table["phase"] == "fault"], calm])
    assert frames.LATE not in set(behind(result).split(slow)["group"])


def test_tagged_responses_stay_as_their_tags_say(result: Result) -> None:
    table = frames.outcomes(result)
    assert Behind({"fault": 0.0001}).split(table)["count"].sum() == table["count"].sum()
    late = Behind({"fault": 0.0001}).split(table)
    assert not ((late["fault"] != "") & (late["group"] == frames.LATE)).any()
