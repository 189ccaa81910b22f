"""Which endpoint a try goes to."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from chaos.gateway.upstream.balancer import choose, hash_value
from chaos.gateway.upstream.pool import Pool
from chaos.mesh.decision import Balancing, Cluster, Endpoint, HashKey, OutlierDetection, Request


def pool(*weights: int, **settings: object) -> Pool:
    endpoints = tuple(Endpoint("127.0.0.1", 9000 + n, weight=weight) for n, weight in enumerate(weights))
    return Pool(Cluster("web:80", endpoints, **settings), lambda: 0.0)  # type: ignore[arg-type]


def request(**changes: object) -> Request:
    values = {"method": b"GET", "target": b"/", "authority": b"web", "headers": []} | changes
    return Request(**values)  # type: ignore[arg-type]


def ports(of: Pool, times: int, **changes: object) -> list[int]:
    asked = request(**changes)
    found = [choose(of, asked) for _ in range(times)]
    return [host.endpoint.port - 9000 for host in found if host is not None]


def test_no_endpoints_no_choice() -> None:
    assert choose(pool(), request()) is None


def test_round_robin_takes_turns_from_a_random_start() -> None:
    starts = set()
    for seed in range(20):
        random.seed(seed)
        chosen = ports(pool(1, 1, 1, balancing=Balancing.ROUND_ROBIN), 6)
        starts.add(chosen[0])
        assert chosen[:3] == chosen[3:] and sorted(chosen[:3]) == [0, 1, 2]
    assert starts == {0, 1, 2}


def test_round_robin_with_weights_spreads_the_turns() -> None:
    random.seed(1)
    chosen = ports(pool(3, 1, balancing=Balancing.ROUND_ROBIN), 8)
    assert Counter(chosen) == {0: 6, 1: 2}
    assert Counter(chosen[:4]) == {0: 3, 1: 1}


@pytest.mark.parametrize("balancing", [Balancing.RANDOM, Balancing.LEAST_REQUEST])
def test_idle_endpoints_share_by_weight(balancing: Balancing) -> None:
    """Within five standard deviations of 20 000 draws; seeded."""
    random.seed(2)
    even = Counter(ports(pool(1, 1, balancing=balancing), 20_000))
    assert abs(even[0] - 10_000) < 5 * 71
    weighted = Counter(ports(pool(3, 1, balancing=balancing), 20_000))
    assert abs(weighted[0] - 15_000) < 5 * 62


def test_least_request_prefers_the_less_busy_of_two() -> None:
    """With one of two endpoints busy it is chosen only when both picks fall on it: one time in four."""
    random.seed(3)
    cluster = pool(1, 1)
    cluster.hosts[0].active = 10
    share = Counter(ports(cluster, 20_000))[0] / 20_000
    assert abs(share - 0.25) < 0.02


HASHED = [
    (HashKey(header=b"x-user"), {"headers": [(b"x-user", b"%d")]}),
    (HashKey(cookie=b"session"), {"headers": [(b"cookie", b"a=b; session=%d; c=d")]}),
    (HashKey(source_ip=True), {"remote": b"10.0.0.%d"}),
    (HashKey(query_parameter=b"user"), {"target": b"/?a=b&user=%d"}),
]


def _with(number: int, changes: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in changes.items():
        found[name] = (
            [(k, v.replace(b"%d", b"%d" % number)) for k, v in value]
            if isinstance(value, list)
            else (
                value.replace(b"%d", b"%d" % number)  # type: ignore[attr-defined]
            )
        )
    return found


@pytest.mark.parametrize(("key", "changes"), HASHED, ids=["header", "cookie", "source", "query"])
def test_equal_keys_go_to_equal_endpoints_and_different_ones_are_spread(
    key: HashKey, changes: dict[str, object]
) -> None:
    cluster = pool(1, 1, 1, balancing=Balancing.CONSISTENT_HASH, hash_key=key)
    first = []
    for number in range(60):
        chosen = ports(cluster, 5, **_with(number, changes))
        assert len(set(chosen)) == 1
        first.append(chosen[0])
    assert set(first) == {0, 1, 2}


def test_an_endpoint_less_moves_only_its_own_keys() -> None:
    key = HashKey(header=b"x-user")
    three = pool(1, 1, 1, balancing=Balancing.CONSISTENT_HASH, hash_key=key)
    two = pool(1, 1, balancing=Balancing.CONSISTENT_HASH, hash_key=key)
    for number in range(200):
        headers = [(b"x-user", b"%d" % number)]
        before, after = ports(three, 1, headers=headers)[0], ports(two, 1, headers=headers)[0]
        assert before == 2 or before == after


def test_without_the_key_any_endpoint_will_do() -> None:
    random.seed(4)
    cluster = pool(1, 1, balancing=Balancing.CONSISTENT_HASH, hash_key=HashKey(header=b"x-user"))
    assert set(ports(cluster, 50)) == {0, 1}


def test_several_lines_of_a_hashed_header_are_one_value() -> None:
    assert hash_value(HashKey(header=b"x"), request(headers=[(b"x", b"1"), (b"x", b"2")])) == b"1,2"


def test_endpoints_of_earlier_tries_are_avoided() -> None:
    cluster = pool(1, 1, balancing=Balancing.ROUND_ROBIN)
    for _ in range(10):
        assert choose(cluster, request(), [cluster.hosts[0]]) is cluster.hosts[1]


def test_when_all_have_been_tried_any_will_do() -> None:
    cluster = pool(1, 1)
    assert choose(cluster, request(), list(cluster.hosts)) in cluster.hosts


@pytest.mark.parametrize(("min_health", "expected"), [(0, {1, 2}), (66, {1, 2}), (67, {0, 1, 2})])
def test_ejected_endpoints_are_left_out_until_too_few_are_left(min_health: int, expected: set[int]) -> None:
    random.seed(5)
    policy = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100, min_health_percent=min_health)
    cluster = pool(1, 1, 1, outlier_detection=policy)
    detector = cluster.hosts[0].detector
    assert detector is not None
    detector.answered(500)
    assert set(ports(cluster, 200)) == expected


def test_all_ejected_is_no_choice() -> None:
    policy = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    cluster = pool(1, outlier_detection=policy)
    detector = cluster.hosts[0].detector
    assert detector is not None
    detector.failed()
    assert choose(cluster, request()) is None
