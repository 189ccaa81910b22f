"""Whether another attempt may follow, and what a retried request holds meanwhile."""

from __future__ import annotations

from chaos.gateway.exchange.request_body import RequestBody
from chaos.gateway.upstream.pool import Host, Pool
from chaos.mesh.decision import RETRY_LIMIT_EXCEEDED, RETRY_OVERFLOW, RetryPolicy


class Retries:
    """A request's place among its cluster's retried requests (Envoy's max_retries, or its retry budget): taken with the
    first retry, given back when the request is over."""

    __slots__ = ("_pool", "avoided")

    def __init__(self, pool: Pool):
        self._pool = pool
        self.avoided: list[Host] = []  # endpoints of earlier attempts
        pool.retrying += 1

    def end(self) -> None:
        self._pool.retrying -= 1


def refused(
    policy: RetryPolicy | None, attempts: int, body: RequestBody | None, retries: Retries | None, pool: Pool
) -> bytes | None:
    """Return why a request may not be sent once more after `attempts` attempts, although its last outcome is retriable:
    a flag for Request.flags, or nothing to note. None if it may."""
    if policy is None or not (body is None or body.replayable):
        return b""
    if attempts > policy.attempts:
        return RETRY_LIMIT_EXCEEDED
    return None if pool.has_retries_left(0 if retries is None else 1) else RETRY_OVERFLOW
