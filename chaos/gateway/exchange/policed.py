"""An exchange whose request may meet the faults of policies: in front of the rules, and at each attempt upstream.

Only gateways with a FaultPolicy have such exchanges; in front of the rules means that a request which is answered by a
policy is none that a rule counts."""

from __future__ import annotations

from collections.abc import Callable

from chaos.gateway.exchange import states
from chaos.gateway.exchange.answer import Answer as Passed
from chaos.gateway.exchange.attempt import Attempt
from chaos.gateway.exchange.exchange import Exchange
from chaos.gateway.exchange.request_body import RequestBody
from chaos.gateway.exchange.shaped import Shaped
from chaos.gateway.exchange.tags import policy_line
from chaos.gateway.exchange.upload import Upload
from chaos.gateway.state.policing import Met
from chaos.gateway.upstream.connection import Upstream
from chaos.gateway.upstream.pool import Host
from chaos.mesh.decision import Decision, DirectResponse, Draws, Failure, Forward, Reply
from chaos.mesh.headers.grpc import is_grpc
from chaos.mesh.headers.local_reply import render
from chaos.policies.fault import Answer, Happening
from chaos.policies.steps import End

INJECTED = "FI"  # Envoy's response flag of an injected fault
HandOver = Callable[[Upstream], None] | None


