"""Compile one HTTPRoute and one of its match entries: which requests it takes (`match`), and what is done with them
(`act`).

`act` returns the action for a request that no fault has ended: redirect, direct response, preflight, or forward.
Everything that depends on the rule alone is computed here, once; per request only what depends on the request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate

from chaos.errors import Location, Problem
from chaos.faults import AbortFault, DelayFault, fault_of
from chaos.mesh.compile.clusters import Clusters
from chaos.mesh.compile.cors import compile_cors
from chaos.mesh.compile.fault import ABORT_BODY, Fault, MakeReply, read_fault
from chaos.mesh.compile.forward import Branch, MakeForward, again, forwarder, mirror_share
from chaos.mesh.compile.headers import RouteHeadwork, see
from chaos.mesh.compile.match import CompiledMatch
from chaos.mesh.compile.redirect import DEFAULT_CODE, Locate, compile_location, own_location
from chaos.mesh.compile.rewrite import PathRewrite, compile_path_rewrite, replace_matched
from chaos.mesh.decision import (
    Action,
    Balancing,
    Cluster,
    DirectResponse,
    Draws,
    Forward,
    HashKey,
    Headers,
    Preflight,
    Redirect,
    Reply,
    Request,
    RetryPolicy,
    Rule,
)
from chaos.mesh.headers.command_operators import ORIGINAL_PATH, Exchange
from chaos.mesh.headers.grpc import is_grpc
from chaos.mesh.headers.local_reply import ReplyMaker, Seen, operated, render
from chaos.mesh.headers.names import MERGED_REQUEST, MERGED_RESPONSE
from chaos.mesh.headers.operations import CONNECTION, FRAMING, Level, compile_levels, host_of
from chaos.mesh.headers.proxy import ProxyHeaders
from chaos.mesh.model.message import Destination
from chaos.mesh.model.virtual_service import Headers as WrittenHeaders
from chaos.mesh.model.virtual_service import HTTPRoute, HTTPRouteDestination
from chaos.mesh.resolve.delegate import EffectiveRule
from chaos.mesh.upstream.registry import Service
from chaos.mesh.upstream.retry import compile_retry
from chaos.units import Percent as Parts

Act = Callable[[Request, bytes, bytes, Draws], Action]  # request, normalised path, `?query` or nothing


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules are compiled for: the proxy's role, its listener's port, and the clusters it knows."""

    headers: ProxyHeaders
    listener: int
    clusters: Clusters
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One way into a rule: a match entry, and the action. `ordinal` is the index of its fault among all."""

    rule: Rule
    ordinal: int
    match: CompiledMatch
    act: Act
    place: int = 0  # index of the match entry in the rule
    location: Location | None = None  # of that entry


class RuleCompiler:
    """Compiles one rule; what its match entries share is made once."""

    def __init__(self, effective: EffectiveRule, around: Surroundings, match_name: str = ""):
        self.effective = effective
        self.route_name = f"{effective.route.name}.{match_name}" if match_name else effective.route.name
        self.route: HTTPRoute = effective.route
        self.around = around
        self.server = around.headers.server
        self.hash_keys = self._hash_keys()
        self.retry = compile_retry(self.route.retries, hashed=len(self.route.route) == 1 and bool(self.hash_keys))
        self.timeout = self.route.timeout or None
        self.mirrors = self._mirrors()
        self.branches = self._branches()

    # ------------------------------------------------------------------ faults

    def fault(self) -> Fault | None:
        """Return the rule's compiled fault, or None."""
        faults = read_fault(self.route.fault)
        if not faults:
            return None
        abort = fault_of(faults, AbortFault)
        if abort is None:
            return Fault(faults, None)
        on_time, late = self._abort_replies(abort, b"FI"), self._abort_replies(abort, b"DI,FI")
        return Fault(faults, on_time, on_time if fault_of(faults, DelayFault) is None else late)

    def _abort_replies(self, abort: AbortFault, flags: bytes) -> MakeReply:
        """Return the function that makes the reply of an abort.

        Envoy draws the destination before its fault filter runs, and applies that destination's operations to
        aborts."""
        drawn = self._drawn_destinations() or (None,)
        replies = [self._abort_reply(abort, destination, flags) for destination in drawn]
        first = replies[0]
        alike = not any(destination and destination.headers for destination in drawn) and first.is_static
        if alike or len(replies) == 1:
            return lambda request, draws: first(request)
        place = _drawer([destination.weight for destination in drawn if destination])
        return lambda request, draws: replies[place(draws)](request)

    def _abort_reply(self, abort: AbortFault, to: HTTPRouteDestination | None, flags: bytes) -> ReplyMaker:
        return ReplyMaker(
            abort.status,
            ABORT_BODY,
            server=self.server,
            levels=self._response_levels(to.headers if to else None) if self.branches else (),  # Envoy: if it forwards
            seen=self._seen(flags, b"fault_filter_abort", self._outbound(to) if to else b""),
            grpc_status=abort.grpc_status,
        )

    def _outbound(self, to: HTTPRouteDestination) -> bytes:
        """Return the name of a destination's cluster, the value of %UPSTREAM_CLUSTER%; empty if there is no such
        cluster."""
        clusters, namespace = self.around.clusters, self.effective.namespace
        if clusters.find(to.destination, namespace) is None:
            return b""
        return outbound_stat(clusters.outbound_name(to.destination, namespace))

    def _drawn_destinations(self) -> tuple[HTTPRouteDestination, ...]:
        """Return the destinations that can be drawn: a single one whatever its weight, of several those with a
        weight."""
        written = self.route.route
        return written if len(written) == 1 else tuple(each for each in written if each.weight > 0)

    # ------------------------------------------------------------------ actions

    def act(self, match: CompiledMatch) -> Act:
        """Return the function that makes the action of a request which this entry has taken."""
        if self.route.redirect is not None:
            return self._redirect(match)
        if self.route.direct_response is not None:
            return self._direct_response()
        return self._with_cors(self._forward(match))

    def _redirect(self, match: CompiledMatch) -> Act:
        assert self.route.redirect is not None
        code = self.route.redirect.redirect_code or DEFAULT_CODE
        location = compile_location(self.route.redirect, match.uri, self.around.headers, self.around.listener)
        prefix = self.route.redirect.prefix_rewrite
        reply = self._located(code, b"", location, replace_matched(match.uri, prefix) if prefix else None)
        return lambda request, path, query, draws: Redirect(reply(request, path, query))

    def _direct_response(self) -> Act:
        written = self.route.direct_response
        assert written is not None
        body = written.body.octets if written.body else b""
        if written.status == 201 or 300 <= written.status < 400:
            located = self._located(written.status, body, own_location(self.around.headers))
            return lambda request, path, query, draws: DirectResponse(located(request, path, query))
        levels = self._response_levels(None)
        reply = ReplyMaker(
            written.status, body, server=self.server, levels=levels, seen=self._seen(b"-", b"direct_response")
        )
        return lambda request, path, query, draws: DirectResponse(reply(request))

    def _located(
        self, status: int, body: bytes, location: Locate, rewrite: PathRewrite | None = None
    ) -> Callable[[Request, bytes, bytes], Reply]:
        """Return a function that makes a reply with a location. Command operators see the path that `rewrite` makes."""
        levels = self._response_levels(None)
        seen = self._seen(b"-", b"direct_response")

        def see_rewritten(request: Request, path: bytes, query: bytes, kept: Headers) -> Exchange:
            exchange = seen(request, status, kept)
            if rewrite is not None:
                exchange.path = rewrite(path) + query
                exchange.headers.append((ORIGINAL_PATH, path + query))
            return exchange

        def reply(request: Request, path: bytes, query: bytes) -> Reply:
            headers: Headers = [(b"location", location(request, path, query))]
            headers = operated(headers, levels, lambda kept: see_rewritten(request, path, query, kept))
            return render(status, body, headers, self.server, grpc=is_grpc(request))

        return reply

    def _with_cors(self, forward: Act) -> Act:
        cors = compile_cors(self.route.cors_policy, self.server)
        if cors is None:
            return forward

        def act(request: Request, path: bytes, query: bytes, draws: Draws) -> Action:
            if request.method == b"OPTIONS" and (reply := cors.preflight(request)) is not None:
                return Preflight(reply)
            return forward(request, path, query, draws)

        return act

    def _forward(self, match: CompiledMatch) -> Act:
        rewrite = compile_path_rewrite(self.route.rewrite, match.uri)
        drawn = [branch for branch in self.branches if branch.weight > 0]
        assert drawn, "validation refuses weights that are all zero"
        ways = [self._way(branch, rewrite) for branch in drawn]
        if len(ways) == 1:
            return ways[0]
        place = _drawer([branch.weight for branch in drawn])
        return lambda request, path, query, draws: ways[place(draws)](request, path, query, draws)

    def _way(self, branch: Branch, rewrite: PathRewrite | None) -> Act:
        headwork = replace(branch.headwork)  # a copy: `again` holds the rewrite, which differs between match entries
        make = forwarder(replace(branch, headwork=headwork), rewrite, self.timeout, self.retry, self.mirrors)
        headwork.again = again(make)
        return _with_retry_headers(make, headwork, self.retry) if headwork.sets_retries else make

    # ------------------------------------------------------------------ destinations

    def _branches(self) -> tuple[Branch, ...]:
        if self.route.redirect is not None or self.route.direct_response is not None:
            return ()
        destinations = self.route.route
        if len(destinations) == 1:
            return (self._branch(destinations[0], 1),)  # its weight is ignored, 0 too
        return tuple(self._branch(destination, destination.weight) for destination in destinations)

    def _branch(self, written: HTTPRouteDestination, weight: int) -> Branch:
        namespace = self.effective.namespace
        destination = written.destination
        headwork = RouteHeadwork(
            self.around.headers,
            self._request_levels(written.headers),
            self._response_levels(written.headers),
            compile_cors(self.route.cors_policy, self.server),
            self.retry.per_try_timeout if self.retry else None,
            self._outbound(written),
        )
        name = self.around.clusters.name(destination, namespace)
        cluster = self.around.clusters.find(destination, namespace)
        host, shown = self._hosts(written.headers)
        keys = self.hash_keys if _is_hashed(cluster) else ()
        return Branch(name, weight, cluster, headwork, host.encode() if host else None, keys, shown)

    def _hash_keys(self) -> tuple[HashKey, ...]:
        """Return what the rule's requests are hashed by: the keys of all destinations that can be drawn."""
        clusters, namespace = self.around.clusters, self.effective.namespace
        keys = (clusters.hash_key(each.destination, namespace) for each in self._drawn_destinations())
        return tuple(key for key in keys if key is not None)

    def _hosts(self, own: WrittenHeaders | None) -> tuple[str | None, bytes | None]:
        """Return the Host to send (None for the request's own), and the value of x-envoy-original-host as
        Branch.shown_host has it.

        The order is: rewrite.authority, the rule's headers, the destination's. One of several destinations changes Host
        first and leaves no x-envoy-original-host (Envoy's WeightedClusterEntry)."""
        rewrite, headers = self.route.rewrite, self.route.headers
        of_rule = (rewrite.authority if rewrite else None) or host_of(headers.request if headers else None)
        of_destination = host_of(own.request if own else None)
        if len(self.route.route) == 1 or not of_destination:
            return of_rule or of_destination, b""
        return of_rule or of_destination, of_destination.encode() if of_rule else None

    def _mirrors(self) -> tuple[tuple[Cluster, Parts], ...]:
        """Return the mirrors that exist and have a share above 0."""
        route = self.route
        wanted: list[tuple[Destination, Parts]] = []
        if route.mirror is not None:
            wanted.append((route.mirror, mirror_share(route.mirror_percentage, route.mirror_percent)))
        wanted += [(mirror.destination, mirror_share(mirror.percentage, None)) for mirror in route.mirrors]
        found = [(self.around.clusters.find(to, self.effective.namespace), parts) for to, parts in wanted]
        return tuple((cluster, parts) for cluster, parts in found if cluster is not None and parts.per_million)

    # ------------------------------------------------------------------ headers

    def _request_levels(self, own: WrittenHeaders | None) -> tuple[Level, ...]:
        route = self.route.headers
        return compile_levels(
            route.request if route else None,
            own.request if own else None,
            several=len(self.route.route) > 1,
            merged=MERGED_REQUEST,
            constants=self._constants(),
            unsupported=self._unsupported,
            untouched=FRAMING | {b"x-envoy-attempt-count"},  # the gateway's own
        )

    def _response_levels(self, own: WrittenHeaders | None) -> tuple[Level, ...]:
        route = self.route.headers
        return compile_levels(
            route.response if route else None,
            own.response if own else None,
            several=len(self.route.route) > 1,
            merged=MERGED_RESPONSE,
            untouched=FRAMING | CONNECTION,
            constants=self._constants(),
            unsupported=self._unsupported,
        )

    def _constants(self) -> dict[str, bytes]:
        return {"ROUTE_NAME": self.route_name.encode(), "DOWNSTREAM_LOCAL_PORT": b"%d" % self.around.listener}

    def _unsupported(self, what: str) -> None:
        rule = self.effective.rule
        if rule.location is not None:
            problem = Problem(rule.location, "headers", f"{what}: taken as empty", "warning", "formatter")
            if problem not in self.around.problems:
                self.around.problems.append(problem)

    def _seen(self, flags: bytes, details: bytes, cluster: bytes = b"") -> Seen:
        headers = self.around.headers

        def seen(request: Request, status: int, response: Headers) -> Exchange:
            exchange = see(headers, request, headers.incoming(request), cluster=cluster)
            exchange.response, exchange.status = response, b"%d" % status
            exchange.flags, exchange.details = flags, details
            return exchange

        return seen


