"""Keep, limit and hand out the connections to a cluster's endpoints. Choosing among endpoints is `balancer`'s.

Limits are Envoy's circuit breakers for HTTP/1.1: at most `max_connections` connections per cluster,
`max_pending_requests` requests waiting for one, `max_requests` requests in all; a request beyond them fails at once
with overflow. They hold per worker."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from chaos.gateway.upstream.connection import Owner, Upstream
from chaos.gateway.upstream.outlier_detection import Detector
from chaos.mesh.decision import Cluster, Endpoint, Failure, OutlierDetection, Warmup

IDLE_SECONDS = 60.0  # upstream connections close after serving nothing for this long, or up to twice as long


class Host:
    """One endpoint of a cluster: its connections and the requests that wait for one."""

    __slots__ = (
        "active",
        "connecting",
        "connections",
        "detector",
        "endpoint",
        "idle",
        "members",
        "pool",
        "since",
        "waiting",
        "weight",
    )

    def __init__(self, pool: Pool, endpoint: Endpoint):
        self.pool = pool
        self.endpoint = endpoint
        self.weight = endpoint.weight
        self.since = pool.now()  # it belongs to the cluster
        self.idle: list[Upstream] = []
        self.members: set[Upstream] = set()
        self.waiting: deque[Owner] = deque()
        self.active = 0  # requests in flight, for LEAST_REQUEST
        self.connecting = 0
        self.detector: Detector | None = None

    @property
    def ejected(self) -> bool:
        return self.detector is not None and self.detector.ejected

    def acquire(self, owner: Owner) -> Upstream | None:
        """Return an idle connection, or None.

        After None the owner is called later (`upstream_connected` or `upstream_failed`; the latter perhaps within this
        call) and keeps a place in the queue until then."""
        if self.pool.is_full:
            owner.upstream_failed(Failure.OVERFLOW, Failure.OVERFLOW.value)
            return None
        while self.idle:
            connection = self.idle.pop()
            if not connection.transport.is_closing():
                self.active += 1
                return connection
        self._queue(owner)
        return None

    def give_back(self, connection: Upstream) -> None:
        """Take back a connection that has brought a plain response and can serve again: a faster `release`."""
        if (
            self.waiting
            or connection.closing
            or connection.served >= self.pool.max_requests_per_connection
            or self.pool.retired
        ):
            connection.ended = True
            self.release(connection)
            return
        self.active -= 1
        connection.owner = None
        self.idle.append(connection)

    def _queue(self, owner: Owner) -> None:
        pool = self.pool
        if pool.waiting >= pool.max_waiting:
            owner.upstream_failed(Failure.OVERFLOW, Failure.OVERFLOW.value)
            return
        self.waiting.append(owner)
        pool.waiting += 1
        self._connect_if_needed()

    def _connect_if_needed(self) -> None:
        """Open a connection for a waiting request, within the limit; an endpoint without any connection always gets one
        (Envoy)."""
        pool = self.pool
        if self.connecting >= len(self.waiting):
            return
        if pool.connections < pool.max_connections or not (self.members or self.connecting):
            self.connecting += 1
            pool.connections += 1
            pool.spawn(self._connect())

    async def _connect(self) -> None:
        reason = Failure.CONNECT.value
        try:
            async with asyncio.timeout(self.pool.cluster.connect_timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Upstream(self.forget), self.endpoint.address, self.endpoint.port
                )
        except TimeoutError:
            reason = "connection timeout"
        except OSError:
            pass
        else:
            self.connecting -= 1
            if connection.closed:
                self.pool.connections -= 1
            else:
                self.members.add(connection)
            self.ready(connection)
            return
        self.connecting -= 1
        self.pool.connections -= 1
        self._fail_waiting(reason)

    def _fail_waiting(self, reason: str) -> None:
        """Fail every request that waits for this endpoint, because a connection could not be made (Envoy's
        purgePendingStreams)."""
        waiting, self.waiting = self.waiting, deque()
        self.pool.waiting -= len(waiting)
        for owner in waiting:
            owner.upstream_failed(Failure.CONNECT, reason)

    def ready(self, connection: Upstream) -> None:
        """Give a free connection to the request that has waited longest, or keep it as idle."""
        if connection.closed:
            self._connect_if_needed()
            return
        while self.waiting:
            owner = self.waiting.popleft()
            self.pool.waiting -= 1
            if self.pool.limited and self.pool.active() >= self.pool.max_requests:
                owner.upstream_failed(Failure.OVERFLOW, Failure.OVERFLOW.value)
                continue
            self.active += 1
            owner.upstream_connected(connection)
            return
        self.idle.append(connection)

    def release(self, connection: Upstream) -> None:
        """Take back a connection whose owner is done with it; it is kept when it can serve again, closed otherwise."""
        self.active -= 1
        connection.owner = None
        if connection.reusable and connection.served < self.pool.max_requests_per_connection and not self.pool.retired:
            connection.reset_for_next()
            self.ready(connection)
        elif not connection.closed:
            connection.close()

    def abandon(self, owner: object) -> None:
        """Remove the owner from the queue."""
        if owner in self.waiting:
            self.waiting.remove(owner)  # type: ignore[arg-type]
            self.pool.waiting -= 1

    def forget(self, connection: Upstream) -> None:
        """Drop a connection that has closed."""
        if connection in self.members:
            self.members.discard(connection)
            self.pool.connections -= 1
            if connection in self.idle:
                self.idle.remove(connection)
            if self.waiting:
                self._connect_if_needed()

    def detach(self, connection: Upstream) -> None:
        """Drop a connection that has become a tunnel; it counts as a connection until it closes."""
        self.active -= 1
        connection.owner = None

    def close_idle(self) -> None:
        """Close the connections that have served nothing since the last call."""
        for connection in list(self.idle):
            if connection.served == connection.served_when_seen:
                self.idle.remove(connection)
                connection.close()
            connection.served_when_seen = connection.served

    def close_all(self) -> None:
        for connection in list(self.members):
            connection.close()


_UNLIMITED = 2**32 - 1


class Pool:
    """A cluster as this worker knows it: its hosts, limits and who is using them."""

    def __init__(self, cluster: Cluster, now: Callable[[], float]):
        self.now = now
        self.hosts: tuple[Host, ...] = ()
        self.waiting = self.connections = self.retrying = 0
        self.turn = -1  # round robin; below zero until the random start is drawn
        self.retired = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.adopt(cluster)

    def adopt(self, cluster: Cluster) -> None:
        """Take the cluster's endpoints and limits; endpoints that stay keep their connections and their health."""
        known = {(host.endpoint.address, host.endpoint.port): host for host in self.hosts}
        hosts = []
        for endpoint in cluster.endpoints:
            host = known.pop((endpoint.address, endpoint.port), None) or Host(self, endpoint)
            host.endpoint, host.weight = endpoint, endpoint.weight
            hosts.append(host)
        for host in known.values():
            for connection in list(host.idle):
                connection.close()
        self.cluster = cluster
        self.hosts = tuple(hosts)
        self.ring: object = None  # the balancer's, as `schedule` is; None until it is needed
        self.schedule: object = None
        self.scheduled = len({host.weight for host in hosts}) > 1 or self._warming_up(cluster.warmup)
        limits = cluster.breakers
        self.max_connections = limits.max_connections or _UNLIMITED
        self.max_waiting = limits.max_pending_requests or _UNLIMITED
        self.max_requests = limits.max_requests or _UNLIMITED
        self.max_requests_per_connection = limits.max_requests_per_connection or _UNLIMITED
        self.limited = limits.max_requests is not None
        self.max_retries = _UNLIMITED if limits.max_retries is None else limits.max_retries
        self._watch(cluster.outlier_detection)

    def _warming_up(self, warmup: Warmup | None) -> bool:
        return warmup is not None and any(self.now() - host.since <= warmup.window for host in self.hosts)

    def _watch(self, policy: OutlierDetection | None) -> None:
        """Give every host its detector. An endpoint's health record is kept as long as the policy is the same."""
        for host in self.hosts:
            if policy is None:
                host.detector = None
            elif host.detector is None or host.detector.policy != policy:
                host.detector = Detector(self.hosts, policy, self.now)
            else:
                host.detector.group = self.hosts

    def has_retries_left(self, held: int) -> bool:
        """Return whether one more request may be retried, for one that already holds a place among the retries (1) or
        does not (0): it gives its place back first, as in Envoy."""
        budget = self.cluster.breakers.retry_budget
        limit = self.max_retries if budget is None else budget.limit(self.active() + self.waiting)
        return self.retrying - held < limit

    @property
    def is_full(self) -> bool:
        """Whether the circuit breaker lets no further request pass."""
        return self.limited and self.active() >= self.max_requests

    def active(self) -> int:
        """Return the number of requests in flight."""
        return sum(host.active for host in self.hosts)

    def spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        self.retired = True
        for task in self._tasks:
            task.cancel()
        for host in self.hosts:
            host.close_all()
