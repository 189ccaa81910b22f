"""Explain why a request takes the rule it takes, condition by condition: `chaos explain`.

It tests the compiled rules themselves and knows nothing of Istio's rules; the result is an `Explanation`."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from chaos.errors import Location
from chaos.faults import spared
from chaos.mesh.compile.hosts import without_port
from chaos.mesh.compile.match import Condition
from chaos.mesh.compile.route_table import RouteTable
from chaos.mesh.compile.rule import Route
from chaos.mesh.compile.rules import CompiledHost, Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.mesh.decision import (
    Abort,
    Action,
    BadRequest,
    DirectResponse,
    Forward,
    NoRoute,
    Preflight,
    Redirect,
    Reply,
    Request,
)
from chaos.mesh.draws import FixedDraws
from chaos.mesh.explain.explanation import Considered, Explanation, Fate, Skipped, Tested
from chaos.mesh.paths import normalise
from chaos.mesh.request_line import wrong_port
from chaos.mesh.upstream.registry import Service

_HOSTS_SHOWN = 12
_FIRST_ATTEMPT = (b"x-envoy-attempt-count", b"1")


def explain(rules: Rules, request: Request) -> Explanation:
    """Explain what the rules do with a request."""
    path, mark, query = request.target.partition(b"?")
    normal = None if b"#" in request.target else normalise(path)
    table = rules.table(request.authority)
    host = _host_of(rules, table)
    # Faults are explained from the rule's summary; the action shown is that of a request without faults.
    decision = rules.without_faults().decide(request, FixedDraws())
    rule = rules.info(decision.rule.key) if decision.rule else None
    return Explanation(
        method=request.method.decode(),
        host=request.authority.decode(),
        listener=rules.listener_of(request.authority),
        target=request.target.decode("latin-1"),
        normalised=None if normal is None else (normal + mark + query).decode("latin-1"),
        virtual_host=host.host if host else None,
        virtual_services=_sources(host),
        nothing_here=nothing_here(rules, request.authority) if host is None else "",
        known_hosts=_offered(rules, request) if host is None else (),
        considered=_considered(table, request, normal, mark + query) if table and normal else (),
        skipped=_skipped(rules, host),
        rule=rule,
        fate=_fate(decision.action, request, rule),
    )


def _host_of(rules: Rules, table: RouteTable | None) -> CompiledHost | None:
    return next((host for host in rules.virtual_hosts if table and host.routes == table.routes), None)


def nothing_here(rules: Rules, authority: bytes) -> str:
    """Return why no virtual host has requests with this Host: no such listener, no HTTP of the service there, or an
    unknown name."""
    port = rules.listener_of(authority)
    if rules.mesh.only is None and (wrong := wrong_port(authority.decode("latin-1"))):
        return wrong
    if missing := _no_played_listener(rules):
        return missing
    service = service_called(rules, authority)
    if service is not None:
        return _hidden(rules, service, port) or _not_on(service, port, fixed=rules.mesh.only is not None)
    if rules.mesh.only is None and port not in {listener.port for listener in rules.mesh.listeners}:
        return no_listener(port, (listener.port for listener in rules.mesh.listeners))
    host = without_port(authority).decode("latin-1")
    if rules.proxy.is_gateway:
        return f"no VirtualService of the Gateway {rules.proxy.gateway_name} has the host {host}"
    return f"{host} is neither a service here nor a host of a rule; a mesh would pass it through, this gateway does not"


def service_called(rules: Rules, authority: bytes) -> Service | None:
    """Return the registered service that this Host names, whatever its ports; None for an unknown name."""
    name = without_port(authority).decode("latin-1").lower()
    services = rules.mesh.unscoped.services.values()
    return next((each for each in services if name in each.aliases(rules.proxy.namespace)), None)


def _hidden(rules: Rules, service: Service, port: int) -> str:
    """Return that a Sidecar hides a service on this listener; empty if none does."""
    scope = rules.mesh.scope
    here = scope.at(port) if scope is not None else None
    if scope is None or not service.speaks_http(port) or (here is not None and here.registry.get(service.host)):
        return ""
    owner = "." if service.namespace == scope.source.namespace else service.namespace
    place = scope.source.locate(("spec", "egress"))
    return f"{scope.source} ({place}) hides {_short(service)}; add {owner}/{service.host} to its egress hosts"


def _short(service: Service) -> str:
    return service.host.split(".", 1)[0] if service.host.endswith(".svc.cluster.local") else service.host


def _not_on(service: Service, port: int, *, fixed: bool) -> str:
    name = _short(service)
    if port in service.ports:
        protocol = service.ports[port].protocol
        return f"{name} speaks {protocol} on port {port}: HTTP rules are never applied there"
    ports = [number for number in service.ports if service.speaks_http(number)]
    if not ports:
        return f"{name} has no HTTP on any port"
    several = "ports are" if len(ports) > 1 else "port is"
    shown = ", ".join(map(str, ports))
    right = f"ask for http://{name}:{ports[0]}/" if not fixed else f"spec.proxy.port is {port}, for all requests"
    return f"{name} has no HTTP on port {port}: its {several} {shown}; {right}"


def _no_played_listener(rules: Rules) -> str:
    """Return that the only listener of a sidecar does not exist in the mesh; empty if it does."""
    ports = rules.mesh.http_ports
    if rules.mesh.only is None or rules.proxy.is_gateway or not ports or rules.mesh.only in ports:
        return ""
    return no_listener(rules.mesh.only, ports)


def no_listener(port: int, ports: Iterable[int]) -> str:
    """Return that a port is no listener, and which ports are."""
    return f"listener {port} does not exist: HTTP ports here are {', '.join(map(str, ports)) or 'none'}"


def _sources(host: CompiledHost | None) -> tuple[tuple[str, str], ...]:
    owners = host.owners if host else ()
    return tuple((f"{each.namespace}/{each.name}", str(each.locate(("spec",)))) for each in owners)


def _offered(rules: Rules, request: Request) -> tuple[str, ...]:
    """Return names that were perhaps meant, or else the first ones that exist; none for a known service, whose port is
    at fault."""
    if service_called(rules, request.authority) is not None:
        return ()
    close = get_close_matches(request.authority.decode().lower(), rules.hosts, n=3)
    return tuple(close or [host.host for host in rules.virtual_hosts][:_HOSTS_SHOWN])


def _considered(table: RouteTable, request: Request, path: bytes, query: bytes) -> tuple[Considered, ...]:
    """Return the entries up to the one that takes the request; all when none does."""
    found = []
    for route in table.routes:
        tested = tuple(_tested(each, request, path, query) for each in _conditions(route))
        taken = all(each.holds for each in tested)
        entry = route.place if route.match.source is not None else None
        found.append(Considered(route.rule.name, route.rule.key, entry, _where(route.location), taken, tested))
        if taken:
            break
    return tuple(found)


def _conditions(route: Route) -> tuple[Condition, ...]:
    """Return all conditions of a route, also one on the path that always holds."""
    match = route.match
    return (match.uri.condition, *match.others) if match.uri else match.others


def _tested(condition: Condition, request: Request, path: bytes, query: bytes) -> Tested:
    seen = tuple(value.decode("utf-8", "replace") for value in condition.seen(request, path, query))
    return Tested(condition.name, condition.expected, seen, condition.test(request, path, query))


def _where(location: Location | None) -> str:
    return str(location) if location else ""


def _skipped(rules: Rules, host: CompiledHost | None) -> tuple[Skipped, ...]:
    owners = host.owners if host else ()
    return tuple(
        Skipped(left.rule.rule.name, _where(left.location), left.reason)
        for left in rules.left_out
        if host is not None and left.listener == host.listener and any(left.owner is owner for owner in owners)
    )


# ---------------------------------------------------------------------------------------------- what happens


def _fate(action: Action, request: Request, rule: RuleInfo | None) -> Fate:
    match action:
        case Forward():
            return _forward(action, request, rule)
        case Redirect():
            return _reply("redirect", action.reply)
        case DirectResponse():
            return _reply("direct-response", action.reply)
        case Preflight():
            return _reply("preflight", action.reply)
        case NoRoute():
            return _reply("no-route", action.reply)
        case BadRequest():
            return _reply("bad-request", action.reply)
        case Abort():
            raise AssertionError("no fault is drawn here")


def _reply(kind: str, reply: Reply) -> Fate:
    headers = _text(reply.headers)
    body = reply.body.decode("utf-8", "replace")
    return Fate(kind, reply.status, dict(headers).get("location"), body, headers=headers)


def _forward(action: Forward, request: Request, rule: RuleInfo | None) -> Fate:
    left = spared(rule.faults) if rule else 1.0
    destinations = rule.destinations if rule else ()
    return Fate(
        "forward",
        target=action.target.decode("latin-1"),
        authority=action.authority.decode(),
        rewritten=action.original_path is not None or action.original_host is not None,
        headers=_text([*action.headwork.upstream_headers(request, action), _FIRST_ATTEMPT]),
        destinations=tuple(
            (each.name, each.share * left, _behind(each.known, each.endpoints)) for each in destinations
        ),
    )


def _behind(known: bool, endpoints: int) -> str:
    if not known:
        return "unknown service, port or subset: 503"
    if not endpoints:
        return "no endpoints: 503 no healthy upstream"
    return f"{endpoints} endpoint{'s' if endpoints > 1 else ''}"


def _text(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
