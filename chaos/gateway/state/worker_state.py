"""The state that all connections of one worker share: rules, phase, pools, the connections themselves, and the
clock."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Protocol

from chaos.faults import FaultKind
from chaos.gateway.exchange.wire import empty, refusal
from chaos.gateway.state.counters import Phase
from chaos.gateway.state.faulted import Faulted
from chaos.gateway.state.in_force import InForce, RuleSet
from chaos.gateway.state.policing import Policing
from chaos.gateway.state.repeats import Repeats
from chaos.gateway.upstream.pool import IDLE_SECONDS, Pool
from chaos.mesh.decision import Cluster, Draws
from chaos.mesh.draws import keyed_draws
from chaos.policies.compiled import policies_of
from chaos.protocol.counters import GatewayCounters

BEAT_SECONDS = 5.0  # how often connections are checked for idleness


class ClientConnection(Protocol):
    """A client's connection as the worker sees it."""

    def close_if_idle(self, beat: int) -> None:
        """Close if nothing has happened for too long; `beat` is the worker's current beat."""

    def drain(self) -> None:
        """Take no more requests."""

    def abort(self) -> None:
        """Close at once."""


class Observer(Protocol):
    """Who is told of every exchange, each when it is over (chaos/gateway/exchange/observed.py)."""

    def ended(self, exchange: Any) -> None:
        """Take what became of a request. Must not wait."""


class Scaled:
    """Draws under which each fault happens `scale` times as often as its rule says; 0 switches it off.

    `draw / s < p` is `draw < p * s`: the draw stays the same, so raising the scale only adds requests to those already
    faulted."""

    __slots__ = ("_draws", "_scale")

    def __init__(self, draws: Draws, scale: Mapping[FaultKind, float]):
        self._draws = draws
        self._scale = scale

    def fault(self, kind: FaultKind) -> float:
        scale = self._scale[kind]
        return min(self._draws.fault(kind) / scale, 1.0) if scale > 0 else 1.0

    @property
    def split(self) -> float:
        return self._draws.split

    def mirror(self, index: int) -> float:
        return self._draws.mirror(index)

    def apart(self, purpose: str) -> float:
        return self._draws.apart(purpose)


