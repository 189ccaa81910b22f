"""Compile resources, registry and proxy into `Rules`, which decide every request.

`Rules.decide(request, draws)` is the request path: normalise the path, find the virtual host, find the route, draw the
faults, act. Everything else here happens once, when the rules are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chaos.errors import Problem
from chaos.faults import RuleFault, joined, tag_of
from chaos.mesh.compile.clusters import Clusters
from chaos.mesh.compile.fault import Fault
from chaos.mesh.compile.hosts import HostTable
from chaos.mesh.compile.match import EVERYTHING, compile_match
from chaos.mesh.compile.route_table import RouteTable
from chaos.mesh.compile.rule import Route, RuleCompiler, Surroundings, default_route
from chaos.mesh.compile.summary import RuleInfo, info_of, info_of_service
from chaos.mesh.decision import BadRequest, Cluster, Decision, Draws, NoRoute, Request, Rule
from chaos.mesh.draws import ABORT, DELAY
from chaos.mesh.headers.local_reply import ReplyMaker
from chaos.mesh.headers.proxy import ProxyHeaders
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import HTTP_PORT, Proxy
from chaos.mesh.paths import normalise
from chaos.mesh.resolve.delegate import EffectiveRule
from chaos.mesh.resolve.entries import Entry, LeftOut
from chaos.mesh.resolve.mesh import Listener, ResolvedMesh, resolve
from chaos.mesh.resolve.virtual_hosts import VirtualHost
from chaos.mesh.upstream.registry import Registry, Service

DELAYED = tag_of([DELAY])
ABORTED = joined(ABORT)


SERVICE = "service"
"""With what the keys of default routes begin: `service/host:port`."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledHost:
    """A virtual host of one listener with its routes compiled."""

    source: VirtualHost
    listener: int
    routes: tuple[Route, ...]

    @property
    def host(self) -> str:
        return self.source.host

    @property
    def domains(self) -> tuple[str, ...]:
        return self.source.domains

    @property
    def owners(self) -> tuple[Resource[VirtualService], ...]:
        return self.source.owners

    @property
    def shown(self) -> str:
        """The host as in a URL: with its port unless it is 80."""
        return self.host if self.listener == HTTP_PORT else f"{self.host}:{self.listener}"


