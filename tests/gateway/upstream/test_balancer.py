"""Which endpoint a try goes to."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from chaos.gateway.upstream.balancer import choose, hash_value
from chaos.gateway.upstream.pool import Pool
from chaos.mesh.decision import Balancing, Cluster, Endpoint, HashKey, OutlierDetection, Request, Warmup


def pool(*weights: int, **settings: object) -> Pool:
    endpoints = tuple(Endpoint("127.0.0.1", 9000 + n, weight=weight) for n, weight in enumerate(weights))
    return Pool(Cluster("web:80", endpoints, **settings), lambda: 0.0)  # type: ignore[arg-type]


def request(**changes: object) -> Request:
    values = {"method": b"GET", "target": b"/", "authority": b"web", "headers": []} | changes
    return Request(**values)  # type: ignore[arg-type]


def ports(of: Pool, times: int, hashed: bytes | None = None) -> list[int]:
    found = [choose(of, hashed=hashed) for _ in range(times)]
    return [host.endpoint.port - 9000 for host in found if host is not None]


def test_no_endpoints_no_choice() -> None:
    assert choose(pool()) is None


def test_round_robin_takes_turns_from_a_random_start() -> None:
    starts = set()
    for seed in range(20):
        random.seed(seed)
        chosen = ports(pool(1, 1, 1, balancing=Balancing.ROUND_ROBIN), 6)
        starts.add(chosen[0])
        assert chosen[:3] == chosen[3:] and sorted(chosen[:3]) == [0, 1, 2]
    assert starts == {0, 1, 2}


@pytest.mark.parametrize("balancing", [Balancing.ROUND_ROBIN, Balancing.LEAST_REQUEST])
def test_weights_spread_the_turns(balancing: Balancing) -> None:
    for seed in range(20):
        random.seed(seed)
        chosen = ports(pool(4, 2, 1, 1, balancing=balancing), 16)
        assert Counter(chosen) == {0: 8, 1: 4, 2: 2, 3: 2}
        assert all(chosen[place : place + 8].count(0) == 4 for place in range(8))


def test_a_schedule_begins_anywhere() -> None:
    firsts = Counter()
    for seed in range(2000):
        random.seed(seed)
        firsts[ports(pool(3, 1, balancing=Balancing.ROUND_ROBIN), 1)[0]] += 1
    assert abs(firsts[1] - 500) < 5 * 20


def test_weights_may_be_as_large_as_they_can_be_written() -> None:
    random.seed(6)
    assert Counter(ports(pool(2**32 - 1, 1, balancing=Balancing.ROUND_ROBIN), 1000)) == {0: 1000}
    hashing = pool(2**32 - 1, 1, balancing=Balancing.CONSISTENT_HASH)
    assert {port for number in range(100) for port in ports(hashing, 1, b"%d" % number)} == {0}


def test_random_ignores_weights() -> None:
    """Within five standard deviations of 20 000 draws; seeded."""
    random.seed(2)
    found = Counter(ports(pool(9, 1, balancing=Balancing.RANDOM), 20_000))
    assert abs(found[0] - 10_000) < 5 * 71


def test_with_weights_a_busy_endpoint_has_fewer_turns() -> None:
    """Weight 3 with 2 requests in flight counts as 1."""
    random.seed(7)
    cluster = pool(3, 1)
    cluster.hosts[0].active = 2
    assert Counter(ports(cluster, 100)) == {0: 50, 1: 50}


def test_an_ejected_endpoint_has_no_turns_and_the_others_theirs() -> None:
    random.seed(8)
    policy = OutlierDetection(consecutive_5xx=1, max_ejection_percent=100)
    cluster = pool(2, 1, 1, balancing=Balancing.ROUND_ROBIN, outlier_detection=policy)
    ports(cluster, 3)
    detector = cluster.hosts[1].detector
    assert detector is not None
    detector.answered(500)
    assert Counter(ports(cluster, 9)) == {0: 6, 2: 3}


WARMING = [(0.0, 0.1), (5.0, 0.1), (15.0, 0.3), (25.0, 0.5), (49.9, 0.998), (50.0, 1.0), (99.0, 1.0)]


@pytest.mark.parametrize(("age", "factor"), WARMING)
def test_a_new_endpoints_weight_grows_in_proportion(age: float, factor: float) -> None:
    assert Warmup(50.0).factor(age) == pytest.approx(factor)


def test_aggression_lets_it_grow_faster_at_first() -> None:
    assert Warmup(100.0, 0.0, 2.0).factor(25.0) == pytest.approx(0.5)
    assert Warmup(100.0, 0.0, 0.5).factor(50.0) == pytest.approx(0.25)
    assert Warmup(100.0, 0.0, 1e-3).factor(1.0) > 0, "its turn comes"


@pytest.mark.parametrize("balancing", [Balancing.ROUND_ROBIN, Balancing.LEAST_REQUEST])
def test_an_endpoint_that_joins_later_warms_up(balancing: Balancing) -> None:
    random.seed(9)
    clock = [0.0]
    first, second = Endpoint("127.0.0.1", 9000), Endpoint("127.0.0.1", 9001)
    settings = {"balancing": balancing, "warmup": Warmup(60.0)}
    cluster = Pool(Cluster("web:80", (first,), **settings), lambda: clock[0])  # type: ignore[arg-type]
    clock[0] = 100.0
    cluster.adopt(Cluster("web:80", (first, second), **settings))  # type: ignore[arg-type]
    assert Counter(ports(cluster, 110))[1] in (9, 10, 11), "a tenth of the other's"
    clock[0] = 130.0
    assert Counter(ports(cluster, 90))[1] in (29, 30, 31), "half"
    clock[0] = 160.0
    assert Counter(ports(cluster, 90))[1] in (44, 45, 46)


def test_endpoints_of_one_age_share_alike() -> None:
    random.seed(10)
    cluster = pool(1, 1, balancing=Balancing.ROUND_ROBIN, warmup=Warmup(60.0))
    assert Counter(ports(cluster, 100)) == {0: 50, 1: 50}


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
    cluster = pool(1, 1, 1, balancing=Balancing.CONSISTENT_HASH)
    first = []
    for number in range(60):
        chosen = ports(cluster, 5, hash_value([key], request(**_with(number, changes))))
        assert len(set(chosen)) == 1
        first.append(chosen[0])
    assert set(first) == {0, 1, 2}


def test_an_endpoint_less_moves_only_its_own_keys() -> None:
    three = pool(1, 1, 1, balancing=Balancing.CONSISTENT_HASH)
    two = pool(1, 1, balancing=Balancing.CONSISTENT_HASH)
    for number in range(200):
        before, after = ports(three, 1, b"%d" % number)[0], ports(two, 1, b"%d" % number)[0]
        assert before == 2 or before == after


def test_without_the_key_any_endpoint_will_do() -> None:
    random.seed(4)
    assert hash_value([HashKey(header=b"x-user")], request()) is None
    assert set(ports(pool(1, 1, balancing=Balancing.CONSISTENT_HASH), 50)) == {0, 1}


def test_several_keys_are_hashed_together_those_that_are_there() -> None:
    keys = [HashKey(header=b"x"), HashKey(query_parameter=b"q")]
    made = [
        hash_value(keys, request(target=target, headers=headers))
        for target in (b"/", b"/?q=1", b"/?q=2")
        for headers in ([], [(b"x", b"1")], [(b"x", b"2")])
    ]
    assert made[0] is None and len(set(made)) == 9


def test_several_lines_of_a_hashed_header_are_one_value() -> None:
    """Whatever their order, as in Envoy."""
    one, other = ([(b"x", b"1"), (b"x", b"2")], [(b"x", b"2"), (b"x", b"1")])
    keys = [HashKey(header=b"x")]
    assert hash_value(keys, request(headers=one)) == hash_value(keys, request(headers=other)) is not None


def test_endpoints_of_earlier_tries_are_avoided() -> None:
    cluster = pool(1, 1, balancing=Balancing.ROUND_ROBIN)
    for _ in range(10):
        assert choose(cluster, [cluster.hosts[0]]) is cluster.hosts[1]


def test_when_all_have_been_tried_any_will_do() -> None:
    cluster = pool(1, 1)
    assert choose(cluster, list(cluster.hosts)) in cluster.hosts


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
    assert choose(cluster) is None