def default_route(rule: Rule, ordinal: int, service: Service, around: Surroundings, match: CompiledMatch) -> Route:
    """Return the only route to a registered service without a VirtualService: no timeout, default retries."""
    host, port = service.host, around.listener
    headwork = RouteHeadwork(around.headers, (), (), None, None, outbound_stat(f"outbound|{port}||{host}"))
    cluster, key = around.clusters.of_service(service), around.clusters.hash_key_of(service)
    keys = (key,) if key is not None and _is_hashed(cluster) else ()
    branch = Branch(f"{host}:{port}", 1, cluster, headwork, None, keys)
    return Route(rule, ordinal, match, forwarder(branch, None, None, compile_retry(None), ()))


def _is_hashed(cluster: Cluster | None) -> bool:
    return cluster is not None and cluster.balancing is Balancing.CONSISTENT_HASH


def outbound_stat(name: str) -> bytes:
    """Return a cluster's name in statistics (Istio's alt_stat_name), with room for a suffix that is empty here."""
    return f"{name};".encode()


def _with_retry_headers(make: MakeForward, headwork: RouteHeadwork, policy: RetryPolicy | None) -> Act:
    """Return the same action with the retries that the rule's own request headers ask for."""

    def act(request: Request, path: bytes, query: bytes, draws: Draws) -> Forward:
        return replace(make(request, path, query, draws), retry=headwork.retry(request, policy))

    return act


def _drawer(weights: list[int]) -> Callable[[Draws], int]:
    """Return a function to the index that the split draw selects, by weight / sum of weights."""
    total, edges = sum(weights), list(accumulate(weights))[:-1]
    return lambda draws: bisect_right(edges, draws.split * total)
