"""What the load process reads and says, as values of ours."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from chaos.experiment.model import Load
from chaos.experiment.tasks import LoadTask
from chaos.journal.records import DigestLine, Exemplars, Sample
from chaos.protocol.load_plan import Plan
from chaos.runner.processes.load_messages import digest_line, exemplars_record, load_plan, sample_line

TASK = LoadTask("cart", "POST", "http://web/cart", {"a": "b"}, "body", 3, 2.5)


def test_the_load_process_reads_what_the_experiment_says() -> None:
    load = Load(users=3, spawn_rate=7.0, arrival_rate=30.0, client="locust", processes=2)
    made = replace(load_plan(load, (TASK,), gateway="http://127.0.0.1:80", seed=9), phase="fault", hold=1.5)
    plan = Plan.of(json.loads(json.dumps(asdict(made))))
    assert (plan.users, plan.spawn_rate, plan.arrival_rate, plan.client, plan.processes) == (3, 7.0, 30.0, "locust", 2)
    assert (plan.gateway, plan.seed, plan.phase, plan.hold) == ("http://127.0.0.1:80", 9, "fault", 1.5)
    (task,) = plan.tasks
    assert (task.name, task.method, task.url, task.headers) == ("cart", "POST", "http://web/cart", {"a": "b"})
    assert (task.body, task.weight, task.timeout, task.direct) == ("body", 3, 2.5, False)


@pytest.mark.parametrize("end", [{"duration": "5s"}, {"requests": 10}])
def test_phases_say_when_a_load_ends_and_its_plan_does_not(end: dict[str, object]) -> None:
    plan = load_plan(Load(**end), (TASK,), gateway="http://127.0.0.1:80", seed=9)  # type: ignore[arg-type]
    assert (plan.duration, plan.requests) == (None, None)


def test_a_digest_becomes_the_journals_record() -> None:
    said = {
        "type": "digest",
        "second": 3,
        "seconds": 0.5,
        "lag": 0.25,
        "users": 7,
        "cpu": 0.25,
        "entries": [{"task": "cart"}],
        "pairs": [["", "cart", "web[0]", "abort", [1, 2, 3, 4]]],
        "parts": {"users": [["", "web[0]", "abort", "", [[0, 5]]]]},
        "pending": [],
        "errors": {"refused": 2},
        "late": 4,
        "held": [["", "cart", 3]],
        "colour": "green",
    }
    assert digest_line(said) == DigestLine(
        second=3.0,
        seconds=0.5,
        lag=0.25,
        users=7,
        cpu=0.25,
        entries=({"task": "cart"},),
        pairs=(["", "cart", "web[0]", "abort", [1, 2, 3, 4]],),
        parts={"users": [["", "web[0]", "abort", "", [[0, 5]]]]},
        errors={"refused": 2},
        late=4,
    )


def test_a_sample_becomes_the_journals_record() -> None:
    said = {"type": "sample", "second": 3, "share": 0.25, "requests": [["1", "cart", 503, "", "abort"]]}
    assert sample_line(said) == Sample(second=3.0, share=0.25, requests=(["1", "cart", 503, "", "abort"],))


def test_single_requests_become_the_journals_record() -> None:
    said = {"type": "exemplars", "requests": [{"id": "1"}]}
    assert exemplars_record(said) == Exemplars(requests=({"id": "1"},))  # type: ignore[arg-type, typeddict-item]
