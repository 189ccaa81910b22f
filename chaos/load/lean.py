"""Locust users on bare sockets (connection.py): seven times the requests of FastHttpUser for the same CPU.

A user's one Locust task is a loop: take the next request of the run, wait until it is due, send it, count the response.
It ends when all requests are taken or Locust stops the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import gevent
from locust import User, task
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from chaos.load.calls import calls_of
from chaos.load.checks import MOST_BODY, Check, check_of
from chaos.load.connection import FIRST, Address, Connection, Failed, resolve
from chaos.load.fed import Rows, rows_of
from chaos.load.likeness import Likeness
from chaos.load.recorder import Cohort, Outcome
from chaos.load.sequence import Sequence
from chaos.load.shared import Shared
from chaos.load.tags import bodiless, from_outside, headers_of, of_cut, of_head
from chaos.protocol.digest import NO_RESPONSE
from chaos.protocol.load_plan import Plan, Task

REFUSED = 0.1  # seconds a user waits after a refused connection, which else it would try 10 000 times a second


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task's request as bytes, without its id, which goes between `before` and `after`. `to` is the index of the
    address; `check` what is expected of its responses, `likeness` what they usually are. Of a task that is
    `fed`, each row has a form of its own."""

    before: bytes
    after: bytes
    bodiless: bool
    timeout: float
    to: int
    check: Check | None = None
    likeness: Likeness | None = None
    fed: Rows[Prepared] | None = None


def prepare(wanted: Task, to: int, keep_alive: bool = True) -> Prepared:
    """Prepare a task's request. Headers are as given; Host, content-length and, without `keep_alive`, `connection:
    close` are added unless given, x-request-id always."""
    body = None if wanted.body is None else wanted.body.encode()
    names = {name.lower() for name in wanted.headers}
    lines = [f"{wanted.method} {wanted.target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"host: {wanted.host}")
    lines += [f"{name}: {value}" for name, value in wanted.headers.items() if name.lower() != "x-request-id"]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"content-length: {len(body)}")
    if not keep_alive and "connection" not in names:
        lines.append("connection: close")
    lines.append("x-request-id: ")
    return Prepared(
        before="\r\n".join(lines).encode(),
        after=b"\r\n\r\n" + (body or b""),
        bodiless=wanted.method == "HEAD",
        timeout=wanted.timeout,
        to=to,
        check=check_of(wanted.expect),
        likeness=Likeness() if wanted.compared else None,
    )


def prepare_all(plan: Plan, sequence: Sequence) -> tuple[list[Prepared], list[list[Address]]]:
    """Return the tasks' requests, and the addresses they go to. Raises OSError when a name cannot be resolved."""
    hosts = list(dict.fromkeys(plan.address_of(each) for each in plan.tasks))

    def made(task: Task) -> Prepared:
        return prepare(task, hosts.index(plan.address_of(task)), plan.keep_alive)

    prepared = [replace(made(each), fed=rows_of(plan, sequence, each, made)) for each in plan.tasks]
    return prepared, [resolve(*host) for host in hosts]


