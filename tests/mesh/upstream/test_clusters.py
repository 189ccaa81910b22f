"""DestinationRules: which applies, how they merge, and the cluster that comes out."""

from __future__ import annotations

import pytest
from support.mesh import forwarded, request, rules_of, virtual_service

from chaos.mesh.compile.rules import Rules
from chaos.mesh.decision import (
    Balancing,
    CircuitBreakers,
    Cluster,
    HashKey,
    OutlierDetection,
    Request,
    RetryBudget,
    Warmup,
)
from chaos.mesh.names import Proxy

SERVICES = {"web:80": [{"version": "v1"}, {"version": "v1", "zone": "a"}, {"version": "v2"}], "web:81": [{}]}


def destination_rule(spec: str, *, host: str = "web", name: str = "web", namespace: str = "default") -> str:
    indented = "\n".join(f"  {line}" for line in spec.strip("\n").splitlines())
    return (
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  host: '{host}'\n{indented}\n"
    )


def compiled(*documents: str, subset: str = "", port: int = 80, proxy: Proxy | None = None) -> Rules:
    to = f"{{host: web, port: {{number: {port}}}{f', subset: {subset}' if subset else ''}}}"
    return rules_of(virtual_service(f"- route: [{{destination: {to}}}]") + "".join(documents), SERVICES, proxy)


def cluster(*documents: str, subset: str = "", port: int = 80, proxy: Proxy | None = None) -> Cluster:
    found = forwarded(compiled(*documents, subset=subset, port=port, proxy=proxy)).cluster
    assert found is not None
    return found


SUBSETS = "subsets:\n- {name: v1, labels: {version: v1}}\n- {name: all}\n- {name: none, labels: {version: v9}}\n"
SELECTED = [("v1", 2), ("all", 3), ("none", 0)]


@pytest.mark.parametrize(("subset", "count"), SELECTED)
def test_a_subset_selects_by_all_of_its_labels(subset: str, count: int) -> None:
    found = cluster(destination_rule(SUBSETS), subset=subset)
    assert (len(found.endpoints), found.name) == (count, f"web.default.svc.cluster.local:80/{subset}")


def test_an_undefined_subset_is_no_cluster() -> None:
    assert forwarded(compiled(destination_rule(SUBSETS), subset="v3")).cluster is None
    assert forwarded(compiled(subset="v1")).cluster is None


def balancer(simple: str) -> str:
    return f"trafficPolicy: {{loadBalancer: {{simple: {simple}}}}}"


BALANCERS = [
    ("LEAST_REQUEST", Balancing.LEAST_REQUEST),
    ("LEAST_CONN", Balancing.LEAST_REQUEST),
    ("UNSPECIFIED", Balancing.LEAST_REQUEST),
    ("ROUND_ROBIN", Balancing.ROUND_ROBIN),
    ("RANDOM", Balancing.RANDOM),
    ("PASSTHROUGH", Balancing.LEAST_REQUEST),
]


@pytest.mark.parametrize(("simple", "balancing"), BALANCERS)
def test_balancers(simple: str, balancing: Balancing) -> None:
    assert cluster(destination_rule(balancer(simple))).balancing is balancing


def test_without_a_rule_the_defaults_apply() -> None:
    found = cluster()
    assert (found.balancing, found.breakers, found.outlier_detection, found.connect_timeout) == (
        Balancing.LEAST_REQUEST,
        CircuitBreakers(),
        None,
        10.0,
    )


HASHES = [
    ("httpHeaderName: X-User", HashKey(header=b"x-user")),
    ("httpCookie: {name: c, path: /p, ttl: 60s}", HashKey(cookie=b"c", cookie_path=b"/p", cookie_ttl=60.0)),
    ("httpCookie: {name: c}", HashKey(cookie=b"c")),
    (
        "httpCookie: {name: c, attributes: [{name: SameSite, value: Lax}, {name: Secure}]}",
        HashKey(cookie=b"c", cookie_attributes=((b"SameSite", b"Lax"), (b"Secure", b""))),
    ),
    ("useSourceIp: true", HashKey(source_ip=True)),
    ("useSourceIp: false", None),
    ("httpQueryParameterName: q", HashKey(query_parameter=b"q")),
]


