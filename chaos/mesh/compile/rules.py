"""Resources, registry and proxy compiled into `Rules`: the answer to every request, decided once and carried whole.

`Rules.decide(request, draws)` is the request path: normalise the path, find the virtual host, find the route, draw the
faults, act. Everything else here happens once, when the rules are compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chaos.errors import Location, Problem
from chaos.mesh.compile.delegate import EffectiveRule, effective_rules
from chaos.mesh.compile.fault import Fault, FaultOverride
from chaos.mesh.compile.hosts import HostTable
from chaos.mesh.compile.match import EVERYTHING, CompiledMatch, compile_match, failed_selector
from chaos.mesh.compile.route_table import RouteTable
from chaos.mesh.compile.rule import Route, RuleCompiler, Surroundings, default_route
from chaos.mesh.compile.summary import RuleInfo, info_of, info_of_service
from chaos.mesh.compile.virtual_hosts import (
    Bound,
    VirtualHost,
    full_hosts,
    gateway_hosts,
    is_bound,
    listener_port,
    proxy_in_full,
    sidecar_hosts,
)
from chaos.mesh.decision import BadRequest, Cluster, Decision, Draws, NoRoute, Request, Rule
from chaos.mesh.headers.local_reply import ReplyMaker
from chaos.mesh.headers.proxy import ProxyHeaders
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import Proxy
from chaos.mesh.paths import normalise
from chaos.mesh.upstream.clusters import Clusters
from chaos.mesh.upstream.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """A match entry that cannot count for this proxy, or comes after a catch-all; for explaining."""

    owner: Resource[VirtualService]  # the VirtualService whose hosts it would serve
    rule: EffectiveRule
    place: int
    reason: str

    @property
    def location(self) -> Location | None:
        places = self.rule.entries
        return places[self.place] if places else self.rule.rule.location


class Rules:
    """Compiled rules. Everything in it is immutable; `without_faults` and `scaled` share all but the faults."""

    def __init__(
        self,
        proxy: Proxy,
        listener: int,
        hosts: tuple[VirtualHost, ...],
        rules: tuple[RuleInfo, ...],
        faults: tuple[Fault | None, ...],
        *,
        clusters: Mapping[str, Cluster],
        problems: tuple[Problem, ...] = (),
        left_out: tuple[LeftOut, ...] = (),
        registry: Registry,
    ):
        self.proxy = proxy
        self.listener = listener
        self.virtual_hosts = hosts
        self.rules = rules
        self.clusters = clusters
        self.problems = problems
        self.left_out = left_out
        self.registry = registry
        self.headers = ProxyHeaders(gateway=proxy.is_gateway)
        self.server_name = self.headers.server
        self._faults = faults
        self._table = HostTable(_tables(hosts))
        self._no_route = ReplyMaker(404, b"", server=self.server_name)
        self._bad_request = ReplyMaker(400, b"", server=self.server_name)

    # ------------------------------------------------------------------ the request path

    def decide(self, request: Request, draws: Draws) -> Decision:
        """What happens to this request; the same request and draws always give the same Decision."""
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
        delay = 0.0
        fault = self._faults[route.ordinal]
        if fault is not None:
            # Delay and abort are independent draws, and Envoy waits before it aborts: a request can be late and
            # refused.
            if fault.delay_parts and draws.delay * 1e6 < fault.delay_parts:
                delay = fault.seconds
            if fault.abort_parts and draws.abort * 1e6 < fault.abort_parts:
                return Decision(fault.aborted(request, draws), route.rule, delay)
        return Decision(route.act(request, normal, mark + query, draws), route.rule, delay)

    # ------------------------------------------------------------------ what is in them

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every name that leads to a virtual host."""
        return tuple(domain for host in self.virtual_hosts for domain in host.domains)

    @property
    def replaces_request_ids(self) -> bool:
        """A gateway gives every request an id of its own; a sidecar keeps the client's."""
        return self.proxy.is_gateway

    def listing(self) -> list[tuple[Rule, tuple[str, ...]]]:
        return [(info.rule, info.hosts) for info in self.rules]

    def info(self, key: str) -> RuleInfo | None:
        return next((info for info in self.rules if info.key == key), None)

    def table(self, authority: bytes) -> RouteTable | None:
        """The routes behind a Host, for explaining."""
        return self._table.find(authority)

    # ------------------------------------------------------------------ variants

    def without_faults(self) -> Rules:
        """The same rules with no fault ever drawn."""
        return self._with((None,) * len(self._faults))

    def scaled(self, overrides: Mapping[str, FaultOverride]) -> Rules:
        """The same rules with other percentages or delays for some rules, by key.

        Raises ValueError for a key that is no rule, and for a number that has no fault to go to."""
        faults = list(self._faults)
        places = {info.key: place for place, info in enumerate(self.rules)}
        for key, override in overrides.items():
            if key not in places:
                raise ValueError(f"there is no rule {key}")
            fault = faults[places[key]]
            if fault is None:
                raise ValueError(f"rule {key} has no fault that could change")
            faults[places[key]] = fault.overridden(override)
        return self._with(tuple(faults))

    def _with(self, faults: tuple[Fault | None, ...]) -> Rules:
        variant = Rules.__new__(Rules)
        variant.__dict__.update(self.__dict__)
        variant._faults = faults
        variant.rules = tuple(info.with_fault(fault) for info, fault in zip(self.rules, faults, strict=True))
        return variant


# ---------------------------------------------------------------------------------------------- compiling