def lean_user(shared: Shared) -> type[User]:
    """Return the class of users for a plan's tasks."""
    plan, sequence, recorder = shared.plan, shared.sequence, shared.recorder
    placed, doubts, tracer = recorder.order.placed, shared.doubts, shared.tracer
    prepared, addresses = prepare_all(plan, sequence)
    calls = calls_of(shared)
    open_model = plan.arrival_rate is not None

    class LeanUser(User):
        """One user, with one connection to each address."""

        def __init__(self, environment: Any):
            super().__init__(environment)
            self.connections = [Connection(each, whole=not plan.tags, once=not plan.keep_alive) for each in addresses]
            self.cohort: Cohort | None = None  # of the request that is in flight
            self.phase = ""
            self.asked: int | None = None
            self.number = recorder.new_user()
            self.calls = None if calls is None else calls(self)
            shared.pending.senders.add(self)
            for connection in self.connections:
                shared.deadlines.watch(connection)

        def on_stop(self) -> None:
            shared.pending.senders.discard(self)
            for connection in self.connections:
                shared.deadlines.forget(connection)
                connection.close()
            if self.calls is not None:
                self.calls.leave()

        @task
        def work(self) -> None:
            shared.begin()
            while self._state != LOCUST_STATE_STOPPING and (number := sequence.take()) is not None:
                answered = self.send(number, self.wait_for(number) if open_model else None)
                if plan.wait:
                    self.rest(plan.wait)
                elif not answered and not open_model:
                    self.rest(REFUSED)
            raise StopUser

        def wait_for(self, number: int) -> float:
            self._state = LOCUST_STATE_WAITING  # a user in this state Locust may stop at once; no request is in flight
            try:
                due = shared.sleep_until_due(number)
            except BaseException:
                sequence.give_back(number)
                raise
            self._state = LOCUST_STATE_RUNNING
            return due

        def rest(self, seconds: float) -> None:
            if self._state != LOCUST_STATE_STOPPING:
                self._state = LOCUST_STATE_WAITING
                gevent.sleep(seconds)
                self._state = LOCUST_STATE_RUNNING

        def send(self, number: int, due: float | None) -> bool:
            """Send one request and count its outcome. Returns False when the connection was refused."""
            index, request = sequence.request(number)
            self.asked = index
            if self.calls is not None and plan.tasks[index].call is not None:
                return self.calls.send(number, index, request, due)
            form = prepared[index]
            if form.fed is not None:
                form = form.fed(number, request)
            connection: Connection = self.connections[form.to]
            phase = self.phase = recorder.phase
            cohort = self.cohort = recorder.cohort
            octets = form.before + request.encode() + form.after
            if tracer is not None and b"\r\ntraceparent:" not in form.before.lower():
                octets = form.before + request.encode() + tracer.line(request) + form.after
            error = reason = ""  # only these: keeping the exception would tie it and this frame into a cycle
            sent = perf_counter()
            likeness = form.likeness
            if likeness is not None or (form.check is not None and form.check.reads_body):
                connection.first = MOST_BODY
            try:
                status, tail, body = connection.exchange(octets, form.bodiless, sent, form.timeout)
            except Failed as failed:
                answered, error, reason, body = perf_counter(), failed.kind, failed.reason, b""
                check = "" if form.check is None else NO_RESPONSE
                outcome = recorder.tagged(index, 0, of_cut(failed.tail), error, phase, cohort, check)
            except BaseException:
                shared.pending.abandon(self)
                placed[number] = None
                raise
            else:
                connection.used = answered = perf_counter()
                if plan.tags and phase is recorder.phase and form.check is None and likeness is None:
                    outcome = recorder.outcome(index, status, tail, cohort)
                else:
                    tags = of_head(tail)
                    if not plan.tags:
                        nothing = form.bodiless or bodiless("", status)
                        tags = from_outside(tags, headers_of(connection.head), body, nothing)
                    if likeness is not None:
                        tags = likeness.told(tags, status, body, connection.size)
                    check = "" if form.check is None else form.check(status, body)
                    outcome = recorder.tagged(index, status, tags, began_in=phase, cohort=cohort, check=check)
            if form.check is not None or likeness is not None:
                connection.first = FIRST
            size = 0 if error else connection.size
            known = (outcome, number, index, request, octets, body, reason, sent, answered, due, size, error)
            if (
                doubts is not None
                and (error or sent < doubts.until)
                and doubts.take(self, number, sent, bool(error), partial(self.count, None, *known))
            ):
                connection.previous = None
                return error != "refused"
            self.cohort = None
            self.count(connection.previous, *known)
            connection.previous = outcome
            return error != "refused"

        def count(
            self, previous: Outcome | None, outcome: Outcome, number: int, index: int, request: str, octets: bytes,
            body: bytes, reason: str, sent: float, answered: float, due: float | None, size: int, error: str,
        ) -> None:  # fmt: skip
            """Count a request's outcome; `previous` is the one before it on the same connection."""
            micros = int((answered - sent) * 1e6)
            recorder.add(outcome, micros, previous, self.number)
            if micros > outcome.slowest.above or request < outcome.shelf.below:
                head = headers_of(octets.partition(b"\r\n\r\n")[0])
                shared.keep(outcome, request, sent, micros, body, reason, head)
            placed[number] = outcome
            if due is not None:
                recorder.add_due(outcome, int((answered - due) * 1e6))
            if request[:8] < recorder.sample_below:
                recorder.sample(request, outcome)
            if tracer is not None:
                tracer.ended(outcome.key, request, plan.tasks[index].method, plan.tasks[index].url, sent, answered)
            if shared.fire is not None:
                shared.tell_locust(plan.tasks[index], answered - sent, outcome.key.status, size, error)

    return LeanUser
