"""A run has the listeners of its file, or says where and why not before anything starts."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from support.experiments import experiment, virtual_service
from support.plans import FILE, planned, planned_web, prepared, refusals, text_of

from chaos.errors import InvalidInput
from chaos.runner.plan.engines import ANY, GATEWAY, Engine, EngineName
from chaos.runner.plan.listeners import require_free_ports
from chaos.runner.processes.ports import listening_socket

HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  services: {web: {builtin: webserver}}\n"
RULES = "---\n" + text_of(virtual_service(abort=10))
ENVOY = Engine(EngineName.ENVOY, "Envoy", ("envoy",), seeded=False, listens=True)
SECURE = "{name: secure, protocol: HTTPS}"
TLS = {"listeners": [{"name": "secure", "protocol": "HTTPS"}]}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (f"[{SECURE}]", {"engine": GATEWAY}, "40: spec.listeners[0].protocol: HTTPS: our own gateway has no further"),
    (
        "[{name: a, protocol: HTTP}]",
        {"engine": GATEWAY},
        "35: spec.listeners[0].protocol: HTTP: our own gateway has no",
    ),
    (f"[{SECURE}]", {"gateway": "http://127.0.0.1:1"}, "3: spec.listeners: a gateway that already runs has the"),
    ("[{name: a, protocol: QUIC}]", {}, '35: spec.listeners[0].protocol: "QUIC" is not known; expected HTTP'),
    ("[{name: A_b, protocol: HTTP}]", {}, '22: spec.listeners[0].name: "A_b" does not match'),
    ("[{name: a, protocol: HTTP, port: 0}]", {}, "47: spec.listeners[0].port: 0 is less than 1"),
    (f"[{SECURE}, {SECURE}]", {}, "55: spec.listeners[1].name: a second listener called secure"),
    (
        "[{name: a, protocol: HTTP, port: 8443}, {name: b, protocol: HTTP, port: 8443}]",
        {},
        "86: spec.listeners[1].port: a second listener at port 8443",
    ),
]


@pytest.mark.parametrize(("listeners", "options", "problem"), REFUSED)
def test_a_listener_that_cannot_be_is_told_at_its_line(listeners: str, options: dict[str, Any], problem: str) -> None:
    (told,) = refusals(f"{HEAD}  listeners: {listeners}\n{RULES}", **{"engine": ANY} | options)
    assert told.startswith(f"{FILE}:5:{problem}"), told


def test_a_package_that_is_missing_is_told_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    (told,) = refusals(f"{HEAD}  listeners: [{SECURE}]\n{RULES}", engine=ENVOY)
    assert (
        told.startswith(f"{FILE}:5:40: spec.listeners[0].protocol: ") and "pip install 'chaos-harness[envoy]'" in told
    )


def test_a_port_that_is_taken_is_told_before_a_run_begins() -> None:
    with listening_socket() as taken:
        port = taken.getsockname()[1]
        listeners = [{"name": "a", "protocol": "HTTP"}, {"name": "b", "protocol": "HTTP", "port": port}]
        reading = prepared(text_of(experiment(listeners=listeners), virtual_service())).reading
        with pytest.raises(InvalidInput, match=r"listeners\[1\].port: cannot listen on .*: Address .*; give another"):
            require_free_ports(reading)


CLIENTS = [
    ({}, ["http://web/"], "lean"),
    ({}, ["http://web/", "https://web/"], "locust"),
    ({"client": "locust"}, ["https://web/"], "locust"),
]


@pytest.mark.parametrize(("load", "urls", "client"), CLIENTS)
def test_requests_over_tls_are_sent_by_the_client_that_speaks_it(
    load: dict[str, Any], urls: list[str], client: str
) -> None:
    plan = planned_web(load=load | {"tasks": [{"get": url} for url in urls]}, options={"engine": ENVOY}, **TLS)
    assert plan.load.client == client
    chosen = f"the client is {client}, because tasks have https URLs (spec.load.client)"
    assert (("info", chosen) in list(plan.announcements())) is (client == "locust" and not load)


def test_the_client_without_tls_is_not_used_for_it_even_if_the_file_wants_it() -> None:
    load = "  load: {client: lean, tasks: [{get: https://web/}]}\n"
    (told,) = refusals(f"{HEAD}{load}  listeners: [{SECURE}]\n{RULES}", engine=ENVOY)
    assert told.startswith(f"{FILE}:5:38: spec.load.tasks[0].get: https: the lean client speaks plain HTTP")


def test_a_rule_for_https_takes_what_comes_over_tls() -> None:
    rules = virtual_service(abort=10, match=[{"scheme": {"exact": "https"}}])
    load = {"tasks": [{"get": "https://web/"}, {"get": "http://web/"}]}
    plan = planned(text_of(experiment(load=load, **TLS), rules), engine=ENVOY)
    assert [effect.tasks for effect in plan.effects[0].effects if effect.faults] == [("GET /",)]
