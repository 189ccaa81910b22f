"""The x-chaos response headers: a request's rule, destination, phase, drawn fault, policies and number of attempts."""

from __future__ import annotations

from functools import cache

from chaos.gateway.state.counters import Ledger
from chaos.mesh.decision import Forward


def reply_tags(ledger: Ledger, forward: Forward | None, fault: str, attempts: int) -> bytes:
    """Return all tags of one response, as header lines; `forward` is None for a request that was not to be
    forwarded."""
    cluster = forward.cluster if forward is not None else None
    shared = ledger.tags_to(cluster.name) if cluster is not None else ledger.tags
    return shared + own_tags(ledger, fault, attempts)


def own_tags(ledger: Ledger, fault: str, attempts: int) -> bytes:
    """Return the tags that responses of the same rule and destination do not share."""
    if not ledger.tagged:
        return b""
    return _fault_line(fault) + (b"x-chaos-attempts: %d\r\n" % attempts if attempts > 1 else b"")


def policy_line(tagged: bool, names: list[str]) -> bytes:
    """Return the tag that names the policies whose faults a request has met, as a header line."""
    return b"x-chaos-policy: %b\r\n" % ",".join(names).encode() if tagged else b""


@cache
def _fault_line(fault: str) -> bytes:
    return b"x-chaos-fault: %b\r\n" % fault.encode() if fault else b""
