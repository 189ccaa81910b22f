"""Resolved match entries as Envoy routes, for one listener (istio translateRoute).

What depends on the mesh (the cluster of a destination, and its hash policy) is passed in as `Destinations`."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chaos.engines.envoy.bootstrap import Message
from chaos.engines.envoy.filters import per_filter_config
from chaos.engines.envoy.headers import LISTS, authority, header_operations
from chaos.engines.envoy.match import route_match
from chaos.engines.envoy.retry import retry_policy
from chaos.engines.envoy.values import duration, per_million
from chaos.mesh.model.message import Destination, Percent
from chaos.mesh.model.virtual_service import (
    HTTPDirectResponse,
    HTTPMatchRequest,
    HTTPRedirect,
    HTTPRoute,
    HTTPRouteDestination,
)
from chaos.mesh.resolve.entries import Entry

_REDIRECT_CODES = {
    0: "MOVED_PERMANENTLY",
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


class Destinations(Protocol):
    """The clusters of destinations; short hosts are completed with `namespace`."""

    def cluster(self, destination: Destination, namespace: str) -> str: ...
    def hash_policy(self, destination: Destination, namespace: str) -> Message | None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """One rule as written, the namespace that completes its short names, and the port of its listener."""

    rule: HTTPRoute
    namespace: str
    port: int
    destinations: Destinations

    def cluster(self, destination: Destination) -> str:
        return self.destinations.cluster(destination, self.namespace)

    def hash_policy(self, destination: Destination) -> Message | None:
        return self.destinations.hash_policy(destination, self.namespace)


def routes(entries: Sequence[Entry], port: int, destinations: Destinations) -> list[Message]:
    """Return one route for each entry, in order."""
    return [
        _route(Written(entry.rule.route, entry.rule.namespace, port, destinations), entry.match) for entry in entries
    ]


def default_route(cluster: str, hash_policy: Message | None) -> Message:
    """Return the route to a registered service without a VirtualService."""
    action: Message = {"cluster": cluster, **_timeouts(None), "retry_policy": retry_policy(None)}
    if hash_policy is not None:
        action["hash_policy"] = [hash_policy]
    return {"name": "default", "match": route_match(None), "route": action}


def _route(written: Written, match: HTTPMatchRequest | None) -> Message:
    rule = written.rule
    name = f"{rule.name}.{match.name}" if match is not None and match.name else rule.name
    route: Message = {"name": name, "match": route_match(match), **header_operations(rule.headers)}
    if rule.redirect is not None:
        route["redirect"] = _redirect(rule.redirect, written.port)
    elif rule.direct_response is not None:
        route["direct_response"] = _direct_response(rule.direct_response)
    else:
        _forward(route, written)
    configs = per_filter_config(rule)
    if configs:
        route["typed_per_filter_config"] = configs
    return route


def _redirect(redirect: HTTPRedirect, listener_port: int) -> Message:
    action: Message = {"response_code": _REDIRECT_CODES[redirect.redirect_code]}
    if redirect.authority:
        action["host_redirect"] = redirect.authority
    if redirect.prefix_rewrite:
        action["prefix_rewrite"] = redirect.prefix_rewrite
    elif redirect.uri:
        action["path_redirect"] = redirect.uri
    if redirect.scheme:
        action["scheme_redirect"] = redirect.scheme
    port = redirect.port or 0
    if redirect.derive_port == "FROM_REQUEST_PORT":
        port = listener_port
    # An authority's own port wins: Envoy would write both ports one after the other, which is not a URL.
    if re.search(r":\d+$", redirect.authority):
        port = 0
    # Istio never writes a scheme's default port; the request's own port, if it has one, then stays.
    if port and (redirect.scheme or "http", port) not in (("http", 80), ("https", 443)):
        action["port_redirect"] = port
    return action


def _direct_response(response: HTTPDirectResponse) -> Message:
    action: Message = {"status": response.status}
    if response.body is None:
        return action
    if response.body.bytes is not None:
        octets = base64.b64decode(response.body.bytes)
        action["body"] = {"inline_bytes": base64.b64encode(octets).decode()}
    elif response.body.string is not None:
        action["body"] = {"inline_string": response.body.string}
    return action


def _forward(route: Message, written: Written) -> None:
    """Add `rule.route` as a route action; a single destination's header operations are appended to the route's own."""
    rule = written.rule
    action: Message = {**_timeouts(rule.timeout), **_rewrite(rule)}
    mirrors = _mirrors(written)
    if mirrors:
        action["request_mirror_policies"] = mirrors
    hashes = [written.hash_policy(part.destination) for part in _weighted(rule)]
    if any(hashes):
        action["hash_policy"] = [policy for policy in hashes if policy is not None]
    if len(rule.route) == 1:
        _single(route, action, rule.route[0], written)
    else:
        clusters = [_cluster_weight(part, written) for part in _weighted(rule)]
        action["weighted_clusters"] = {"clusters": clusters}
    policy = retry_policy(rule.retries, consistent_hash=len(rule.route) == 1 and any(hashes))
    if policy is not None:
        action["retry_policy"] = policy
    route["route"] = action


def _weighted(rule: HTTPRoute) -> Sequence[HTTPRouteDestination]:
    """Return the destinations that can be drawn: a single one whatever its weight, of several those with a weight."""
    return rule.route if len(rule.route) == 1 else [part for part in rule.route if part.weight]


def _timeouts(timeout: float | None) -> Message:
    """Return the timeouts; without one in the rule both are 0 (unlimited), because for gRPC Envoy would otherwise use
    the client's header."""
    spelled = duration(timeout or 0)
    return {"timeout": spelled, "max_grpc_timeout": spelled}


