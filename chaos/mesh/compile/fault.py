"""Fault injection of one rule: a delay, an abort, or both, drawn independently, the delay first.

Percentages are whole parts per million, truncated; without a percentage the fault never happens (istio
translateFault)."""

from __future__ import annotations

from collections.abc import Callable

from chaos.faults import AbortFault, DelayFault, RuleFault, fault_of
from chaos.mesh.decision import Abort, Draws, Reply, Request
from chaos.mesh.model.message import Percent as WrittenPercent
from chaos.mesh.model.virtual_service import HTTPFaultInjection
from chaos.statuses import CODES
from chaos.units import Percent

ABORT_BODY = b"fault filter abort"
NEVER = Percent(0)
MakeReply = Callable[[Request, Draws], Reply]
_KEPT = 16  # Abort objects kept per rule, one for each shared reply


def read_fault(fault: HTTPFaultInjection | None) -> tuple[RuleFault, ...]:
    """Return the faults that can have an effect, in the order in which a request meets them. One at 0 % is kept: that
    it never happens is claimed, too."""
    if fault is None:
        return ()
    return tuple(read for read in (_delay(fault), _abort(fault)) if read is not None)


def _delay(fault: HTTPFaultInjection) -> DelayFault | None:
    delay = fault.delay
    if delay is None or delay.fixed_delay is None:
        return None
    percent = _percent(delay.percentage) if delay.percentage else Percent.of(delay.percent)
    return DelayFault(percent, delay.fixed_delay)


def _abort(fault: HTTPFaultInjection) -> AbortFault | None:
    abort = fault.abort
    if abort is None:
        return None
    percent = _percent(abort.percentage) if abort.percentage else NEVER
    if abort.http_status:
        return AbortFault(percent, abort.http_status)
    if abort.grpc_status is not None:
        return AbortFault(percent, 200, CODES.get(abort.grpc_status.upper(), CODES["UNKNOWN"]))
    return None  # an abort without a status: Istio accepts it with a warning, and it has no effect


def _percent(written: WrittenPercent) -> Percent:
    return Percent.of(written.value)


class Fault:
    """A fault compiled for the request path: `decide` compares `draw * 1e6` with whole parts, as Envoy does `random %
    1e6`.

    `late` makes the replies to requests that have been delayed, which may say so (%RESPONSE_FLAGS%)."""

    __slots__ = ("abort_parts", "aborted", "aborted_late", "configured", "delay_parts", "seconds")

    def __init__(self, faults: tuple[RuleFault, ...], reply: MakeReply | None, late: MakeReply | None = None):
        self.configured = faults
        delay, abort = fault_of(faults, DelayFault), fault_of(faults, AbortFault)
        self.delay_parts = delay.percent.per_million if delay else 0
        self.seconds = delay.seconds if delay else 0.0
        self.abort_parts = abort.percent.per_million if abort else 0
        self.aborted = _aborted(reply)
        self.aborted_late = self.aborted if late is reply else _aborted(late)

    def changed(self, faults: tuple[RuleFault, ...]) -> Fault:
        """Return the same with other percentages or another delay; `faults` are of the same kinds, and aborts keep
        their replies."""
        other = Fault(faults, None)
        other.aborted, other.aborted_late = self.aborted, self.aborted_late
        return other


def _aborted(reply: MakeReply | None) -> Callable[[Request, Draws], Abort]:
    """Return a function that makes the Abort of a request.

    An Abort is kept if its reply is shared, so that the same abort is the same object; the gateway compares replies by
    identity to send the same bytes again."""
    kept: list[Abort] = []

    def aborted(request: Request, draws: Draws) -> Abort:
        assert reply is not None
        made = reply(request, draws)
        for action in kept:
            if action.reply is made:
                return action
        action = Abort(made)
        if len(kept) < _KEPT and reply(request, draws) is made:
            kept.append(action)
        return action

    return aborted