class Rules:
    """Compiled rules, immutable. `without_faults` shares everything but the faults."""

    def __init__(
        self,
        mesh: ResolvedMesh,
        hosts: tuple[CompiledHost, ...],
        rules: tuple[RuleInfo, ...],
        faults: tuple[Fault | None, ...],
        *,
        clusters: Mapping[str, Cluster],
        problems: tuple[Problem, ...] = (),
    ):
        self.mesh = mesh
        self.virtual_hosts = hosts
        self.rules = rules
        self.clusters = clusters
        self.problems = problems
        self.headers = ProxyHeaders(gateway=self.proxy.is_gateway)
        self.server_name = self.headers.server
        self._faults = faults
        self._table = HostTable(_domains(mesh, hosts), only=mesh.only)
        self._no_route = ReplyMaker(404, b"", server=self.server_name)
        self._bad_request = ReplyMaker(400, b"", server=self.server_name)

    # ------------------------------------------------------------------ the request path

    def decide(self, request: Request, draws: Draws) -> Decision:
        """Return the decision on a request; the same request and draws always give the same one."""
        target = request.target
        if b"#" in target:
            return Decision(BadRequest(self._bad_request(request)))
        path, mark, query = target.partition(b"?")
        normal = normalise(path)
        if normal is None:
            return Decision(BadRequest(self._bad_request(request)))
        table = self._table.find(request.authority)
        route = table.find(request, normal, mark + query) if table is not None and normal[:1] == b"/" else None
        if route is None:
            return Decision(NoRoute(self._no_route(request)))
        delay, drawn = 0.0, ""
        fault = self._faults[route.ordinal]
        if fault is not None:
            # Delay and abort are independent draws, and Envoy waits before it aborts: a request can be late and
            # refused.
            if fault.delay_parts and draws.fault(DELAY) * 1e6 < fault.delay_parts:
                delay, drawn = fault.seconds, DELAYED
            if fault.abort_parts and draws.fault(ABORT) * 1e6 < fault.abort_parts:
                aborted = fault.aborted_late if drawn else fault.aborted
                return Decision(aborted(request, draws), route.rule, delay, ABORTED[drawn])
        return Decision(route.act(request, normal, mark + query, draws), route.rule, delay, drawn)

    # ------------------------------------------------------------------ contents

    @property
    def proxy(self) -> Proxy:
        return self.mesh.proxy

    @property
    def registry(self) -> Registry:
        return self.mesh.registry

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Match entries that cannot take a request of this proxy, by listener."""
        return self.mesh.left_out

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every name that leads to a virtual host."""
        return tuple(dict.fromkeys(domain for host in self.virtual_hosts for domain in host.domains))

    def listener_of(self, authority: bytes) -> int:
        """Return the port of the listener that a request with this Host arrives at, whether or not it exists."""
        return self._table.listener_of(authority)

    @property
    def replaces_request_ids(self) -> bool:
        """Whether every request gets a new id: a gateway gives one, a sidecar keeps the client's."""
        return self.proxy.is_gateway

    def listing(self) -> list[tuple[Rule, tuple[str, ...]]]:
        """Return every rule with the hosts that it applies to."""
        return [(info.rule, info.hosts) for info in self.rules]

    def info(self, key: str) -> RuleInfo | None:
        """Return the summary of the rule with this key, or None."""
        return next((info for info in self.rules if info.key == key), None)

    def faults(self, key: str) -> tuple[RuleFault, ...]:
        """Return the faults of the rule with this key; none where there is no such rule."""
        info = self.info(key)
        return info.faults if info is not None else ()

    def table(self, authority: bytes) -> RouteTable | None:
        """Return the routes behind a Host, or None; for explaining."""
        return self._table.find(authority)

    # ------------------------------------------------------------------ variants

    def without_faults(self) -> Rules:
        """Return the same rules without faults."""
        variant = Rules.__new__(Rules)
        variant.__dict__.update(self.__dict__)
        variant._faults = (None,) * len(self._faults)
        variant.rules = tuple(info.with_fault(None) for info in self.rules)
        return variant

    def with_faults(self, faults: Mapping[str, tuple[RuleFault, ...]]) -> Rules:
        """Return the same rules with other percentages or delays for the rules with these keys, whose faults stay of
        the same kinds."""
        changed = list(self._faults)
        for route in (route for host in self.virtual_hosts for route in host.routes if route.rule.key in faults):
            fault = self._faults[route.ordinal]
            changed[route.ordinal] = fault and fault.changed(faults[route.rule.key])
        variant = Rules.__new__(Rules)
        variant.__dict__.update(self.__dict__)
        variant._faults = tuple(changed)
        variant.rules = tuple(replace(info, faults=faults.get(info.key, info.faults)) for info in self.rules)
        return variant


# ---------------------------------------------------------------------------------------------- compiling


def compile_rules(resources: Resources, registry: Registry, proxy: Proxy | None = None) -> Rules:
    """Compile the rules for a proxy. The resources have passed validation; problems that show only now are in
    `Rules.problems`.

    ServiceEntries add to the registry where it has no endpoints for a port yet."""
    return _Compilation(resolve(resources, registry, proxy)).rules()


@dataclass(slots=True, eq=False)
class _Compiled:
    """One rule of one listener.

    `ordinal` is the index of its fault. A match entry with a name has a compiler and a fault of its own, because header
    values may contain the name (%ROUTE_NAME%)."""

    compiler: RuleCompiler
    ordinal: int
    by_match: dict[str, tuple[RuleCompiler, int]] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        return self.compiler.effective.rule

    def named(self, match: str, faults: list[Fault | None]) -> tuple[RuleCompiler, int]:
        """Return the compiler for match entries of this name, and the index of their fault; a new one is added to
        `faults`."""
        if not match:
            return self.compiler, self.ordinal
        if match not in self.by_match:
            compiler = RuleCompiler(self.compiler.effective, self.compiler.around, match)
            self.by_match[match] = compiler, len(faults)
            faults.append(compiler.fault())
        return self.by_match[match]


