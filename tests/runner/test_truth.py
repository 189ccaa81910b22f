"""A run tells the truth about its gateway: right, biased, too little seen, nothing seen. Real processes, real
requests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support import biased_gateway
from support.experiments import experiment, journal, run, virtual_service, write

from chaos.errors import ExitCode
from chaos.journal.records import End, Findings
from chaos.verify.verdict import Verdict

pytestmark = pytest.mark.slow

LOAD = {"users": 16, "until": "decided", "duration": "40s"}


@pytest.mark.representative
def test_a_gateway_that_does_as_it_is_told_is_verified(tmp_path: Path) -> None:
    """Seeded: the same dice fall in every run of this test."""
    file = write(tmp_path, experiment(load=LOAD, seed=11), virtual_service(abort=50))
    result = run(file, tmp_path)
    assert (result.outcome, result.exit_code) == ("verified", ExitCode.VERIFIED)
    abort = next(finding for finding in result.findings if finding.kind == "abort")
    assert abort.ledgers == ("configured", "drawn", "observed")
    assert abort.drawn is not None and abort.observed is not None
    assert abort.observed.n == result.requests


@pytest.mark.representative
def test_a_gateway_that_aborts_45_percent_of_what_should_be_50_is_falsified(tmp_path: Path) -> None:
    """Its counters agree with what users see, so the sentence speaks of the dice."""
    file = write(tmp_path, experiment(load=LOAD, seed=12), virtual_service(abort=50))
    result = run(file, tmp_path, program=(sys.executable, biased_gateway.__file__, "0.9"))
    assert (result.outcome, result.exit_code) == ("falsified", ExitCode.FALSIFIED)
    abort = next(finding for finding in result.findings if finding.kind == "abort")
    assert abort.verdict is Verdict.FALSIFIED and abort.cause == "dice"
    assert abort.interval is not None and abort.interval[1] is not None and abort.interval[1] < 0.48


def test_clients_that_leave_during_the_delay_show_it(tmp_path: Path) -> None:
    """A delay of 1 s for half of the requests, clients that wait 100 ms."""
    load = LOAD | {"users": 120, "tasks": [{"get": "http://web/", "timeout": "100ms"}]}
    rules = virtual_service()
    rules["spec"]["http"][0]["fault"] = {"delay": {"fixedDelay": "1s", "percentage": {"value": 50}}}
    result = run(write(tmp_path, experiment(load=load, seed=13), rules), tmp_path)
    assert (result.outcome, result.exit_code) == ("verified", ExitCode.VERIFIED)
    found = {finding.kind: finding for finding in result.findings}
    assert found["delay"].left > 500 and found["route"].verdict is Verdict.VERIFIED
    assert found["added-delay"].verdict is Verdict.NOT_JUDGED


@pytest.mark.representative
def test_with_too_few_requests_it_is_inconclusive_and_says_how_many_more(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load={"requests": 300}), virtual_service(abort=50))
    result = run(file, tmp_path)
    assert (result.outcome, result.exit_code) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert result.requests == 300
    assert all(finding.needed for finding in result.findings if finding.kind == "abort")


def test_a_rule_that_no_task_takes_is_never_a_success(tmp_path: Path) -> None:
    rules = virtual_service(abort=0)
    rules["spec"]["http"].insert(0, {"name": "vip", "match": [{"headers": {"end-user": {"exact": "jason"}}}],
                                     "route": [{"destination": {"host": "web"}}]})  # fmt: skip
    load = {"requests": 9000, "tasks": [{"get": "http://web/"}]}
    result = run(write(tmp_path, experiment(load=load), rules), tmp_path)
    assert (result.outcome, result.exit_code) == ("no-traffic", ExitCode.NO_TRAFFIC)
    assert any("vip" in reason and "no task takes this rule" in reason for reason in result.reasons)


def test_the_journal_ends_with_the_verdicts_that_were_shown(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load={"requests": 200}), virtual_service(abort=50))
    result = run(file, tmp_path)
    assert result.folder is not None
    records = journal(result.folder)
    last = [record for record in records if isinstance(record, Findings)][-1]
    assert [each["id"] for each in last.findings] == [finding.id for finding in result.findings]
    assert isinstance(records[-1], End) and records[-1].exit_code == result.exit_code


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_seed_repeats_the_same_faults(tmp_path: Path, workers: int) -> None:
    """Request by request, with any number of gateway processes."""
    file = write(tmp_path, experiment(load={"requests": 400, "users": 4}, seed=5), virtual_service(abort=50))
    first, second = (run(file, tmp_path, workers=number) for number in (1, workers))
    tallies = [
        next(finding.observed for finding in result.findings if finding.kind == "abort") for result in (first, second)
    ]
    assert tallies[0] == tallies[1]
