"""From the scenario's files to what is expected of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.mesh import web

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectation import Expectation
from chaos.claims.expectations import expectations
from chaos.claims.routing import effects_of, untouched
from chaos.experiment.tasks import LoadTask, load_tasks
from chaos.faults import AbortFault
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.mesh.names import Proxy
from chaos.protocol.digest import Key
from chaos.runner.plan.checked import prepare
from chaos.statuses import of_grpc

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
WEB = "virtualservice/default/webserver/0"


def rules_and_tasks(name: str) -> tuple[Rules, tuple[LoadTask, ...]]:
    prepared = prepare([str(EXPERIMENTS / f"{name}.yaml")])
    reading = prepared.reading
    tasks = load_tasks(reading.experiment.spec.load.tasks)
    return compile_rules(reading.resources, prepared.registry(), Proxy()), tasks


def expected(name: str) -> list[Expectation]:
    rules, tasks = rules_and_tasks(name)
    return list(expectations([PhaseEffects("", effects_of(rules, tasks))]))


def told(name: str) -> list[tuple[str, str, float | None]]:
    return [(each.kind, each.title, each.share) for each in expected(name)]


def test_abort50() -> None:
    assert told("abort50") == [("route", "to webserverv1 unless aborted", 1.0), ("abort", "abort 400", 0.5)]
    route, abort = expected("abort50")
    assert abort.rule == WEB and abort.id == f"{WEB}#abort" and abort.status == 400 and abort.tasks == ("GET /",)
    assert "abort50.yaml:" in abort.where
    assert route.labels == ("webserverv1.default.svc.cluster.local:80",)


def test_delay50() -> None:
    assert told("delay50") == [
        ("route", "to webserverv1", 1.0),
        ("delay", "delay 5s", 0.5),
        ("added-delay", "added delay 5s", 5.0),
    ]


def test_how_long_an_applications_own_calls_wait_is_not_judged() -> None:
    """The load sees the application's responses, the gateway no latencies of its clients: neither is `no traffic`."""
    rules, _ = rules_and_tasks("delay50")
    found = {each.kind: each for each in expectations([PhaseEffects("", effects_of(rules, (), others=True))])}
    assert "an application's own" in found["added-delay"].unseen and not found["delay"].unseen


def test_split() -> None:
    kinds = told("split")
    assert [(kind, share) for kind, _, share in kinds] == [("route", 1.0), ("destination", 0.8), ("destination", 0.2)]


def test_redirect() -> None:
    (redirect,) = [each for each in expected("redirect") if each.kind == "redirect"]
    assert (redirect.status, redirect.share) == (301, 1.0)


def test_retries() -> None:
    assert [kind for kind, _, _ in told("retries")] == ["route", "residual"]
    residual = expected("retries")[1]
    assert residual.retries is not None and residual.retries.attempts == 3
    assert residual.failed(500) and not residual.failed(404)


@pytest.mark.parametrize("name", ["routing", "rewrite", "match"])
def test_every_rule_that_a_task_takes_has_its_route(name: str) -> None:
    found = expected(name)
    assert found and {each.kind for each in found} == {"route"} and len({each.id for each in found}) == len(found)


def test_a_rule_reached_by_an_application_alone_is_expected_too() -> None:
    """The load goes to `proxy`, whose calls to webserver pass through the gateway."""
    rules, tasks = rules_and_tasks("abort50-proxy")
    direct = [replace(task, direct=True) for task in tasks]
    assert effects_of(rules, direct) == ()
    (effect,) = effects_of(rules, direct, others=True)
    assert effect.tasks is None and effect.share(AbortFault) == 0.5


def test_a_task_that_no_route_takes_is_expected_to_get_404() -> None:
    rules, _ = rules_and_tasks("abort50")
    (effect,) = effects_of(rules, [LoadTask("lost", "GET", "http://nowhere/")])
    (only,) = expectations([PhaseEffects("", (effect,))])
    assert (only.kind, only.status, only.tasks) == ("no-route", 404, ("lost",))
    assert [info.key for info in untouched(rules, [effect])] == [WEB]


# ------------------------------------------------------------------------------------------------ clients of gRPC

CALL = LoadTask("Say", "POST", "http://web/shop.Echo/Say", {"content-type": "application/grpc", "te": "trailers"})
PLAIN = LoadTask("GET /", "GET", "http://web/")


def aborts(abort: str, *tasks: LoadTask) -> list[tuple[str, tuple[str, ...] | None]]:
    rules = web(
        f"- fault: {{abort: {{percentage: {{value: 50}}, {abort}}}}}\n  route: [{{destination: {{host: web}}}}]"
    )
    found = expectations([PhaseEffects("", effects_of(rules, tasks, others=not tasks))])
    return [(each.title, each.tasks) for each in found if each.kind == "abort"]


@pytest.mark.parametrize(
    ("abort", "tasks", "title"),
    [
        ("httpStatus: 503", (PLAIN,), "abort 503"),
        ("httpStatus: 503", (CALL,), "abort gRPC UNAVAILABLE"),
        ("httpStatus: 418", (CALL,), "abort gRPC UNKNOWN"),
        ("grpcStatus: NOT_FOUND", (CALL,), "abort gRPC NOT_FOUND"),
        ("grpcStatus: NOT_FOUND", (PLAIN,), "abort 200"),
        ("grpcStatus: NOT_FOUND", (), "abort gRPC NOT_FOUND"),
        ("httpStatus: 503", (PLAIN, CALL), "abort 503"),
    ],
)
def test_an_abort_is_claimed_with_the_status_that_its_clients_get(
    abort: str, tasks: tuple[LoadTask, ...], title: str
) -> None:
    """A rule's requests are counted together, so a rule has one claim, whoever its clients are."""
    names = tuple(task.name for task in tasks) or None
    assert aborts(abort, *tasks) == [(title, names)]


def test_a_claim_of_both_kinds_of_clients_takes_the_status_of_each() -> None:
    rules = web("- fault: {abort: {percentage: {value: 50}, httpStatus: 503}}\n  route: [{destination: {host: web}}]")
    effects = effects_of(rules, (PLAIN, CALL))
    (claim,) = (each for each in expectations([PhaseEffects("", effects)]) if each.kind == "abort")
    route = effects[0].name

    def met(task: LoadTask, status: int) -> bool | None:
        return claim.classify(Key("", task.name, route, "", status, "abort"))

    assert met(PLAIN, 503) and met(CALL, of_grpc(14)) and not met(CALL, of_grpc(2)) and not met(PLAIN, 200)


def test_retries_of_calls_are_not_judged() -> None:
    """Envoy retries a gRPC status only of a response that is nothing else; which ones are nobody counts."""
    rules = web("- retries: {attempts: 2, retryOn: unavailable}\n  route: [{destination: {host: web}}]")
    (claim,) = (
        each for each in expectations([PhaseEffects("", effects_of(rules, (CALL,)))]) if each.kind == "residual"
    )
    assert "gRPC status" in claim.unseen
