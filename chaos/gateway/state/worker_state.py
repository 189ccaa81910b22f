"""The state that all connections of one worker share: rules, phase, pools, the connections themselves, and the
clock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Protocol

from chaos.faults import FaultKind, RuleFault
from chaos.gateway.exchange.wire import empty, refusal
from chaos.gateway.state.counters import Phase
from chaos.gateway.state.faulted import Faulted
from chaos.gateway.state.repeats import Repeats
from chaos.gateway.upstream.pool import IDLE_SECONDS, Pool
from chaos.mesh.decision import Cluster, Decision, Draws, Request, Rule
from chaos.mesh.draws import keyed_draws
from chaos.protocol.counters import FaultsInForce, GatewayCounters, PhaseSettings, RuleFaults, RuleInForce
from chaos.protocol.digest import BY_HAND
from chaos.protocol.fault_levels import Levels, at_levels, levels_of, show_level, write_levels

BEAT_SECONDS = 5.0  # how often connections are checked for idleness


class RuleSet(Protocol):
    """What the gateway needs of compiled rules (chaos/mesh/compile/rules.py)."""

    @property
    def server_name(self) -> bytes:
        """The `server` header of replies."""

    @property
    def replaces_request_ids(self) -> bool:
        """Whether upstream gets an x-request-id of the gateway's own in place of the client's, as from an Istio
        gateway."""

    def decide(self, request: Request, draws: Draws) -> Decision: ...

    def listing(self) -> Sequence[tuple[Rule, Sequence[str]]]:
        """Return every rule with the hosts it applies to."""

    def faults(self, key: str) -> tuple[RuleFault, ...]:
        """Return the faults of the rule with this key, none if there is no such rule."""

    def with_faults(self, faults: Mapping[str, tuple[RuleFault, ...]]) -> RuleSet:
        """Return the same rules with other percentages or delays for some, by key."""


class ClientConnection(Protocol):
    """A client's connection as the worker sees it."""

    def close_if_idle(self, beat: int) -> None:
        """Close if nothing has happened for too long; `beat` is the worker's current beat."""

    def drain(self) -> None:
        """Take no more requests."""

    def abort(self) -> None:
        """Close at once."""


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


class WorkerState:
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
        self.draining = False
        self.connections: set[ClientConnection] = set()
        self.authorities: set[bytes] = set()  # found to be well-formed, so that each is checked once
        self.faulted = Faulted()
        self.phases: dict[str, Phase] = {}
        self.levels: dict[str, dict[str, float]] = {}  # set by hand, by rule key
        self.enter("")
        self.generation = 0
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
        self.rules = rules
        self.decide = rules.decide
        if self.levels:
            self.set_levels({})
        self.generation += 1
        self._pools = {}
        for phase in self.phases.values():
            phase.forget_rules()
        server = rules.server_name
        self.replaces_ids = rules.replaces_request_ids
        self.refusals = {status: refusal(status, server) for status in (400, 403, 408, 426, 431, 501)}
        self.no_route, self.no_host, self.forbidden = (empty(status, server) for status in (404, 400, 403))

    def enter(self, name: str, *, faults: bool = True, scale: dict[str, float] | None = None) -> None:
        """Make and count decisions under this phase from now on; `scale` multiplies fault probabilities (see Scaled).
        What was set by hand ends."""
        self._entered, self._entered_with = name, faults
        self.scale = scale or {}
        if self.levels:
            self.set_levels({})
        self.switch(faults)

    def switch(self, faults: bool) -> None:
        """Switch all faults on or off. Until they are again as the phase has them, decisions are counted under BY_HAND:
        they say nothing of its rules."""
        self.faults = faults
        self.phase = self._counts_of(BY_HAND if self.levels or faults != self._entered_with else self._entered)
        scale = {kind: self.scale.get(kind, 1.0) if faults else 0.0 for kind in FaultKind}
        keyed = self._keyed
        keyed.forget()
        as_ruled = all(factor == 1.0 for factor in scale.values())
        self.draws = keyed if as_ruled else lambda request_id: Scaled(keyed(request_id), scale)

    def set_levels(self, levels: Mapping[str, Levels]) -> None:
        """Let the faults of rules, by key, have these levels in place of their own; {} gives all their own back. While
        any level differs from the rules', decisions are counted under BY_HAND."""
        written = {key: levels_of(self.rules.faults(key)) for key in levels}
        self.levels = {
            key: differing
            for key, own in written.items()
            if (differing := {name: level for name, level in levels[key].items() if own.get(name, level) != level})
        }
        changed = {key: at_levels(self.rules.faults(key), found) for key, found in self.levels.items()}
        self.decide = (self.rules.with_faults(changed) if changed else self.rules).decide
        self.switch(self.faults)

    def _counts_of(self, phase: str) -> Phase:
        """Return the counts of a phase by its name; the first call makes them."""
        found = self.phases.get(phase)
        if found is None:
            found = self.phases[phase] = Phase(phase, self.tagged)
        return found

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
        }

    def by_hand(self) -> list[str]:
        """Return what is other than the phase and the rules have it, each as `chaos ctl` says it."""
        switched = [f"faults {'on' if self.faults else 'off'}"] if self.faults != self._entered_with else []
        names = {rule.key: rule.name for rule, _ in self.rules.listing()} if self.levels else {}
        return switched + [
            f"{names.get(key, key)}.{name}={show_level(name, level)}".replace(" %", "")
            for key, levels in self.levels.items()
            for name, level in levels.items()
        ]

    def phase_in_force(self) -> PhaseSettings:
        """Return the phase as `PUT /phase` set it."""
        return {"name": self._entered, "faults": self._entered_with, "scale": {**self.scale}}

    def faults_in_force(self) -> FaultsInForce:
        """Return the levels of every rule as `GET /faults` shows them."""
        rules: list[RuleFaults] = []
        for rule in self.rules_in_force():
            own = levels_of(self.rules.faults(rule["key"]))
            now = own | self.levels.get(rule["key"], {})
            rules.append({**rule, "levels": write_levels(now), "configured": write_levels(own)})
        return {"enabled": self.faults, "by_hand": self.by_hand(), "rules": rules}

    def rules_in_force(self) -> list[RuleInForce]:
        """Return the rules as `GET /rules` shows them."""
        return [
            {"key": rule.key, "name": rule.name, "where": str(rule.location or ""), "hosts": list(hosts)}
            for rule, hosts in self.rules.listing()
        ]

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