def compile_rules(resources: Resources, registry: Registry, proxy: Proxy | None = None) -> Rules:
    """Rules for a proxy. The resources have passed validation; what only shows now is in `Rules.problems`.

    ServiceEntries add to the registry where it has no endpoints for a port yet."""
    proxy = proxy_in_full(proxy or Proxy(), resources.gateways)
    return _Compilation(resources, registry.with_service_entries(resources.service_entries, proxy), proxy).rules()


class _Compilation:
    def __init__(self, resources: Resources, registry: Registry, proxy: Proxy):
        self.resources = resources
        self.registry = registry
        self.proxy = proxy
        self.listener = listener_port(proxy, resources.gateways)
        clusters = Clusters(registry, resources.destination_rules, proxy, self.listener)
        self.around = Surroundings(ProxyHeaders(gateway=proxy.is_gateway), self.listener, clusters)
        self.infos: list[RuleInfo] = []
        self.faults: list[Fault | None] = []
        self.left_out: list[LeftOut] = []

    def rules(self) -> Rules:
        bound = self._bound()
        if self.proxy.is_gateway:
            hosts = gateway_hosts(bound, self.resources.gateways, self.proxy, self.listener)
        else:
            hosts, ignored = sidecar_hosts(bound, self.registry, self.proxy, self._defaults())
            self.around.problems.extend(ignored)
        served = _served(hosts)
        return Rules(
            self.proxy,
            self.listener,
            tuple(hosts),
            tuple(info.with_hosts(served.get(info.key, ())) for info in self.infos),
            tuple(self.faults),
            clusters=self.around.clusters.made,
            problems=tuple(self.around.problems),
            left_out=tuple(self.left_out),
            registry=self.registry,
        )

    def _bound(self) -> list[Bound]:
        """The VirtualServices that exist for the proxy, in the order of precedence."""
        known = {(each.namespace, each.name): each for each in self.resources.virtual_services}
        ordered = sorted(self.resources.virtual_services, key=lambda resource: resource.precedence)
        return [
            Bound(resource, full_hosts(resource), tuple(self._routes(resource, known)))
            for resource in ordered
            if is_bound(resource, self.proxy)
        ]

    def _routes(
        self, resource: Resource[VirtualService], known: Mapping[tuple[str, str], Resource[VirtualService]]
    ) -> Iterable[Route]:
        """The routes of one VirtualService; everything after its first catch-all is dropped."""
        effective, problems = effective_rules(resource, known)
        self.around.problems.extend(problems)
        closed: Rule | None = None
        for rule in effective:
            if closed is not None:
                self.left_out.append(
                    LeftOut(resource, rule, 0, f"comes after {closed.name}, which takes every request")
                )
                continue
            for route in self._rule(resource, rule):
                yield route
                if route.match.is_catch_all:
                    closed = route.rule
                    break

    def _rule(self, owner: Resource[VirtualService], effective: EffectiveRule) -> list[Route]:
        matches = self._matches(owner, effective)
        if not matches:
            return []
        compiler = RuleCompiler(effective, self.around)
        fault = compiler.fault()
        ordinal = self._add(info_of(compiler, fault), fault)
        places = effective.entries or (effective.rule.location,)
        return [
            Route(effective.rule, ordinal, match, compiler.act(match), place, places[place]) for place, match in matches
        ]

    def _matches(self, owner: Resource[VirtualService], effective: EffectiveRule) -> list[tuple[int, CompiledMatch]]:
        """The entries that count for this proxy; a rule without entries takes everything."""
        if not effective.route.match:
            return [(0, EVERYTHING)]
        counted = []
        for place, entry in enumerate(effective.route.match):
            failed = failed_selector(entry, self.proxy, self.listener, effective.namespace)
            if failed is None:
                counted.append((place, compile_match(entry, self.around.headers)))
            else:
                self.left_out.append(LeftOut(owner, effective, place, failed))
        return counted

    def _defaults(self) -> dict[str, Route]:
        """The default route of every registered service, used where no VirtualService has its host."""
        routes: dict[str, Route] = {}
        for host, service in self.registry.services.items():
            port = service.port(None, self.listener)
            port = port if port in service.ports else next(iter(service.ports))
            rule = Rule(f"service/{host}:{port}", f"{host}:{port}")
            route = default_route(rule, len(self.infos), host, port, self.around, EVERYTHING)
            self._add(info_of_service(rule, f"{host}:{port}", self.around.clusters.made.get(f"{host}:{port}")), None)
            routes[host] = route
        return routes

    def _add(self, info: RuleInfo, fault: Fault | None) -> int:
        self.infos.append(info)
        self.faults.append(fault)
        return len(self.infos) - 1


def _tables(hosts: Iterable[VirtualHost]) -> Iterable[tuple[str, RouteTable]]:
    """One table for all names of a VirtualService: its hosts and their aliases share the routes."""
    made: dict[tuple[Route, ...], RouteTable] = {}
    for host in hosts:
        table = made.get(host.routes)
        if table is None:
            table = made[host.routes] = RouteTable(host.routes)
        for domain in host.domains:
            yield domain, table


def _served(hosts: Iterable[VirtualHost]) -> dict[str, tuple[str, ...]]:
    """By rule key: the hosts through which it is reached."""
    served: dict[str, dict[str, None]] = {}
    for host in hosts:
        for route in host.routes:
            served.setdefault(route.rule.key, {})[host.host] = None
    return {key: tuple(names) for key, names in served.items()}