class _Compilation:
    """Compiles the rules of all listeners. A rule that counts on several listeners is compiled for each, because its
    ports differ."""

    def __init__(self, mesh: ResolvedMesh):
        self.mesh = mesh
        self.headers = ProxyHeaders(gateway=mesh.proxy.is_gateway)
        self.clusters: dict[str, Cluster] = {}
        self.problems = list(mesh.problems)
        self.infos: list[RuleInfo] = []
        self.keys: set[str] = set()  # of the infos
        self.faults: list[Fault | None] = []
        self.hosts: list[CompiledHost] = []

    def rules(self) -> Rules:
        for listener in self.mesh.listeners:
            self._listen(listener)
        served = _served(self.hosts)
        return Rules(
            self.mesh,
            tuple(self.hosts),
            tuple(info.with_hosts(served.get(info.key, ())) for info in self.infos),
            tuple(self.faults),
            clusters=self.clusters,
            problems=tuple(self.problems),
        )

    def _listen(self, listener: Listener) -> None:
        """Compile one listener's virtual hosts; those of one VirtualService share their routes."""
        clusters = Clusters(
            self.mesh.registry,
            self.mesh.destination_rules,
            listener.port,
            gateway=self.mesh.proxy.is_gateway,
            made=self.clusters,
        )
        around = Surroundings(self.headers, listener.port, clusters, self.problems)
        compiled: dict[EffectiveRule, _Compiled] = {}
        made: dict[tuple[Entry, ...], tuple[Route, ...]] = {}
        for host in listener.virtual_hosts:
            if host.service is not None:
                routes: tuple[Route, ...] = (self._default(host.service, around),)
            elif host.entries in made:
                routes = made[host.entries]
            else:
                routes = made[host.entries] = tuple(self._route(entry, around, compiled) for entry in host.entries)
            self.hosts.append(CompiledHost(host, listener.port, routes))

    def _route(self, entry: Entry, around: Surroundings, compiled: dict[EffectiveRule, _Compiled]) -> Route:
        found = compiled.get(entry.rule)
        if found is None:
            compiler = RuleCompiler(self._named(entry.rule, around.listener), around)
            fault = compiler.fault()
            found = compiled[entry.rule] = _Compiled(compiler, self._add(info_of(compiler, fault), fault))
        match = EVERYTHING if entry.match is None else compile_match(entry.match, self.headers)
        compiler, ordinal = found.named(entry.match.name if entry.match is not None else "", self.faults)
        return Route(found.rule, ordinal, match, compiler.act(match), entry.place, entry.location)

    def _named(self, effective: EffectiveRule, listener: int) -> EffectiveRule:
        """Return the rule; under a key of its own, `key@8080`, when another listener has it already."""
        if effective.rule.key not in self.keys:
            return effective
        return replace(effective, rule=effective.rule.at(listener))

    def _default(self, service: Service, around: Surroundings) -> Route:
        """Return the default route of a registered service, for a host without a VirtualService."""
        name = f"{service.host}:{around.listener}"
        rule = Rule(f"{SERVICE}/{name}", name)
        route = default_route(rule, len(self.faults), service, around, EVERYTHING)
        self._add(info_of_service(rule, name, self.clusters.get(name)), None)
        return route

    def _add(self, info: RuleInfo, fault: Fault | None) -> int:
        """Add a rule's summary and fault. Returns the fault's index."""
        self.infos.append(info)
        self.keys.add(info.key)
        self.faults.append(fault)
        return len(self.faults) - 1


def _domains(mesh: ResolvedMesh, hosts: Iterable[CompiledHost]) -> Iterable[tuple[str, int, RouteTable]]:
    """Yield every name with its listener and its table; hosts that share their routes share the table."""
    made: dict[tuple[Route, ...], RouteTable] = {}
    for host in hosts:
        table = made.get(host.routes)
        if table is None:
            table = made[host.routes] = RouteTable(host.routes)
        for domain in host.domains:
            yield domain, host.listener, table


def _served(hosts: Iterable[CompiledHost]) -> dict[str, tuple[str, ...]]:
    """Return, by rule key, the hosts through which a rule is reached, with the port where it is not 80."""
    served: dict[str, dict[str, None]] = {}
    for host in hosts:
        for route in host.routes:
            served.setdefault(route.rule.key, {})[host.shown] = None
    return {key: tuple(names) for key, names in served.items()}