class WorkerState(InForce):
    """The shared state of one worker; it is the `worker` of everything in the gateway.

    `now` is the loop's clock in seconds and `after(seconds, callback)` its timer; tests replace both."""

    def __init__(self, rules: RuleSet, *, seed: int | str | None = None, tagged: bool = True, index: int = 0):
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self.after: Callable[..., asyncio.TimerHandle] = self._loop.call_later
        self._started = time.monotonic()
        self._keyed = Repeats(keyed_draws(random.getrandbits(64) if seed is None else seed))
        self._ids = random.Random(f"{seed}/{index}" if seed is not None else None)
        self.draws: Callable[[bytes], Draws] = self._keyed
        self.tagged = tagged
        self.draining = self._said_http2 = False
        self.connections: set[ClientConnection] = set()
        self.authorities: set[bytes] = set()  # found to be well-formed, so that each is checked once
        self.faulted = Faulted()
        self.observers: tuple[Observer, ...] = ()  # of exchanges; none costs nothing
        self.tracer: Any = None  # makes the spans of exchanges (chaos/gateway/telemetry/tracing.py)
        self.phases: dict[str, Phase] = {}
        self._policed: str | None = None  # the phase that policies were told of last
        self.policing = Policing(lambda: self.now())
        super().__init__(rules)
        self._pools: dict[Cluster, Pool] = {}
        self._pools_by_name: dict[str, Pool] = {}
        self.use(rules)
        self.beat = 0
        self._tick()
        self.look_around()

    # ------------------------------------------------------------------------------------------ rules and phases

    def use(self, rules: RuleSet) -> None:
        """Put these rules in force, as they are written: levels set by hand end. Requests already decided go on as
        decided; counters continue by rule key."""
        self.policing.use(policies_of(rules))
        super().use(rules)
        self._pools = {}
        for phase in self.phases.values():
            phase.forget_rules()
        server = rules.server_name
        self.replaces_ids = rules.replaces_request_ids
        self.refusals = {status: refusal(status, server) for status in (400, 403, 408, 426, 431, 501)}
        self.no_route, self.no_host, self.forbidden = (empty(status, server) for status in (404, 400, 403))

    def apply(self) -> None:
        """Decide and count as the rules, the phase and what was set by hand say, from the next request on."""
        changed = self.changed_faults()
        self.decide = (self.rules.with_faults(changed) if changed else self.rules).decide
        self.phase = self._counts_of(self.counted_under)
        anew = self._entered != self._policed
        by_hand = self.changed_policies()
        self.policing.enter(self._entered, counted_under=self.counted_under, on=self.faults, anew=anew, by_hand=by_hand)
        self._policed = self._entered
        scale, keyed = self.scale_in_force(), self._keyed
        keyed.forget()
        as_ruled = all(factor == 1.0 for factor in scale.values())
        self.draws = keyed if as_ruled else lambda request_id: Scaled(keyed(request_id), scale)

    def _counts_of(self, phase: str) -> Phase:
        """Return the counts of a phase by its name; the first call makes them."""
        found = self.phases.get(phase)
        if found is None:
            found = self.phases[phase] = Phase(phase, self.tagged)
        return found

    def met_http2(self) -> None:
        """Say once that a client speaks HTTP/2, which is refused."""
        if not self._said_http2:
            self._said_http2 = True
            said = "a client speaks HTTP/2, which this gateway does not; with --engine envoy an Envoy takes its place"
            print(said, file=sys.stderr, flush=True)

    def new_id(self) -> bytes:
        """Return a UUID (version 4) for a request that came without one."""
        bits = b"%032x" % self._ids.getrandbits(128)
        return b"%b-%b-4%b-a%b-%b" % (bits[:8], bits[8:12], bits[13:16], bits[17:20], bits[20:])

    def pool(self, cluster: Cluster) -> Pool:
        """Return the cluster's pool. After a reload a cluster of the same name takes over the old one's connections."""
        pool = self._pools.get(cluster)
        if pool is None:
            pool = self._pools_by_name.get(cluster.name)
            if pool is None:
                pool = self._pools_by_name[cluster.name] = Pool(cluster, self.now)
            else:
                pool.adopt(cluster)
            self._pools[cluster] = pool
        return pool

    # ------------------------------------------------------------------------------------------ what others read

    def counters(self) -> GatewayCounters:
        """Return the counters as the admin API shows them (docs/protocol.md)."""
        return {
            "generation": self.generation,
            "seconds": time.monotonic() - self._started,
            "workers": 1,
            "connections": len(self.connections),
            "cpu_seconds": time.process_time(),
            "phases": {name: phase.as_json() for name, phase in self.phases.items()},
            "unmatched": sum(phase.unmatched.requests for phase in self.phases.values()),
            "by_hand": self.by_hand(),
            "policies": self.policing.as_json(),
        }

    # ------------------------------------------------------------------------------------------ time

    def _tick(self) -> None:
        """Update the date header, once a second and just after the second changes."""
        now = time.time()
        self.date = b"date: %b\r\n" % formatdate(now, usegmt=True).encode()
        self._date_timer = self._loop.call_later(1.001 - now % 1, self._tick)

    def look_around(self) -> None:
        """Close connections that have been idle for too long; runs once per beat."""
        self.beat += 1
        for connection in list(self.connections):
            connection.close_if_idle(self.beat)
        if self.beat % int(IDLE_SECONDS / BEAT_SECONDS) == 0:
            for pool in self._pools_by_name.values():
                for host in pool.hosts:
                    host.close_idle()
            self._forget_pools()
        self._beat_timer = self._loop.call_later(BEAT_SECONDS, self.look_around)

    def _forget_pools(self) -> None:
        """Close the pools of clusters that no rule has used since the last reload and that nobody is connected to."""
        for name, pool in list(self._pools_by_name.items()):
            if pool.cluster not in self._pools and not pool.connections and not pool.waiting:
                pool.close()
                del self._pools_by_name[name]

    def close(self) -> None:
        self._date_timer.cancel()
        self._beat_timer.cancel()
        for pool in self._pools_by_name.values():
            pool.close()
