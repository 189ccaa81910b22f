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

TCP = "{builtin: webserver, protocol: TCP}"
SERVICES = (
    f"{{web: {{builtin: webserver, port: 9000}}, 'db:5432': {TCP}, 'shop:443': {{endpoints: [], protocol: TLS}}}}"
)
HEAD = f"apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  services: {SERVICES}\n"
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
    (
        "[{name: a, protocol: TCP}]",
        {},
        "15: spec.listeners[0]: TCP needs host, the mesh host and port that it stands for",
    ),
    ("[{name: a, protocol: TLS, host: 'db:1'}]", {}, "15: spec.listeners[0]: host is for TCP; connections of TLS say"),
    ("[{name: a, protocol: TCP, host: db}]", {}, '46: spec.listeners[0].host: "db" does not match'),
    (
        "[{name: a, protocol: TCP, host: 'cache:1'}]",
        {},
        "46: spec.listeners[0].host: no service is cache:1 (known: db:5432); give spec.services cache:1 with",
    ),
    (
        "[{name: a, protocol: TCP, host: 'web:80'}]",
        {},
        "46: spec.listeners[0].host: web:80 speaks HTTP, to which no tcp route applies; give it protocol: TCP",
    ),
    (
        "[{name: a, protocol: TCP, host: 'shop:443'}]",
        {},
        "46: spec.listeners[0].host: shop:443 speaks TLS, to which no tcp route applies; a listener of TLS leads there",
    ),
    ("[{name: A_b, protocol: HTTP}]", {}, '22: spec.listeners[0].name: "A_b" does not match'),
    ("[{name: a, protocol: HTTP, port: 0}]", {}, "47: spec.listeners[0].port: 0 is less than 1"),
    (f"[{SECURE}, {SECURE}]", {}, "55: spec.listeners[1].name: a second listener called secure"),
    (
        "[{name: a, protocol: HTTP, port: 9000}]",
        {},
        "47: spec.listeners[0].port: port 9000 is that of webv1-1 in spec",
    ),
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


CONNECTIONS = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db}
spec:
  hosts: [db, shop]
  tcp:
  - route: [{destination: {host: db}, weight: 60}, {destination: {host: web}, weight: 40}]
  - route: [{destination: {host: db}}]
  tls:
  - match: [{sniHosts: [shop]}]
    route: [{destination: {host: shop}}]
"""


def test_routes_of_connections_are_claimed_and_what_no_listener_applies_is_said() -> None:
    listeners = "  listeners: [{name: a, protocol: TCP, host: 'db:5432'}, {name: b, protocol: TLS}]\n"
    plan = planned(f"{HEAD}{listeners}{RULES}{CONNECTIONS}", engine=ENVOY)
    claims = {each.title: each.share for each in plan.expected if each.kind == "connections"}
    assert claims == {"connections to db": 0.6, "connections to web": 0.4, "connections to shop": 1.0}
    (told,) = [str(note) for note in plan.notes if "not applied" in note.message]
    assert "db.tcp[1] is not applied: no listener of spec.listeners leads to it" in told


def test_without_a_listener_no_route_of_connections_is_applied_and_nothing_claimed() -> None:
    plan = planned(f"{HEAD}{RULES}{CONNECTIONS}", engine=ENVOY)
    assert not [each for each in plan.expected if each.kind == "connections"]
    assert sum("is not applied" in note.message for note in plan.notes) == 3


def test_only_a_sidecar_has_listeners_for_connections() -> None:
    gateway = (
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: ingress}\n"
        "spec: {selector: {a: b}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n"
    )
    rules = RULES.replace("hosts:", "gateways: [ingress]\n  hosts:")
    text = f"{HEAD}  proxy: {{gateway: ingress}}\n  listeners: [{{name: b, protocol: TLS}}]\n{rules}{gateway}"
    (told,) = refusals(text, engine=ENVOY)
    assert "spec.listeners[0].protocol: TLS: only a sidecar has it here" in told
