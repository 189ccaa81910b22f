"""An exchange that tells observers what became of it when it is over: an access log, a tracer.

Connections have plain exchanges where nobody observes (downstream.py), so that then nothing of this is paid for. What
Exchange does stays as it is: each method here notes something and calls the one that it replaces."""

from __future__ import annotations

import time
from collections.abc import Callable

from chaos.gateway.exchange import states
from chaos.gateway.exchange.answer import Answer
from chaos.gateway.exchange.attempt import Attempt
from chaos.gateway.exchange.client import Client
from chaos.gateway.exchange.exchange import Exchange
from chaos.gateway.exchange.local_reply import NO_CLUSTER, NO_ENDPOINT, PROTOCOL_ERROR, TIMEOUT
from chaos.gateway.exchange.policed import PolicedExchange
from chaos.gateway.exchange.wire import END_OF_HEAD
from chaos.gateway.state.counters import Ledger
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.decision import Abort, BadRequest, Decision, Failure, Forward, Headers, NoRoute, Preflight, Reply
from chaos.policies.steps import End

LEFT, ABORTED, NOT_ROUTED, MALFORMED = "DC", "FI", "NR", "DPE"
"""Envoy's response flags of requests whose client has left, that a fault aborted, that no route takes, that are no
HTTP; the others are in local_reply.py and of Failure.flag."""

_DETAILS = {
    NO_CLUSTER: "cluster_not_found",
    NO_ENDPOINT: "no_healthy_upstream",
    TIMEOUT: "response_timeout",
}
_REFUSED = {
    400: (MALFORMED, "http1.codec_error"),
    403: ("", "upgrade_failed"),
    404: (NOT_ROUTED, "route_not_found"),
    408: ("", "request_header_timeout"),
    426: (MALFORMED, "low_version"),
    431: (MALFORMED, "http1.headers_too_large"),
    501: (MALFORMED, "http1.invalid_transfer_encoding"),
}
_LOCAL = {
    Abort: (ABORTED, "fault_filter_abort"),
    NoRoute: (NOT_ROUTED, "route_not_found"),
    BadRequest: ("", "path_normalization_failed"),
    Preflight: ("", "cors_response"),
}
_WITHOUT_HOST = ("", "missing_host_header")
_REPLIED = ("", "direct_response")
_FROM_UPSTREAM = "via_upstream"
_REFUSED_BY_PEER = "delayed_connect_error:_Connection_refused"


Kind = tuple[object, ...]