def _rewrite(rule: HTTPRoute) -> Message:
    rewrite, host = rule.rewrite, authority(rule.headers)
    action: Message = {}
    if rewrite is not None:
        host = rewrite.authority or host
        if rewrite.uri_regex_rewrite is not None:
            action["regex_rewrite"] = {
                "pattern": {"regex": rewrite.uri_regex_rewrite.match},
                "substitution": rewrite.uri_regex_rewrite.rewrite,
            }
        elif rewrite.uri:
            action["prefix_rewrite"] = rewrite.uri
    if host:
        action["host_rewrite_literal"] = host
    return action


def _mirrors(written: Written) -> list[Message]:
    rule = written.rule
    wanted: list[tuple[Destination, Percent | None]] = []
    if rule.mirror is not None:
        share = rule.mirror_percentage
        if share is None and rule.mirror_percent is not None:
            share = Percent(value=float(rule.mirror_percent))
        wanted.append((rule.mirror, share))
    wanted += [(mirror.destination, mirror.percentage) for mirror in rule.mirrors]
    return [
        {
            "cluster": written.cluster(destination),
            "runtime_fraction": {"default_value": per_million(share or Percent(value=100.0))},
            "trace_sampled": False,
            "disable_shadow_host_suffix_append": True,
        }
        for destination, share in wanted
        if share is None or share.value > 0
    ]


def _single(route: Message, action: Message, part: HTTPRouteDestination, written: Written) -> None:
    action["cluster"] = written.cluster(part.destination)
    operations = header_operations(part.headers)
    for name in LISTS:
        if name in operations:
            route[name] = [*route.get(name, []), *operations[name]]
    host = authority(part.headers)
    if host:
        action.setdefault("host_rewrite_literal", host)


def _cluster_weight(part: HTTPRouteDestination, written: Written) -> Message:
    cluster: Message = {"name": written.cluster(part.destination), "weight": part.weight}
    cluster.update(header_operations(part.headers))
    host = authority(part.headers)
    if host:
        cluster["host_rewrite_literal"] = host
    return cluster
