"""Phases, safeguards and searches with real processes: what is counted where, and what stops a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.experiments import experiment, journal, run, virtual_service, write

from chaos.errors import ExitCode
from chaos.faults import count_of
from chaos.journal.records import Counters, DigestLine, Phase
from chaos.verify.verdict import Verdict

pytestmark = pytest.mark.slow

PHASES = [
    {"name": "baseline", "requests": 400, "faults": False},
    {"name": "fault", "requests": 400},
    {"name": "recovery", "requests": 400, "faults": False},
]


def test_faults_are_on_in_their_phase_alone(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(phases=PHASES, load={"users": 8}, seed=1), virtual_service(abort=100))
    result = run(file, tmp_path)
    assert result.folder is not None
    records = journal(result.folder)
    assert [(each.name, each.event) for each in records if isinstance(each, Phase)] == [
        (name, event) for name in ("baseline", "fault", "recovery") for event in ("begin", "end")
    ]
    counters = [each for each in records if isinstance(each, Counters)][-1].counters["phases"]
    aborted = {
        name: sum(count_of("abort", rule["faults"]) for rule in rules.values()) for name, rules in counters.items()
    }
    requests = {name: sum(rule["requests"] for rule in rules.values()) for name, rules in counters.items()}
    assert aborted["baseline"] == aborted["recovery"] == 0
    assert aborted["fault"] == requests["fault"] >= 400


def test_a_phase_with_rules_of_its_own_has_its_own_expectations(tmp_path: Path) -> None:
    """The first phase follows a file of its own; the experiment's rules are back in force after it."""
    write(tmp_path, virtual_service(abort=100, status=418), name="teapot.yaml")
    phases = [{"name": "teapot", "requests": 300, "rules": ["teapot.yaml"]}, {"name": "own", "requests": 300}]
    file = write(tmp_path, experiment(phases=phases, load={"users": 4}), virtual_service(abort=100, status=503))
    result = run(file, tmp_path)
    titles = {(finding.phase, finding.title) for finding in result.findings if finding.kind == "abort"}
    assert titles == {("teapot", "abort 418"), ("own", "abort 503")}
    seen = {finding.phase: finding.observed for finding in result.findings if finding.kind == "abort"}
    assert all(tally is not None and tally.k == tally.n for tally in seen.values()), seen


def test_a_ramp_is_a_phase_for_each_step(tmp_path: Path) -> None:
    phases = [{"name": "up", "requests": 300, "ramp": {"vary": "web.abort", "from": 0, "to": 100, "steps": 3}}]
    file = write(tmp_path, experiment(phases=phases, load={"users": 4}), virtual_service(abort=50))
    result = run(file, tmp_path)
    shares = {finding.phase: finding.configured for finding in result.findings if finding.kind == "abort"}
    assert shares == {"up-0": 0.0, "up-50": 0.5, "up-100": 1.0}
    observed = {finding.phase: finding.observed for finding in result.findings if finding.kind == "abort"}
    assert observed["up-0"] is not None and observed["up-0"].k == 0
    assert observed["up-100"] is not None and observed["up-100"].k == observed["up-100"].n


@pytest.mark.representative
def test_a_broken_safeguard_stops_the_run_at_once(tmp_path: Path) -> None:
    safeguards = [{"hold": "failures < 20%", "for": "1s"}]
    file = write(
        tmp_path, experiment(safeguards=safeguards, load={"duration": "60s"}), virtual_service(abort=90)
    )  # fmt: skip
    result = run(file, tmp_path)
    assert (result.outcome, result.exit_code) == ("stopped by a safeguard", ExitCode.SAFEGUARD)
    assert result.seconds < 40
    assert [finding.kind for finding in result.findings][-1] == "safeguard"


def test_a_hypothesis_has_a_verdict_of_its_own(tmp_path: Path) -> None:
    file = write(
        tmp_path, experiment(verify={"expect": ["failures < 1%"]}, load={"requests": 1500}), virtual_service(abort=50)
    )  # fmt: skip
    result = run(file, tmp_path)
    (hypothesis,) = (finding for finding in result.findings if finding.kind == "hypothesis")
    assert hypothesis.verdict is Verdict.FALSIFIED
    assert result.exit_code is ExitCode.FALSIFIED


def test_a_search_closes_in_on_where_a_hypothesis_breaks(tmp_path: Path) -> None:
    """Every abort is a failure here, so that fewer than 20 % fail exactly below 20 % aborts."""
    search = {"vary": "web.abort", "from": 0, "to": 80, "hold": "failures < 20%", "resolution": 20}
    file = write(tmp_path, experiment(search=search, load={"users": 8, "duration": "4s"}), virtual_service(abort=1))
    result = run(file, tmp_path)
    finding = result.findings[-1]
    assert (result.outcome, finding.kind, finding.verdict) == ("verified", "search", Verdict.VERIFIED)
    assert finding.interval is not None
    low, high = finding.interval
    assert low is not None and high is not None and low <= 0.20 <= high <= 0.41


def test_a_level_counts_every_request_that_the_run_has_of_it(tmp_path: Path) -> None:
    """Its last responses come when the next level has begun: as many as users wait, or a tenth of a short level."""
    search = {"vary": "web.delay", "from": 50, "to": 90, "hold": "failures < 50%", "resolution": 30}
    rules = virtual_service(fault={"delay": {"fixedDelay": "0.4s", "percentage": {"value": 50}}})
    file = write(tmp_path, experiment(search=search, load={"users": 100, "duration": "3s"}), rules)
    result = run(file, tmp_path)
    counted = Counter[str]()
    for line in journal(result.folder):
        for entry in line.entries if isinstance(line, DigestLine) else ():
            counted[entry["phase"]] += entry["count"]
    levels = [finding for finding in result.findings if finding.kind == "hypothesis"]
    assert levels
    for finding in levels:
        assert finding.observed is not None and finding.observed.n == counted[finding.phase]