@pytest.mark.parametrize(("text", "key"), HASHES)
def test_consistent_hashing(text: str, key: HashKey | None) -> None:
    rules = compiled(destination_rule(f"trafficPolicy: {{loadBalancer: {{consistentHash: {{{text}}}}}}}"))
    forward = forwarded(rules)
    assert forward.cluster is not None
    assert (forward.cluster.balancing, forward.hash_keys) == (Balancing.CONSISTENT_HASH, (key,) if key else ())


HASHED_BY_PORT = """
trafficPolicy:
  loadBalancer: {consistentHash: {httpHeaderName: x-host}}
  portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]
"""


def test_a_port_with_another_balancer_hashes_nothing() -> None:
    """Nor does it keep the host's hash, which Istio still gives the route."""
    assert forwarded(compiled(destination_rule(HASHED_BY_PORT))).hash_keys == ()
    assert forwarded(compiled(destination_rule(HASHED_BY_PORT), port=81)).hash_keys == (HashKey(header=b"x-host"),)


WARMUPS = [
    ("warmup: {duration: 30s}", Warmup(30.0, 0.1, 1.0)),
    ("warmup: {duration: 30s, minimumPercent: 0, aggression: 2}", Warmup(30.0, 0.0, 2.0)),
    ("simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 50}", Warmup(30.0, 0.5, 1.0)),
    ("warmupDurationSecs: 10s", Warmup(10.0)),
    ("warmup: {duration: 30s}, warmupDurationSecs: 10s", Warmup(30.0)),
    ("simple: RANDOM, warmup: {duration: 30s}", None),
    ("consistentHash: {httpHeaderName: x}, warmup: {duration: 30s}", None),
]


@pytest.mark.parametrize(("text", "warmup"), WARMUPS)
def test_warm_up(text: str, warmup: Warmup | None) -> None:
    assert cluster(destination_rule(f"trafficPolicy: {{loadBalancer: {{{text}}}}}")).warmup == warmup


BUDGETS = """
trafficPolicy:
  retryBudget: {percent: 30, minRetryConcurrency: 1}
  portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: RANDOM}}]
subsets:
- {name: own, trafficPolicy: {retryBudget: {}}}
- {name: ported, trafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}}
"""
BUDGET_OF = [
    ("", 80, RetryBudget(0.3, 1)),
    ("", 81, None),
    ("own", 80, RetryBudget(0.2, 3)),
    ("own", 81, RetryBudget(0.2, 3)),
    ("ported", 80, RetryBudget(0.3, 1)),
    ("ported", 81, None),
]


@pytest.mark.parametrize(("subset", "port", "budget"), BUDGET_OF)
def test_retry_budgets(subset: str, port: int, budget: RetryBudget | None) -> None:
    """As istiod has them: the settings of a port drop the host's budget, a subset's budget counts on every port."""
    assert cluster(destination_rule(BUDGETS), subset=subset, port=port).breakers.retry_budget == budget


def test_limits() -> None:
    found = cluster(
        destination_rule(
            "trafficPolicy: {connectionPool: {tcp: {maxConnections: 3, connectTimeout: 2s}, "
            "http: {http1MaxPendingRequests: 4, http2MaxRequests: 5, maxRequestsPerConnection: 6, maxRetries: 7}}}"
        )
    )
    assert (found.breakers, found.connect_timeout) == (CircuitBreakers(3, 4, 5, 6, 7), 2.0)
    unlimited = cluster(destination_rule("trafficPolicy: {connectionPool: {tcp: {maxConnections: 0}}}"))
    assert unlimited.breakers == CircuitBreakers()


OUTLIERS = [
    ("{}", OutlierDetection()),
    ("{consecutive5xxErrors: 2}", OutlierDetection(consecutive_5xx=2)),
    ("{consecutive5xxErrors: 0}", OutlierDetection(consecutive_5xx=0)),
    ("{consecutiveGatewayErrors: 3}", OutlierDetection(consecutive_gateway_errors=3)),
    ("{consecutiveErrors: 3}", OutlierDetection()),
    (
        "{interval: 1s, baseEjectionTime: 2s, maxEjectionPercent: 50, minHealthPercent: 20}",
        OutlierDetection(interval=1.0, base_ejection_time=2.0, max_ejection_percent=50, min_health_percent=20),
    ),
    (
        "{splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3}",
        OutlierDetection(consecutive_local_origin_failures=3, split_external_local_origin_errors=True),
    ),
]


