"""Locust users on Locust's own FastHttpUser, which count what the lean client counts: the same tasks, ids and digest
keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any

import gevent
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from locust import FastHttpUser, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from chaos.load.calls import calls_of
from chaos.load.checks import MOST_BODY, check_of
from chaos.load.fed import rows_of
from chaos.load.likeness import Likeness
from chaos.load.recorder import Cohort, Outcome
from chaos.load.secure import SecureClients
from chaos.load.shared import Shared
from chaos.load.tags import UNTAGGED, bodiless, from_outside, of_headers
from chaos.protocol.digest import NO_RESPONSE
from chaos.protocol.load_plan import Task

ENDED = re.compile(r"connection closed|EOF state|RemoteDisconnected|IncompleteRead|ended prematurely")
CUT = HTTPConnectionClosed("the body was cut")


def kind_of(error: BaseException | None) -> str:
    """Return the kind of a failure, in the lean client's words (connection.py).

    geventhttpclient hides the cause in the `original` or the context of its own errors, and calls a connection that
    ends inside a head a parse error."""
    seen = list(chain_of(error))
    if any(isinstance(each, gevent.Timeout | TimeoutError) for each in seen):
        return "timeout"
    if any(isinstance(each, ConnectionResetError | BrokenPipeError) for each in seen):
        return "reset"
    if any(isinstance(each, HTTPConnectionClosed) or ENDED.search(str(each)) for each in seen):
        return "closed"
    if any(isinstance(each, HTTPParseError) for each in seen):
        return "malformed"
    return "refused"


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    while isinstance(error, BaseException):
        yield error
        error = getattr(error, "original", None) or error.__cause__ or error.__context__


def is_cut(response: Any, method: str) -> bool:
    """Return whether a body ended before its announced length; FastHttpUser calls that a success."""
    length = (response.headers or {}).get("content-length", "")
    if method == "HEAD" or response.status_code in (204, 304) or not length.isdigit():
        return False
    return "content-encoding" not in response.headers and len(response.content or b"") < int(length)


def fast_user(shared: Shared) -> type[FastHttpUser]:
    """Return the class of users for a plan's tasks."""
    plan, sequence, recorder = shared.plan, shared.sequence, shared.recorder
    placed, doubts, tracer = recorder.order.placed, shared.doubts, shared.tracer
    open_model = plan.arrival_rate is not None

    def asked(task: Task) -> tuple[Task, str]:
        whole = task.direct or plan.is_secure(task)
        return task, task.url if whole else plan.gateway.rstrip("/") + task.target

    asks = [asked(each) for each in plan.tasks]
    fed = [rows_of(plan, sequence, each, asked) for each in plan.tasks]
    calls = calls_of(shared)
    closing = {} if plan.keep_alive else {"connection": "close"}
    checks: list[Any] = [check_of(each.expect) for each in plan.tasks]
    alike = [Likeness() if each.compared else None for each in plan.tasks]
    longest = max(each.timeout for each in plan.tasks)

    class FastUser(FastHttpUser):
        """One user with FastHttpUser's pool of connections."""

        host = plan.gateway
        network_timeout = connection_timeout = longest

        def __init__(self, environment: Any):
            if plan.secure is not None:
                self.client_pool = SecureClients(plan, self)
            super().__init__(environment)
            self.previous: Outcome | None = None
            self.cohort: Cohort | None = None  # of the request that is in flight
            self.phase = ""
            self.asked: int | None = None
            self.number = recorder.new_user()
            self.calls = None if calls is None else calls(self)
            shared.pending.senders.add(self)

        def on_stop(self) -> None:
            shared.pending.senders.discard(self)
            if self.calls is not None:
                self.calls.leave()

        @task
        def work(self) -> None:
            shared.begin()
            while self._state != LOCUST_STATE_STOPPING and (number := sequence.take()) is not None:
                self.send(number, self.wait_for(number) if open_model else None)
                if plan.wait and self._state != LOCUST_STATE_STOPPING:
                    self._state = LOCUST_STATE_WAITING
                    gevent.sleep(plan.wait)
                    self._state = LOCUST_STATE_RUNNING
            raise StopUser

        def wait_for(self, number: int) -> float:
            self._state = LOCUST_STATE_WAITING
            try:
                due = shared.sleep_until_due(number)
            except BaseException:
                sequence.give_back(number)
                raise
            self._state = LOCUST_STATE_RUNNING
            return due

        def send(self, number: int, due: float | None) -> None:
            index, request = sequence.request(number)
            self.asked = index
            if self.calls is not None and plan.tasks[index].call is not None:
                self.calls.send(number, index, request, due)
                return
            rows = fed[index]
            wanted, url = asks[index] if rows is None else rows(number, request)
            phase = self.phase = recorder.phase
            cohort = self.cohort = recorder.cohort
            sent = perf_counter()
            try:
                response = self.ask(wanted, url, request)
            except BaseException:
                shared.pending.abandon(self)
                placed[number] = None
                raise
            answered = perf_counter()
            failed = True
            if response.status_code and not is_cut(response, wanted.method):
                failed = False
                status, headers = response.status_code, list((response.headers or {}).items())
                tags = of_headers(headers)
                if not plan.tags:
                    tags = from_outside(tags, headers, response.content, bodiless(wanted.method, status))
                likeness = alike[index]
                if likeness is not None:
                    whole = response.content or b""
                    tags = likeness.told(tags, status, whole, len(whole))
                check = "" if checks[index] is None else checks[index](status, (response.content or b"")[:MOST_BODY])
                outcome = recorder.tagged(index, status, tags, began_in=phase, cohort=cohort, check=check)
            else:
                error = kind_of(getattr(response, "error", None) or CUT)
                check = "" if checks[index] is None else NO_RESPONSE
                tags = of_headers((response.headers or {}).items()) if response.status_code else UNTAGGED
                outcome = recorder.tagged(index, 0, tags if tags.policy else UNTAGGED, error, phase, cohort, check)
            known = (outcome, number, request, wanted, response, sent, answered, due)
            if (
                doubts is not None
                and (failed or sent < doubts.until)
                and doubts.take(self, number, sent, failed, partial(self.count, None, *known))
            ):
                self.previous = None
                return
            self.cohort = None
            self.count(self.previous, *known)
            self.previous = outcome if response.status_code else None

        def count(
            self, previous: Outcome | None, outcome: Outcome, number: int, request: str, wanted: Task, response: Any,
            sent: float, answered: float, due: float | None,
        ) -> None:  # fmt: skip
            """Count a request's outcome; `previous` is the one before it of this user."""
            micros = int((answered - sent) * 1e6)
            recorder.add(outcome, micros, previous, self.number)
            if micros > outcome.slowest.above or request < outcome.shelf.below:
                body = (response.content or b"") if outcome.key.status else b""
                lost = getattr(response, "error", None) or CUT
                reason = "" if outcome.key.status else str(lost) or outcome.key.error
                shared.keep(outcome, request, sent, micros, body, reason, wanted.headers.items())
            placed[number] = outcome
            if due is not None:
                recorder.add_due(outcome, int((answered - due) * 1e6))
            if request[:8] < recorder.sample_below:
                recorder.sample(request, outcome)
            if tracer is not None:
                tracer.ended(outcome.key, request, wanted.method, wanted.url, sent, answered)

        def ask(self, wanted: Task, url: str, request: str) -> Any:
            headers = {"Host": wanted.host} | closing | dict(wanted.headers) | {"x-request-id": request}
            if tracer is not None and "traceparent" not in {name.lower() for name in headers}:
                headers["traceparent"] = tracer.traceparent(request)
            try:
                with gevent.Timeout(wanted.timeout):
                    return self.client.request(
                        wanted.method, url, name=wanted.name, data=wanted.body, headers=headers, allow_redirects=False
                    )
            finally:
                if not plan.keep_alive:  # a server may keep it open although it was asked not to
                    self.client.client.clientpool.close()

    return FastUser