class Observed(Exchange):
    """An exchange that is observed. `started` is the time of day and `began` that of the monotonic clock, in seconds.

    `status` is 0 without a response; `flag` and `details` are Envoy's words for how it came about (%RESPONSE_FLAGS%,
    together with the request's flags, and %RESPONSE_CODE_DETAILS%). `sent` are the bytes of the response's body,
    `seconds` those that upstream took, None without an answer from there. `last` is the last attempt, `reason` why it
    failed. `peer` is the client's connection, `policies` the names of policies whose faults it has met.

    Most is written only where it is not what nearly all requests have: it is the class's until then."""

    status = sent = 0
    flag = details = reason = policies = ""
    seconds: float | None = None
    last: Attempt | None = None

    def __init__(
        self,
        client: Client,
        method: bytes,
        target: bytes,
        authority: bytes | None,
        headers: Headers,
        fields: dict[bytes, bytes],
    ):
        self.started, self.began, self.peer = time.time(), time.monotonic(), client
        super().__init__(client, method, target, authority, headers, fields)

    # ------------------------------------------------------------------------------------------ what observers read

    @property
    def decided(self) -> Decision | None:
        """What was decided; None for a request that was refused before any rule saw it."""
        return getattr(self, "decision", None)

    @property
    def counted_in(self) -> Ledger | None:
        """The ledger of the rule that took it, if a rule was looked for."""
        return getattr(self, "_ledger", None)

    @property
    def phase(self) -> str:
        """The phase in which it was decided; empty outside any."""
        ledger = self.counted_in
        return next((name for name, phase in self._worker.phases.items() if phase.has(ledger)), "")

    @property
    def forward(self) -> Forward | None:
        """How it is forwarded, or would have been if its client had not left; None if it is not."""
        decision: Decision | None = getattr(self, "decision", None)
        return decision.action if decision is not None and isinstance(decision.action, Forward) else None

    def kind(self, forward: Forward | None, agent: bytes) -> Kind:
        """Return what it has in common with many others: all that an observer may say of it but times, addresses, path,
        id and lengths. `forward` is its own, `agent` its user-agent."""
        request, last, decision = self.request, self.last, self.decided
        return (
            self.counted_in, "" if decision is None else decision.fault, self.policies, request.method, agent,
            request.authority if forward is None else forward.authority, None if forward is None else forward.cluster,
            self.status, request.flags, self.flag, self.details, None if last is None else last.host,
            self._attempts if self._forwarded else 0,
        )  # fmt: skip

    @property
    def attempts(self) -> int:
        """How many attempts there were."""
        return self._attempts if self._forwarded else 0

    @property
    def all_flags(self) -> str:
        """Envoy's response flags, separated by commas and in the order in which they were set; empty for none."""
        flags = self.request.flags
        return (flags.decode() + self.flag).rstrip(",") if flags else self.flag

    @property
    def transport_failure(self) -> str:
        """Why no connection could be made, in Envoy's words; empty if one could."""
        return _REFUSED_BY_PEER if self.reason == Failure.CONNECT.value and not self.seconds else ""

    # ------------------------------------------------------------------------------------------ what is noted

    def _replied(self, reply: Reply) -> None:
        self.status, self.sent = reply.status, len(reply.body) if self.request.method != b"HEAD" else 0
        if self.refusal is not None:
            found = _WITHOUT_HOST if reply is self._worker.no_host else _REFUSED.get(reply.status, _REPLIED)
            self.flag, self.details = found
        elif not self._forwarded:
            self.flag, self.details = _LOCAL.get(type(self.decision.action), _REPLIED)
        elif not self.details:
            self.details = _FROM_UPSTREAM  # a policy stands for it

    def _reply(self, reply: Reply) -> None:
        self._replied(reply)
        super()._reply(reply)

    def _fail(self, flag: str, status: int, body: bytes, details: bytes = b"") -> None:
        self.flag, self.last = flag, self.attempt or self.last
        self.details = details.decode() or _DETAILS.get(flag) or _reset("before", self.reason)
        super()._fail(flag, status, body, details)

    def attempt_failed(self, attempt: Attempt, failure: Failure, reason: str, status: int = 503) -> None:
        self.reason, self.last = reason, attempt
        super().attempt_failed(attempt, failure, reason, status)

    def attempt_answered(self, attempt: Attempt, data: bytes) -> bool:
        self.sent = len(data) - data.find(END_OF_HEAD) - len(END_OF_HEAD)
        return super().attempt_answered(attempt, data)

    def _own_lines(self, attempt: Attempt, status: int, shared: bytes) -> bytes:
        self.status, self.details, self.last = status, _FROM_UPSTREAM, attempt
        self.seconds = self._worker.now() - attempt.sent_at
        return super()._own_lines(attempt, status, shared)

    def _begin_answer(self, attempt: Attempt, connection: Upstream, status: int) -> None:
        self.sent, self.status, self.details, self.last = 0, status, _FROM_UPSTREAM, attempt
        super()._begin_answer(attempt, connection, status)

    def _pass_on(self, answer: Answer, connection: Upstream) -> None:
        self.sent += sum(map(len, connection.pieces))
        super()._pass_on(answer, connection)

    def _cut(self, flag: str = "") -> None:
        if flag:
            reason = "protocol error" if flag == PROTOCOL_ERROR else Failure.RESET.value
            self.flag, self.details = flag, _DETAILS.get(flag) or _reset("after", reason)
        super()._cut(flag)

    def cancel(self) -> None:
        self.flag, self.details, self.last = LEFT, "downstream_remote_disconnect", self.attempt or self.last
        super().cancel()

    def _end(self, hand_over: Callable[[Upstream], None] | None = None) -> None:
        super()._end(hand_over)
        if not self.status and not self.flag and not self._forwarded:  # a local reply whose bytes were at hand
            action = self.decision.action
            if not isinstance(action, Forward):
                self._replied(action.reply)
        self._tell()

    def _tell(self) -> None:
        for observer in self._worker.observers:
            observer.ended(self)


class ObservedPoliced(Observed, PolicedExchange):
    """The same in a gateway with policies. What a policy does to a response may last longer than the exchange."""

    def _name_policies(self) -> None:
        """Note them before they are let go."""
        if not self.policies:
            self.policies = ",".join([each.policy.name for each in self._met if each.happening is not None])

    def _replied(self, reply: Reply) -> None:
        super()._replied(reply)
        if self.counted_in is self._worker.phase.policed:
            self.flag, self.details = _LOCAL[Abort]

    def cut_by_policy(self, end: End) -> None:
        if self.state is not states.DONE:
            self.flag, self.details = ABORTED, "fault_policy"
        super().cut_by_policy(end)

    def _end(self, hand_over: Callable[[Upstream], None] | None = None) -> None:
        self._name_policies()
        super()._end(hand_over)

    def _tell(self) -> None:
        if self._shaped is None or self._shaped.over:
            super()._tell()

    def response_over(self) -> None:
        self._name_policies()
        super().response_over()
        if self.state is states.DONE:
            super()._tell()


def _reset(when: str, reason: str) -> str:
    """Return Envoy's details of a response that upstream did not give, or not all of."""
    told = f"{reason}|{_REFUSED_BY_PEER}" if reason == Failure.CONNECT.value else reason
    return f"upstream_reset_{when}_response_started{{{told.replace(' ', '_')}}}"
