"""`load.warmup`: requests before the first phase, which nothing counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.experiments import experiment, journal, run, virtual_service, write
from support.ids import first_ids
from support.plans import planned_web

from chaos.errors import ExitCode
from chaos.journal.records import Counters, DigestLine, Findings, Phase
from chaos.journal.result import Result
from chaos.protocol.digest import WARM_UP, Digest, Key
from chaos.runner.replaying import Choice, plan_replay

LOAD = {"users": 4, "warmup": "1s", "requests": 300}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose warm-up is followed by its one phase."""
    where = tmp_path_factory.mktemp("warm")
    verify = {"expect": ["p50 < 10s", "aborted > 50%"]}
    file = write(where, experiment(load=LOAD, seed=3, verify=verify), virtual_service(abort=100))
    result = run(file, where)
    assert result.exit_code in (ExitCode.VERIFIED, ExitCode.INCONCLUSIVE) and result.folder is not None
    return result.folder


@pytest.mark.slow
def test_it_comes_before_the_phase_and_is_counted_apart(folder: Path) -> None:
    records = journal(folder)
    phases = [(each.name, each.event) for each in records if isinstance(each, Phase)]
    assert phases == [(WARM_UP, "begin"), (WARM_UP, "end"), ("", "begin"), ("", "end")]
    counts = Counter[str]()
    for line in records:
        for entry in line.entries if isinstance(line, DigestLine) else ():
            counts[entry["phase"]] += entry["count"]
    assert counts[WARM_UP] > 0 and counts[""] >= 300
    result = Result.from_records(records)
    assert result.warm_up is not None and result.warm_up.requests == counts[WARM_UP]
    assert [(span.name, span.requests) for span in result.phases] == [("", counts[""])]
    assert result.delivered.requests == result.digest.count == counts.total() - counts[WARM_UP]


@pytest.mark.slow
def test_no_finding_counts_it(folder: Path) -> None:
    records = journal(folder)
    findings = [each for each in records if isinstance(each, Findings)][-1].findings
    (counters,) = [each for each in records if isinstance(each, Counters)][-1:]
    met = sum(rule["requests"] for rule in counters.counters["phases"][""].values())
    seen = {each["title"]: each["observed"]["n"] for each in findings if each["observed"]}
    assert set(seen.values()) and all(300 <= n <= met for n in seen.values()), seen
    assert WARM_UP in counters.counters["phases"]
    counted = Result.from_records(records).counters
    assert counted is not None and set(counted["phases"]) == {""}


@pytest.mark.slow
def test_a_replay_begins_with_the_first_request_after_it(folder: Path) -> None:
    result = Result.from_records(journal(folder))
    assert result.warm_up is not None
    first = result.warm_up.requests
    ids = [request.id for request in plan_replay(folder, Choice()).requests]
    assert ids == first_ids(3, first + len(ids))[first:] and len(ids) == result.phases[0].requests


@pytest.mark.slow
def test_safeguards_watch_it(tmp_path: Path) -> None:
    load = {"users": 4, "warmup": "60s"}
    file = write(tmp_path, experiment(load=load, safeguards=["failures < 10%"]), virtual_service(abort=100))
    result = run(file, tmp_path)
    assert result.exit_code is ExitCode.SAFEGUARD and result.folder is not None
    assert {each.name for each in journal(result.folder) if isinstance(each, Phase)} == {WARM_UP}


def test_it_is_like_the_phase_that_follows_and_a_search_begins_with_faults_off() -> None:
    search = {"vary": "web.abort", "from": 0, "to": 50, "hold": "failures < 20%"}
    phases = [{"name": "before", "faults": False}, {"name": "fault"}]
    load = {"warmup": "5s"}
    plans = [planned_web(load=load), planned_web(load=load, phases=phases), planned_web(load=load, search=search)]
    found = [plan.warm_up for plan in plans if plan.warm_up is not None]
    assert [(phase.faults, phase.stop.limit) for phase in found] == [(True, 5.0), (False, 5.0), (False, 5.0)]
    assert planned_web().warm_up is None


def test_the_plan_adds_its_time() -> None:
    with_it = planned_web(load={"warmup": "20s"}).forecast()
    without = planned_web().forecast()
    assert with_it.seconds is not None and without.seconds is not None
    assert with_it.seconds == pytest.approx(without.seconds + 20.0)
    assert str(with_it).splitlines()[-1].endswith(", with 20s of warm-up")


def test_the_first_stage_is_longer_by_it_and_a_number_of_requests_is_the_phases_own() -> None:
    plan = planned_web(load={"warmup": "20s", "requests": 500})
    assert (plan.load_extra()["requests"], plan.load_extra()["phase"]) == (None, WARM_UP)
    assert planned_web(load={"requests": 500}).load_extra()["requests"] == 500


def test_a_digest_without_a_phase() -> None:
    digest = Digest()
    for phase in (WARM_UP, "main"):
        digest.add(Key(phase, "web", "web[0]", "", 200), 1000)
        digest.add_pairs(Key(phase, "web", "web[0]", "", 200), Key(phase, "web", "web[0]", "", 200))
        digest.pending[phase, "web"] = 1
    left = digest.without(WARM_UP)
    assert {key.phase for key, _ in left.items()} == {pair.phase for pair in left.pairs} == {"main"}
    assert left.pending == {("main", "web"): 1} and digest.count == 2
    assert left.without(WARM_UP) is left