@pytest.mark.parametrize(("text", "detection"), OUTLIERS)
def test_outlier_detection(text: str, detection: OutlierDetection) -> None:
    assert cluster(destination_rule(f"trafficPolicy: {{outlierDetection: {text}}}")).outlier_detection == detection


LAYERED = """
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  connectionPool: {tcp: {maxConnections: 1}}
  portLevelSettings:
  - {port: {number: 81}, loadBalancer: {simple: ROUND_ROBIN}}
subsets:
- name: s
  trafficPolicy: {connectionPool: {http: {http2MaxRequests: 2}}}
- name: p
  trafficPolicy: {portLevelSettings: [{port: {number: 80}, outlierDetection: {}}]}
"""


def test_policies_merge_field_by_field_and_a_port_replaces_all_of_them() -> None:
    rule = destination_rule(LAYERED)
    host, subset = cluster(rule), cluster(rule, subset="s")
    assert (host.balancing, host.breakers) == (Balancing.RANDOM, CircuitBreakers(max_connections=1))
    assert (subset.balancing, subset.breakers) == (Balancing.RANDOM, CircuitBreakers(max_requests=2))
    port = cluster(rule, port=81)
    assert (port.balancing, port.breakers) == (Balancing.ROUND_ROBIN, CircuitBreakers())
    of_port = cluster(rule, subset="p")
    assert (of_port.balancing, of_port.breakers) == (Balancing.LEAST_REQUEST, CircuitBreakers())
    assert of_port.outlier_detection == OutlierDetection()


def test_several_rules_of_a_host_are_merged() -> None:
    """In order of age, then name: subsets add up, the first of a name wins; the first policy wins as a whole."""
    first = destination_rule("subsets: [{name: s, labels: {version: v1}}]", name="a")
    second = destination_rule(
        balancer("RANDOM") + "\nsubsets: [{name: s, labels: {version: v2}}, {name: t, labels: {version: v2}}]", name="b"
    )
    third = destination_rule(balancer("ROUND_ROBIN"), name="c")
    documents = (third, second, first)
    assert len(cluster(*documents, subset="s").endpoints) == 2
    assert len(cluster(*documents, subset="t").endpoints) == 1
    assert cluster(*documents).balancing is Balancing.RANDOM


FULL = "web.default.svc.cluster.local"


def test_the_clients_namespace_comes_first_then_the_services_then_the_root() -> None:
    hashing = "trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}"
    rules = {
        "mine": destination_rule(balancer("RANDOM"), host=FULL, namespace="client"),
        "service": destination_rule(balancer("ROUND_ROBIN"), host=FULL),
        "root": destination_rule(hashing, host="*", namespace="istio-system"),
    }

    def balancing(*names: str) -> Balancing:
        route = virtual_service(f"- route: [{{destination: {{host: {FULL}, port: {{number: 80}}}}}}]", hosts="[x.test]")
        documents = route + "".join(rules[name] for name in names)
        found = forwarded(rules_of(documents, {f"{FULL}:80": [{}]}, Proxy(namespace="client")), _at("x.test")).cluster
        assert found is not None
        return found.balancing

    assert balancing("root", "service", "mine") is Balancing.RANDOM
    assert balancing("root", "service") is Balancing.ROUND_ROBIN
    assert balancing("root") is Balancing.CONSISTENT_HASH


def _at(host: str) -> Request:
    return request("/", host=host)


def test_an_exact_host_comes_before_a_wildcard() -> None:
    wide = destination_rule(balancer("RANDOM"), host="*.default.svc.cluster.local", name="a")
    exact = destination_rule(balancer("ROUND_ROBIN"), name="z")
    assert cluster(wide, exact).balancing is Balancing.ROUND_ROBIN
    assert cluster(wide).balancing is Balancing.RANDOM


def test_a_rule_that_is_not_exported_or_for_other_workloads_does_not_exist() -> None:
    hidden = destination_rule(balancer("RANDOM") + "\nexportTo: ['.']", host=FULL, namespace="other")
    others = destination_rule(balancer("RANDOM") + "\nworkloadSelector: {matchLabels: {app: x}}")
    assert cluster(hidden, others).balancing is Balancing.LEAST_REQUEST
    assert cluster(others, proxy=Proxy(labels={"app": "x"})).balancing is Balancing.RANDOM
