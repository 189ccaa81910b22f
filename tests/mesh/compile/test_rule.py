"""Destinations, weights, mirrors, timeouts and retries of a rule, as they stand in a Forward."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mesh import decide, forwarded, request, rules_of, sent, virtual_service, web

from chaos.faults import AbortFault, DelayFault
from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import NoRoute, Request
from chaos.mesh.draws import FixedDraws, keyed_draws
from chaos.units import Percent

SERVICES = {"web:80": [{}], "v1:80": [{}], "v2:80": [{}], "many:80": [{}], "many:81": [{}], "none:80": []}


def cluster(rules: Rules, asked: Request | str = "/", draws: FixedDraws | None = None) -> str | None:
    found = forwarded(rules, asked, draws or FixedDraws()).cluster
    return found.name.replace(".default.svc.cluster.local", "") if found else None


def to(*destinations: str) -> Rules:
    return web(f"- route: [{', '.join(destinations)}]", SERVICES)


PORTS = [
    ("{destination: {host: v1}}", "v1:80"),
    ("{destination: {host: v1, port: {number: 80}}}", "v1:80"),
    ("{destination: {host: v1, port: {number: 81}}}", None),
    ("{destination: {host: many, port: {number: 81}}}", "many:81"),
    ("{destination: {host: many}}", "many:80"),  # the listener's
    ("{destination: {host: nosuch}}", None),
    ("{destination: {host: v1.default}}", None),  # dotted: not expanded
    ("{destination: {host: v1, subset: s}}", None),
    ("{destination: {host: v1}, weight: 0}", "v1:80"),  # the weight of a single destination is ignored
    ("{destination: {host: v1.default.svc.cluster.local}}", "v1:80"),
]


@pytest.mark.parametrize(("destination", "name"), PORTS)
def test_a_single_destination(destination: str, name: str | None) -> None:
    assert cluster(to(destination)) == name


def test_a_sidecars_destination_without_a_port_means_the_listeners() -> None:
    """A service of another port is then an unknown cluster."""
    rules = web("- route: [{destination: {host: v1}}]", {"web:80": [{}], "v1:9080": [{}]})
    assert forwarded(rules).cluster is None


def test_known_without_endpoints_is_not_unknown() -> None:
    found = forwarded(to("{destination: {host: none}}")).cluster
    assert found is not None and found.endpoints == ()


SPLIT = to("{destination: {host: v1}, weight: 80}", "{destination: {host: v2}, weight: 20}")


@given(st.floats(0, 1, exclude_max=True))
def test_the_draw_falls_on_the_weights(split: float) -> None:
    assert cluster(SPLIT, "/", FixedDraws(split=split)) == ("v1:80" if split * 100 < 80 else "v2:80")


def test_weights_may_sum_to_anything_and_zero_is_never_drawn() -> None:
    rules = to(
        "{destination: {host: web}}", "{destination: {host: v1}, weight: 1}", "{destination: {host: v2}, weight: 2}"
    )
    drawn = Counter(cluster(rules, "/", FixedDraws(split=each / 3000)) for each in range(3000))
    assert drawn == {"v1:80": 1000, "v2:80": 2000}
    assert [(each.name.split(".")[0], round(each.share, 3)) for each in rules.rules[0].destinations] == [
        ("web", 0.0),
        ("v1", 0.333),
        ("v2", 0.667),
    ]


def test_keyed_draws_split_as_configured() -> None:
    """20 000 requests of a seed: 80 % within 6 standard deviations."""
    draws = keyed_draws(1)
    first = sum(
        forwarded(SPLIT, "/", draws(b"%d" % each)).cluster.name.startswith("v1")  # type: ignore[union-attr]
        for each in range(20_000)
    )
    assert abs(first - 16_000) < 6 * (20_000 * 0.8 * 0.2) ** 0.5


TIMES = [
    ("timeout: 500ms", 0.5, "500"),
    ("timeout: 2s, retries: {attempts: 2, perTryTimeout: 1s}", 2.0, "1000"),
    ("timeout: 1s, retries: {attempts: 2, perTryTimeout: 3s}", 1.0, "1000"),
    ("retries: {attempts: 2, perTryTimeout: 250ms}", None, "250"),
    ("retries: {attempts: 2}", None, None),
]


@pytest.mark.parametrize(("text", "timeout", "expected"), TIMES)
def test_upstream_is_told_the_smaller_of_the_timeouts(text: str, timeout: float | None, expected: str | None) -> None:
    rules = web(f"- {{{text}, route: [{{destination: {{host: web}}}}]}}")
    assert forwarded(rules).timeout == timeout
    own = request("/", {"x-envoy-expected-rq-timeout-ms": "1"})  # a client's is stripped
    assert sent(rules, own).get("x-envoy-expected-rq-timeout-ms") == ([expected] if expected else None)


def mirrored(rules: Rules, *draws: float) -> list[str]:
    found = forwarded(rules, "/", FixedDraws(mirrors=draws)).mirrors
    return [each.name.split(".")[0] for each in found]


MIRRORS = [
    ("mirror: {host: v1}", (0.999,), ["v1"]),
    ("mirror: {host: v1}, mirrorPercentage: {value: 30}", (0.29,), ["v1"]),
    ("mirror: {host: v1}, mirrorPercentage: {value: 30}", (0.31,), []),
    ("mirror: {host: v1}, mirrorPercentage: {value: 0}", (0.0,), []),
    ("mirror: {host: v1}, mirrorPercent: 30", (0.31,), []),
    ("mirror: {host: v1}, mirrorPercent: 0", (0.0,), []),
    ("mirror: {host: v1}, mirrorPercent: 0, mirrorPercentage: {value: 100}", (0.9,), ["v1"]),
    ("mirror: {host: nosuch}", (0.0,), []),
    (
        "mirrors: [{destination: {host: v1}}, {destination: {host: v2}, percentage: {value: 50}}]",
        (0.9, 0.4),
        ["v1", "v2"],
    ),
    ("mirrors: [{destination: {host: v1}}, {destination: {host: v2}, percentage: {value: 50}}]", (0.1, 0.6), ["v1"]),
]


@pytest.mark.parametrize(("text", "draws", "names"), MIRRORS)
def test_mirrors(text: str, draws: tuple[float, ...], names: list[str]) -> None:
    assert mirrored(web(f"- {{{text}, route: [{{destination: {{host: web}}}}]}}", SERVICES), *draws) == names


def test_what_a_rule_says_of_itself() -> None:
    rules = web(
        """
