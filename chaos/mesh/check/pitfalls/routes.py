"""Find settings that Istio accepts without a word although they are seldom meant: what happens, and what would be
right.

All of them are infos: Istio itself neither refuses nor warns. Faults and retries are in `faults.py`, rules that no
request reaches in `reach.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chaos.errors import Problem
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import KnownServices
from chaos.mesh.check.pitfalls.beside import beside_pitfalls
from chaos.mesh.check.pitfalls.binding import binding_pitfalls
from chaos.mesh.check.pitfalls.faults import fault_pitfalls
from chaos.mesh.check.pitfalls.misspelt import misspelt_pitfalls
from chaos.mesh.check.pitfalls.reach import reach_pitfalls
from chaos.mesh.check.pitfalls.regexes import regex_pitfalls
from chaos.mesh.check.pitfalls.rewrites import rewrite_pitfalls
from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import Headers, HTTPMatchRequest, HTTPRoute, VirtualService
from chaos.mesh.names import Proxy
from chaos.mesh.read.shape import Wording, shown
from chaos.mesh.request_line import wrong_port
from chaos.mesh.resolve.sidecars import sidecar_of

if TYPE_CHECKING:
    from chaos.mesh.model.destination_rule import DestinationRule, TrafficPolicy

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"]


def pitfalls(resources: Resources, proxy: Proxy, known: KnownServices) -> list[Problem]:
    """Return the infos on all resources; `proxy` is the one that the gateway plays, `known` are the services that
    exist."""
    problems: list[Problem] = []
    sidecar = sidecar_of(resources.sidecars, proxy)
    for service in resources.virtual_services:
        at = At(service, ("spec",), problems)
        _virtual_service(at, service)
        binding_pitfalls(at, service, proxy, sidecar)
        misspelt_pitfalls(at, service, known)
    for rule in resources.destination_rules:
        _destination_rule(At(rule, ("spec",), problems), rule.spec)
    beside_pitfalls(lambda resource: At(resource, ("spec",), problems), resources)
    return problems


def _virtual_service(at: At, service: Resource[VirtualService]) -> None:
    spec = service.spec
    for kind, routes in (("tls", spec.tls), ("tcp", spec.tcp)):
        if routes:
            needed = f"a listener of {kind.upper()} in the Experiment's spec.listeners (--engine envoy)"
            at.into(kind).info(f"{kind} routes apply at {needed} alone; our own gateway serves HTTP", "not-served")
    reach_pitfalls(at, spec)
    for index, route in enumerate(spec.http):
        here = at.into("http", index)
        _route(here, route, service.namespace)
        fault_pitfalls(here, route)
        rewrite_pitfalls(here, route)
        regex_pitfalls(here, route)


def _route(at: At, route: HTTPRoute, namespace: str) -> None:
    for index, match in enumerate(route.match):
        _match(at.into("match", index), match)
    _headers(at.into("headers"), route.headers)
    for index, destination in enumerate(route.route):
        here = at.into("route", index)
        _headers(here.into("headers"), destination.headers)
        _dotted(here.into("destination", "host"), destination.destination.host, namespace)
        if len(route.route) > 1 and destination.weight == 0:
            absent = "" if destination.has("weight") else " (absent)"
            here.info(f"weight 0{absent}: no request goes to {destination.destination.host}", "no-weight")
    if route.cors_policy is not None and not (route.cors_policy.allow_origins or route.cors_policy.allow_origin):
        at.into("corsPolicy").info("no effect without allowOrigins", "no-effect")
    if route.redirect is not None and route.redirect.port == 80 and route.redirect.scheme != "https":
        message = "port 80 is not written into the location, and the request's own port stays there"
        at.into("redirect", "port").info(message, "redirect-port")


def _match(at: At, match: HTTPMatchRequest) -> None:
    _uri(at.into("uri"), match)
    authority = match.authority.exact if match.authority is not None else None
    if authority and (wrong := wrong_port(authority)):
        at.into("authority", "exact").info(f"no request asks for it: {wrong}", "never-matches")
    method = match.method.exact if match.method is not None else None
    if method is not None and method not in _METHODS and method.upper() in _METHODS:
        at.into("method", "exact").info(
            Wording(f"methods are case-sensitive; write {method.upper()}", method.upper()), "never-matches"
        )
    for field, conditions in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
        _regex_anything(at.into(field), conditions, field)


def _uri(at: At, match: HTTPMatchRequest) -> None:
    uri = match.uri
    if uri is None:
        return
    text = uri.exact if uri.exact is not None else uri.prefix
    if text and "?" in text:
        message = "uri is the path without its query, so this never matches; use queryParams"
        at.into("exact" if uri.exact is not None else "prefix").info(message, "never-matches")
    elif text and not text.startswith("/"):
        begun = Wording(f"a path begins with /, so this never matches; write /{text}", f"/{text}")
        at.into("exact" if uri.exact is not None else "prefix").info(begun, "never-matches")
    if uri.regex is not None and match.ignore_uri_case:
        at.into("regex").info("ignoreUriCase has no effect on a regex; begin it with (?i)", "no-effect")
    if uri.regex is not None and "\\?" in uri.regex:
        at.into("regex").info("uri is the path without its query; use queryParams", "never-matches")


def _regex_anything(at: At, conditions: Mapping[str, StringMatch], field: str) -> None:
    for name, condition in conditions.items():
        if field == "withoutHeaders" and condition.regex == ".*":
            message = "an absent header counts as empty, so this never matches; write {} for `absent`"
            at.into(name).info(message, "never-matches")
        elif field == "withoutHeaders" and condition.exact == "":
            at.into(name).info("an absent header counts as empty, so the header must be there", "withoutheaders")


def _headers(at: At, headers: Headers | None) -> None:
    if headers is None:
        return
    for side, operations in (("request", headers.request), ("response", headers.response)):
        if operations is None:
            continue
        for field, changed in (("set", operations.set), ("add", operations.add)):
            for name, value in changed.items():
                if not value:
                    at.into(side, field, name).info("an empty value does nothing; to drop it use remove", "no-effect")


def _dotted(at: At, host: str, namespace: str) -> None:
    """Report a host like `web.default`: it looks like a short name, but a name with a dot is never completed."""
    parts = host.split(".")
    short = len(parts) == 2 and parts[1] == namespace
    if short or (len(parts) in (3, 4) and parts[2:] in (["svc"], ["svc", "cluster"])):
        name = f"{parts[0]}.{parts[1]}.svc.cluster.local"
        at.info(Wording(f"a name with a dot is taken as it is; write {name}", name), "dotted-name")


def _destination_rule(at: At, rule: DestinationRule) -> None:
    _policy(at.into("trafficPolicy"), rule.traffic_policy)
    for index, subset in enumerate(rule.subsets):
        here = at.into("subsets", index)
        _policy(here.into("trafficPolicy"), subset.traffic_policy)
        if not subset.labels:
            here.info(f"without labels the subset {shown(subset.name)} has all endpoints", "no-labels")


def _policy(at: At, policy: TrafficPolicy | None) -> None:
    if policy is None:
        return
    _balancing(at, policy)
    outlier = policy.outlier_detection
    if outlier is None:
        return
    share = outlier.max_ejection_percent or 10
    if share < 100:
        most = -(-100 // share)
        written = f"maxEjectionPercent {share}" + ("" if outlier.max_ejection_percent else " (the default)")
        message = f"{written}: no endpoint is ejected from a service of fewer than {most}"
        at.into("outlierDetection").info(message, "max-ejection")


def _balancing(at: At, policy: TrafficPolicy) -> None:
    balancer = policy.load_balancer
    if balancer is None:
        return
    if balancer.simple == "PASSTHROUGH":
        message = "PASSTHROUGH needs the caller's original destination, which a local gateway does not have"
        at.into("loadBalancer", "simple").info(message, "not-served")
    settings = balancer.consistent_hash
    if settings is not None and not (
        settings.http_header_name
        or settings.http_cookie
        or settings.use_source_ip
        or settings.http_query_parameter_name
    ):
        at.into("loadBalancer", "consistentHash").info("without a key to hash the endpoint is random", "no-effect")
