"""How long a run will take is said before it begins, and without a word on users there are as many as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.experiments import experiment, virtual_service, write

import chaos
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.outlook import COMFORT, LEAST, MOST, MOST_LOCUST
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan


def delayed(seconds: float, percent: float = 100) -> dict[str, Any]:
    return virtual_service(fault={"delay": {"fixedDelay": f"{seconds}s", "percentage": {"value": percent}}})


def plan(folder: Path, rules: dict[str, Any], **spec: Any) -> RunPlan:
    return plan_run(write(folder, experiment(**spec), rules), RunOptions())


def warnings(plan: RunPlan) -> list[str]:
    return [str(each) for each in plan.notes if each.code == "too-short"]


class TestUsers:
    def test_without_delays_there_are_twenty(self, tmp_path: Path) -> None:
        assert plan(tmp_path, virtual_service(abort=50)).load.users == LEAST

    def test_slow_requests_get_as_many_as_a_verdict_takes(self, tmp_path: Path) -> None:
        found = plan(tmp_path, delayed(2))
        assert LEAST < found.load.users < MOST
        assert found.load.spawn_rate >= found.load.users / 2, "they start within two seconds"
        seconds = found.forecast().seconds
        assert seconds is not None and COMFORT * 0.9 < seconds < COMFORT * 1.1
        assert any(text.startswith(f"{found.load.users} users") for _, text in found.announcements())

    def test_there_are_never_more_than_a_load_process_can_drive(self, tmp_path: Path) -> None:
        assert plan(tmp_path, delayed(60)).load.users == MOST
        assert plan(tmp_path, delayed(60), load={"client": "locust"}).load.users == MOST_LOCUST

    @pytest.mark.parametrize(("rate", "users"), [(10, 30), (100, 300), (1, LEAST)])
    def test_an_open_model_gets_as_many_as_are_in_flight(self, tmp_path: Path, rate: int, users: int) -> None:
        assert plan(tmp_path, delayed(2), load={"arrivalRate": rate}).load.users == users

    def test_what_the_file_says_stays(self, tmp_path: Path) -> None:
        found = plan(tmp_path, delayed(2), load={"users": 20})
        assert (found.load.users, found.load.spawn_rate) == (20, 100)
        assert not any(text.startswith("20 users") for _, text in found.announcements())

    def test_phases_keep_twenty_because_a_baseline_of_many_users_is_another_one(self, tmp_path: Path) -> None:
        phases = [{"name": "baseline", "faults": "off"}, {"name": "fault"}]
        assert plan(tmp_path, delayed(2), phases=phases).load.users == LEAST

    def test_istios_own_sample_has_its_verdict_within_a_minute(self, tmp_path: Path) -> None:
        """Seven seconds for one user, nothing for the others: 800 users were 71 s, 20 are more than an hour."""
        rules = delayed(7)
        rules["spec"]["http"][0]["match"] = [{"headers": {"end-user": {"exact": "jason"}}}]
        rules["spec"]["http"].append({"route": [{"destination": {"host": "web"}}]})
        forecast = plan(tmp_path, rules).forecast()
        assert forecast.seconds is not None and forecast.seconds < 60


class TestTooShort:
    def test_a_phase_that_leaves_claims_open_is_warned_of_with_its_place(self, tmp_path: Path) -> None:
        (warning,) = warnings(plan(tmp_path, virtual_service(abort=50), load={"requests": 500}))
        assert warning.startswith(f"{tmp_path}/case.yaml:") and ": spec.load: it ends after 500 requests" in warning
        assert "web[0] abort 503" in warning and "a verdict takes about " in warning

    def test_one_that_is_long_enough_is_not(self, tmp_path: Path) -> None:
        assert not warnings(plan(tmp_path, virtual_service(abort=50), load={"requests": 50_000}))
        assert not warnings(plan(tmp_path, virtual_service(abort=50), load={"duration": "60s"}))
        assert not warnings(plan(tmp_path, virtual_service(abort=50)))

    def test_too_few_users_for_slow_requests_are_told_of(self, tmp_path: Path) -> None:
        (warning,) = warnings(plan(tmp_path, delayed(7), load={"users": 20}))
        assert "after 5m, as `until: decided` does at the latest" in warning
        assert "more users (20 now) make it sooner" in warning

    def test_each_phase_is_looked_at_by_itself(self, tmp_path: Path) -> None:
        phases = [{"name": "long", "requests": 50_000}, {"name": "short", "requests": 100}]
        (warning,) = warnings(plan(tmp_path, virtual_service(abort=50), phases=phases))
        assert ": spec.phases[1]: it ends after 100 requests" in warning

    def test_validate_says_it_too(self, tmp_path: Path) -> None:
        file = write(tmp_path, experiment(load={"requests": 500}), virtual_service(abort=50))
        assert [each.code for each in chaos.validate(file) if each.severity == "warning"] == ["too-short"]


class TestNeverAndAlways:
    @pytest.mark.parametrize(
        ("verify", "tolerance"),
        [({}, 0.001), ({"tolerance": 5}, 0.0025), ({"tolerance": 0.5}, 0.001), ({"certainTolerance": 1}, 0.01)],
    )
    def test_how_far_they_may_be_off_follows_from_the_tolerance_or_its_own_key(
        self, tmp_path: Path, verify: dict[str, float], tolerance: float
    ) -> None:
        found = plan(tmp_path, virtual_service(abort=100), verify=verify)
        (abort,) = [each for each in found.expected if each.kind == "abort"]
        claim = abort.claim(1.0)
        assert claim.certain and claim.tolerance == pytest.approx(tolerance)

    def test_a_wider_one_takes_fewer_requests(self, tmp_path: Path) -> None:
        needed = [
            plan(tmp_path, virtual_service(abort=100), verify=verify).forecast().claims
            for verify in ({}, {"certainTolerance": 1})
        ]
        strict, loose = ([claim.nine_in_ten for claim in each if "abort" in claim.title] for each in needed)
        assert strict[0] is not None and loose[0] is not None and strict[0] > 9 * loose[0]


def test_whatever_plan_refuses_validate_refuses(tmp_path: Path) -> None:
    expect = ["chekout.failures < 3%", "failures < 3", "p99 < 200", "masked(payment) > 3%"]
    file = write(
        tmp_path,
        experiment(phases=[{"name": "a"}, {"name": "a"}], verify={"expect": expect}, safeguards=["masked(web) > 5%"]),
        virtual_service(abort=50),
    )
    with pytest.raises(chaos.InvalidInput) as refused:
        plan_run(file, RunOptions())
    assert len(refused.value.problems) == 6
    found = [each for each in chaos.validate(file) if each.severity == "error"]
    assert set(map(str, found)) == set(map(str, refused.value.problems))
    assert all("\\n" not in str(each) for each in found)
