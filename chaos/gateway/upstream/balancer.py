"""Choose one of a cluster's endpoints for an attempt: Envoy's policies, on this worker's own view of load and
health."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from chaos.gateway.upstream.pool import Host, Pool
from chaos.gateway.upstream.schedule import Schedule, Weight
from chaos.mesh.decision import Balancing, HashKey, Headers, Request

HOST_PICKS = 5  # picks that try to avoid earlier attempts' endpoints (Istio: hostSelectionRetryMaxAttempts)
# Points of the lightest endpoint. Fixed, whatever the number of endpoints, so that a new one moves only its own keys.
RING_POINTS = 512
RING_LIMIT = 65_536  # points of all endpoints, whatever their weights


def choose(pool: Pool, avoid: Sequence[Host] = (), hashed: bytes | None = None) -> Host | None:
    """Return the endpoint for the next attempt, None when the cluster has none. Up to HOST_PICKS picks look for one
    that is not in `avoid`. `hashed` is what consistent hashing hashes; without it any endpoint will do."""
    hosts = pool.hosts
    if len(hosts) == 1 and hosts[0].detector is None:
        return hosts[0]
    if pool.cluster.outlier_detection is not None:
        hosts = healthy(pool)
    if not hosts:
        return None
    pick = _POLICIES[pool.cluster.balancing]
    for attempt in range(HOST_PICKS if avoid else 0):
        host = pick(pool, hosts, hashed, attempt)
        if host not in avoid:
            return host
    return pick(pool, hosts, hashed, 0)


def healthy(pool: Pool) -> tuple[Host, ...]:
    """Return the endpoints that are not ejected, or all of them when too few are left (Envoy's panic threshold, Istio's
    minHealthPercent)."""
    detection = pool.cluster.outlier_detection
    hosts = tuple(host for host in pool.hosts if not host.ejected)
    if detection is not None and len(hosts) * 100 < detection.min_health_percent * len(pool.hosts):
        return pool.hosts
    return hosts


def _least_request(pool: Pool, hosts: tuple[Host, ...], hashed: bytes | None, attempt: int) -> Host:
    """Pick two endpoints at random and take the less busy one (Mitzenmacher 2001). With weights, endpoints have turns
    in proportion to weight / (active + 1)."""
    if len(hosts) == 1:
        return hosts[0]
    if pool.scheduled:
        return _schedule(pool, hosts, _idle_weight).take()
    first, second = random.choice(hosts), random.choice(hosts)
    return second if second.active < first.active else first


def _round_robin(pool: Pool, hosts: tuple[Host, ...], hashed: bytes | None, attempt: int) -> Host:
    """Take endpoints in turn, from a random start; with weights, as many turns as their weight, spread out."""
    if pool.scheduled:
        return _schedule(pool, hosts, _weight).take()
    if pool.turn < 0:
        pool.turn = random.randrange(len(hosts))
    host = hosts[pool.turn % len(hosts)]
    pool.turn += 1
    return host


def _schedule(pool: Pool, hosts: tuple[Host, ...], weight: Weight) -> Schedule:
    """Return the pool's schedule; a new one when its healthy endpoints have changed."""
    schedule = pool.schedule
    if not isinstance(schedule, Schedule) or schedule.hosts != hosts:
        schedule = pool.schedule = Schedule(hosts, weight)
    return schedule


def _weight(host: Host) -> float:
    """Return an endpoint's weight, less while it is warming up."""
    warmup = host.pool.cluster.warmup
    if warmup is None:
        return host.weight
    return host.weight * warmup.factor(host.pool.now() - host.since)


def _idle_weight(host: Host) -> float:
    return _weight(host) / (host.active + 1)


def _random(pool: Pool, hosts: tuple[Host, ...], hashed: bytes | None, attempt: int) -> Host:
    """Take any endpoint; weights do not count (Envoy's RandomLoadBalancer)."""
    return random.choice(hosts)


def _consistent_hash(pool: Pool, hosts: tuple[Host, ...], hashed: bytes | None, attempt: int) -> Host:
    """Look the request's hash up on a ring over all endpoints; an ejected one's share falls to its neighbours.

    A later attempt hashes another value and so looks elsewhere."""
    if hashed is None:
        return random.choice(hosts)
    points, owners = _ring(pool)
    at = bisect_left(points, _point(hashed if not attempt else hashed + b"#%d" % attempt))
    for step in range(len(owners)):
        host = owners[(at + step) % len(owners)]
        if host in hosts:
            return host
    return hosts[0]


def hash_value(keys: Iterable[HashKey], request: Request) -> bytes | None:
    """Return the bytes of the request that are hashed, of all keys together; None when it has no such header, cookie or
    parameter."""
    values = [(place, value) for place, key in enumerate(keys) if (value := _value(key, request))]
    return b"".join(b"%d:%d:%b" % (place, len(value), value) for place, value in values) or None


def _value(key: HashKey, request: Request) -> bytes | None:
    if key.header is not None:
        return b",".join(sorted(value for name, value in request.headers if name == key.header))
    if key.cookie is not None:
        return cookie_of(request.headers, key.cookie)
    if key.source_ip:
        return request.remote
    return _query_parameter(request.target, key.query_parameter or b"")


def cookie_of(headers: Headers, name: bytes) -> bytes | None:
    """Return the value of a request's cookie, without quotes; None when there is none of this name."""
    for header, value in headers:
        if header == b"cookie":
            for part in value.split(b";"):
                key, equals, text = part.strip().partition(b"=")
                if equals and key == name:
                    return text.strip(b'"')
    return None


def _query_parameter(target: bytes, name: bytes) -> bytes | None:
    for part in target.partition(b"?")[2].split(b"&"):
        key, _, value = part.partition(b"=")
        if key == name:
            return value
    return None


def _ring(pool: Pool) -> tuple[list[int], list[Host]]:
    """Return the pool's ring: sorted points, and the owner of each."""
    if not isinstance(pool.ring, tuple):
        pool.ring = _make_ring(pool.hosts)
    return pool.ring


def _make_ring(hosts: tuple[Host, ...]) -> tuple[list[int], list[Host]]:
    weights = [host.weight for host in hosts]
    for_each = min(RING_POINTS / min(weights), RING_LIMIT / sum(weights))
    marks: list[tuple[int, int]] = []
    for index, host in enumerate(hosts):
        name = f"{host.endpoint.address}:{host.endpoint.port}".encode()
        copies = max(1, int(host.weight * for_each))
        marks += [(_point(b"%b_%d" % (name, copy)), index) for copy in range(copies)]
    marks.sort()
    return [point for point, _ in marks], [hosts[index] for _, index in marks]


def _point(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest())


_POLICIES: dict[Balancing, Callable[[Pool, tuple[Host, ...], bytes | None, int], Host]] = {
    Balancing.LEAST_REQUEST: _least_request,
    Balancing.ROUND_ROBIN: _round_robin,
    Balancing.RANDOM: _random,
    Balancing.CONSISTENT_HASH: _consistent_hash,
}