class PolicedExchange(Exchange):
    """An Exchange in a gateway with policies. `_met` are those that its request is about, met or spared."""

    __slots__ = (
        "_again",
        "_attempt_met",
        "_draws",
        "_is_decided",
        "_met",
        "_occupied",
        "_shaped",
        "_swallows",
        "_upload",
    )

    _draws: Draws

    def begin(self) -> None:
        """Draw the faults of policies, then decide and act."""
        self._met: list[Met] = []
        self._attempt_met: list[Met] = []
        self._shaped: Shaped | None = None
        self._upload: Upload | None = None
        self._occupied: Host | None = None  # the endpoint that has an attempt under a fault among its requests
        self._is_decided = self._again = self._swallows = False
        if self.refusal is not None:
            self._reply(self.refusal)
            return
        worker = self._worker
        self._draws = worker.draws(self.draw_id)
        self._met = worker.policing.meet(self.request, self._draws)
        first = next((each for each in self._met if each.instead is not None), None)
        acting = [each for each in self._met if each.acts(first)]
        if not acting:
            self._go(None)
            return
        self._note(self._met)
        happenings = [each.happening for each in acting if each.happening is not None]
        stages = [each.stage for each in happenings if each.stage is not None]
        line = policy_line(worker.tagged, [each.policy.name for each in acting])
        self._shaped = Shaped(self.client, self, stages, line, self.request.method == b"HEAD")
        self.client = self._shaped
        rate = min((each.upload for each in stages if each.upload is not None), default=None)
        if rate is not None and self.body is not None:
            self._meter(self.body, rate)
        instead = None if first is None else first.instead
        wait = sum(each.wait for each in happenings)
        if wait:
            self._timer = worker.after(wait, self._go, instead)
        else:
            self._go(instead)

    def received(self, data: bytes) -> None:
        """Take a piece of the body, or drop it: the response may be over long before the request is."""
        if self.state is states.DONE:
            return
        upload = self._metered
        if upload is not None:
            upload.add(data)
        else:
            super().received(data)

    def finished(self) -> None:
        """Note that the whole request has been received; its body may have to wait for its time."""
        upload = self._metered
        if upload is not None and upload.waits:
            upload.end()
        else:
            super().finished()

    def _meter(self, body: RequestBody, rate: float) -> None:
        """Take the body at a rate from now on, what has arrived of it included."""
        complete, upload = body.complete, Upload(self._worker, rate, self)
        for piece in body.take_back():
            upload.add(piece)
        self._upload = upload
        if complete:
            self.finished()

    @property
    def _metered(self) -> Upload | None:
        return self._upload if isinstance(self.client, Shaped) else None  # before its turn it has neither

    def uploaded(self, data: bytes, *, last: bool) -> None:
        """Take a piece of the body whose time has come."""
        super().received(data)
        if last:
            super().finished()
        self.progressed()

    def hold_upload(self, hold: bool) -> None:
        """Stop reading the client, or read again."""
        if self._shaped is not None:
            self._shaped.hold_upload(hold)

    def _note(self, met: list[Met]) -> None:
        for each in met:
            if each.happening is not None:
                policy, worker = each.policy, self._worker
                phase = worker.phase.name
                worker.faulted.record(phase, self.draw_id, self.request, policy.key, policy.fault.kind)

    def _go(self, instead: Answer | End | None) -> None:
        """Let the rules decide, or do what a policy does in their place."""
        self._timer = None
        self._is_decided = True
        if instead is None:
            self._decide(self._draws)
        elif isinstance(instead, End):
            assert self._shaped is not None
            self._shaped.end(instead)
        else:
            self._ledger = self._worker.phase.policed
            self.decision = Decision(DirectResponse(self._made(instead)))
            self.act()

    def _made(self, answer: Answer) -> Reply:
        headers = list(answer.headers)
        server = self._worker.rules.server_name
        return render(answer.status, answer.body, headers, server, grpc=is_grpc(self.request))

    # ------------------------------------------------------------------------------------------ attempts

    def _send_again(self, attempt: Attempt) -> None:
        self._again = True  # what was drawn for the attempt stands
        super()._send_again(attempt)

    def _attempt(self, host: Host) -> None:
        again, self._again, self._swallows = self._again, False, False
        if again:
            super()._attempt(host)
            return
        number = self._attempts + 1
        met = self._attempt_met = self._worker.policing.attempt(self.request, self._draws, number)
        happening = next((each.happening for each in met if each.happening is not None), None)
        if happening is None:
            super()._attempt(host)
            return
        self._note(met)
        self._attempts = number
        attempt = self.attempt = Attempt(self, host, self._ledger, self._forward_to.retry)
        self._enter(states.CONNECTING)
        if host.pool.is_full:
            self._release(met)  # no attempt is made, so none meets a fault
            attempt.upstream_failed(Failure.OVERFLOW, Failure.OVERFLOW.value)
            return
        host.active += 1  # for the circuit breaker, as long as it is under the fault
        self._occupied = host
        if self.body is None or self.body.complete:
            attempt.limit(self._worker.after)
        if happening.wait:
            self._worker.after(happening.wait, self._under_fault, attempt, happening)
        else:
            self._under_fault(attempt, happening)

    def _under_fault(self, attempt: Attempt, happening: Happening) -> None:
        """Let a policy have the attempt end, or, after its wait, send it."""
        if self.attempt is not attempt:
            return  # it has timed out meanwhile
        instead = happening.instead
        if instead is None:
            self._leave_host()
            connection = attempt.host.acquire(attempt)
            if connection is not None:
                attempt.connection = connection
                self.attempt_connected(attempt, connection)
            return
        self._enter(states.SENT)
        self._ledger.upstream_requests += 1
        if self.body is not None:
            self._take_body(self.body)  # it counts as sent, so that it is sent again by a retry
        if isinstance(instead, Answer):
            self._answered_by_policy(attempt, self._made(instead))
        elif instead is End.SILENCE:
            self._swallows = True
        else:
            self.attempt_failed(attempt, Failure.RESET, Failure.RESET.value)

    def _leave_host(self) -> None:
        if self._occupied is not None:
            self._occupied.active -= 1
            self._occupied = None

    def _send_body(self, body: RequestBody) -> None:
        if self._swallows and self.state is states.SENT:
            self._take_body(body)  # as an endpoint does that takes everything and stays silent
        else:
            super()._send_body(body)

    def _answered_by_policy(self, attempt: Attempt, reply: Reply) -> None:
        attempt.answered(reply.status)
        if attempt.is_retriable(reply.status, list(reply.headers), True) and self._may_retry():
            self._back_off(attempt)
        else:
            self._ledger.answered += 1
            self._reply(reply)

    def _fail(self, flag: str, status: int, body: bytes, details: bytes = b"") -> None:
        """Answer as Envoy's router does; what a policy has brought about does not count as a failure by itself."""
        by_policy = any(each.happening is not None for each in self._attempt_met)
        super()._fail(INJECTED if by_policy else flag, status, body, details)

    def _end_attempt(self, attempt: Attempt, hand_over: HandOver = None) -> None:
        self._leave_host()
        self._release(self._attempt_met)
        super()._end_attempt(attempt, hand_over)

    # ------------------------------------------------------------------------------------------ the end

    def _release(self, met: list[Met]) -> None:
        for each in met:
            if each.happening is not None:
                self._worker.policing.release(each)
        met.clear()

    def _end(self, hand_over: HandOver = None) -> None:
        super()._end(hand_over)
        if self._upload is not None:
            self._upload.stop()
        self._release(self._attempt_met)
        if self._shaped is None:
            self._release(self._met)

    def cancel(self) -> None:
        """End the exchange because the client is gone."""
        answering = self.state is states.ANSWERING
        if not answering or (self._shaped is not None and not self._shaped.begun):
            self._count_left(ruled=answering)
        if self._is_decided or self.refusal is not None:
            super().cancel()
        else:
            self._end()
        if self._shaped is not None:
            self._shaped.cancel()

    def _count_left(self, *, ruled: bool) -> None:
        for each in self._met:
            each.count_left()
        if ruled:
            self._ledger.count_left(self.decision)

    def refuse(self, reply: Reply) -> None:
        """Answer a request whose rest turned out to be malformed, also while it waits for its decision."""
        if self._is_decided or self.refusal is not None:
            super().refuse(reply)
            return
        self.turn_away(reply)
        if self._shaped is not None:
            self.client = self._shaped.step_aside()
        self._reply(reply)

    # ------------------------------------------------------------------------------------------ its shaped response

    @property
    def policy_tag(self) -> bytes:
        """The header line that names the policies whose faults the request has met."""
        return self._shaped.line if self._shaped is not None else b""

    def _become_tunnel(self, attempt: Attempt, connection: Upstream, forward: Forward) -> None:
        if self._shaped is not None:
            self.client = self._shaped.step_aside()
        super()._become_tunnel(attempt, connection, forward)

    def _pass_on(self, answer: Passed, connection: Upstream) -> None:
        if self.state is not states.DONE:  # a fault may have ended the response with its head
            super()._pass_on(answer, connection)

    def client_drained(self) -> None:
        """Go on with what waits; what is then read of upstream depends on it."""
        if self._shaped is None:
            super().client_drained()
        else:
            self._shaped.client_drained()
            if not self._shaped.full:
                super().client_drained()

    def upstream_may_go_on(self) -> None:
        """Read more of upstream's response."""
        super().client_drained()

    def cut_by_policy(self, end: End) -> None:
        """End what is still under way: a fault has ended the response."""
        if self.state is not states.DONE:
            self._end()

    def response_over(self) -> None:
        """Learn that nothing more will happen to the client's response."""
        self._release(self._met)

    def left_unseen(self) -> None:
        """Learn that the client has left before any byte of its response was sent, though it has been made."""
        self._count_left(ruled=self.refusal is None)