- name: all
  fault: {delay: {fixedDelay: 5s, percentage: {value: 10}}, abort: {grpcStatus: NOT_FOUND, percentage: {value: 1}}}
  timeout: 10s
  retries: {attempts: 3, perTryTimeout: 2s, retryOn: "5xx,429"}
  mirror: {host: v2}
  mirrorPercentage: {value: 5}
  route: [{destination: {host: v1}, weight: 3}, {destination: {host: nosuch}, weight: 1}]
""",
        SERVICES,
    )
    info = rules.rules[0]
    assert (info.key, info.name, info.hosts) == (
        "virtualservice/default/web/0",
        "all",
        ("web.default.svc.cluster.local",),
    )
    assert str(info.location) == "rules.yaml:8:5"
    assert info.faults == (DelayFault(Percent.of(10), 5.0), AbortFault(Percent.of(1), 200, 5))
    assert info.timeout == 10.0
    assert [(each.share, each.known, each.endpoints) for each in info.destinations] == [
        (0.75, True, 1),
        (0.25, False, 0),
    ]
    assert info.retries is not None
    assert (info.retries.attempts, info.retries.retry_on, info.retries.per_try_timeout) == (3, ("5xx", "429"), 2.0)
    assert [info.retries.retried(status) for status in (200, 404, 429, 500)] == [False, False, True, True]
    assert info.mirrors == (("v2.default.svc.cluster.local:80", Percent.of(5)),)


def test_clusters_are_made_once() -> None:
    rules = web(
        "- match: [{uri: {exact: /a}}]\n  route: [{destination: {host: v1}}]\n- route: [{destination: {host: v1}}]",
        SERVICES,
    )
    assert forwarded(rules, "/a").cluster is forwarded(rules, "/b").cluster
    assert "v1.default.svc.cluster.local:80" in rules.clusters


def test_no_virtual_host_is_404_and_empty() -> None:
    rules = rules_of(virtual_service("- {directResponse: {status: 200}}"))
    decision = decide(rules, request("/", host="nosuch"))
    assert isinstance(decision.action, NoRoute) and decision.rule is None
    assert (decision.action.reply.status, decision.action.reply.body) == (404, b"")
    assert dict(decision.action.reply.headers) == {b"content-length": b"0", b"server": b"envoy"}
