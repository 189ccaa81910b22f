"""Forward to one destination of a rule: path and Host for upstream, timeout, retries, drawn mirrors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.faults import FaultKind
from chaos.mesh.compile.headers import RouteHeadwork
from chaos.mesh.compile.rewrite import PathRewrite
from chaos.mesh.decision import Cluster, Draws, Forward, HashKey, Request, RetryPolicy
from chaos.mesh.headers.grpc import is_grpc, limited_timeout
from chaos.mesh.model.message import Percent
from chaos.mesh.paths import normalise
from chaos.units import MILLION
from chaos.units import Percent as Parts

MakeForward = Callable[[Request, bytes, bytes, Draws], Forward]  # request, normalised path, `?query` or nothing
ALWAYS = Parts(MILLION)


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One destination of a rule, with its share of the requests: weight / sum of weights."""

    name: str
    weight: int
    cluster: Cluster | None
    headwork: RouteHeadwork
    host: bytes | None  # rewritten Host
    hash_keys: tuple[HashKey, ...] = ()
    shown_host: bytes | None = b""  # for x-envoy-original-host; b"" means the request's own, None no header


def mirror_share(percentage: Percent | None, percent: int | None) -> Parts:
    """Return the share that is configured, the newer field first; all requests when neither is."""
    if percentage is not None:
        return Parts.of(percentage.value)
    return ALWAYS if percent is None else Parts.of(percent)


def forwarder(
    branch: Branch,
    rewrite: PathRewrite | None,
    timeout: float | None,
    retry: RetryPolicy | None,
    mirrors: tuple[tuple[Cluster, Parts], ...],
) -> MakeForward:
    """Return a function that makes the Forward of a request to one destination.

    Most rules have no rewrite, no mirrors and no consistent hash; for them it is a shorter function."""
    cluster, headwork, host, shown_host = branch.cluster, branch.headwork, branch.host, branch.shown_host
    hash_keys = branch.hash_keys
    if rewrite is None and host is None and not mirrors and not hash_keys:
        return lambda request, path, query, draws: Forward(
            cluster, path + query, request.authority, headwork, _timeout(request, timeout), retry
        )

    def forward(request: Request, path: bytes, query: bytes, draws: Draws) -> Forward:
        return Forward(
            cluster,
            path + query if rewrite is None else rewrite(path) + query,
            request.authority if host is None else host,
            headwork,
            _timeout(request, timeout),
            retry,
            _drawn(mirrors, draws) if mirrors else (),
            None if rewrite is None else path + query,
            None if host is None or shown_host is None else shown_host or request.authority,
            hash_keys,
        )

    return forward


def _timeout(request: Request, timeout: float | None) -> float | None:
    return limited_timeout(request.headers, timeout) if is_grpc(request) else timeout


def _drawn(mirrors: tuple[tuple[Cluster, Parts], ...], draws: Draws) -> tuple[Cluster, ...]:
    return tuple(
        cluster
        for index, (cluster, parts) in enumerate(mirrors)
        if parts is ALWAYS or parts.covers(draws.mirror(index))
    )


class _NoDraws:
    """Draws for making a Forward again, where neither faults nor mirrors matter."""

    split = 1.0

    def fault(self, kind: FaultKind) -> float:
        return 1.0

    def mirror(self, index: int) -> float:
        return 1.0 - 1e-16

    def apart(self, purpose: str) -> float:
        return 1.0


def again(make: MakeForward) -> Callable[[Request], Forward]:
    """Return a function that makes a request's Forward once more, from the request alone."""

    def made(request: Request) -> Forward:
        path, mark, query = request.target.partition(b"?")
        return make(request, normalise(path) or path, mark + query, _NoDraws())

    return made
