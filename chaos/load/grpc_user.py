"""gRPC calls of users, beside their HTTP requests: the same ids, phases, cohorts and counts.

Each user has a channel of its own for each address and authority, because a channel knows one authority, and one
connection on it. What Envoy says of a request is among the headers of a response or, where there is no message, among
its trailers; grpcio gives both as metadata."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import urlsplit

import gevent
import grpc
import grpc.experimental.gevent

from chaos.experiment.call import GRPC
from chaos.load.checks import MOST_BODY, Check, check_of
from chaos.load.fed import Rows, rows_of
from chaos.load.recorder import Cohort, Outcome
from chaos.load.shared import Shared
from chaos.load.tags import UNTAGGED, from_outside, of_headers
from chaos.protocol.digest import NO_RESPONSE
from chaos.protocol.load_plan import BadPlan, Plan, Task
from chaos.rpc.messages import Method, Misfit, binary, method_of
from chaos.statuses import of_grpc

CHANNEL = (
    ("grpc.use_local_subchannel_pool", 1),  # else channels of one process share a connection
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # what the gateway does not know of cannot be compared with what it counts
    ("grpc.initial_reconnect_backoff_ms", 100),  # the least (min_...) is how long a connection may take: 20 s
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.max_receive_message_length", -1),
)

_OWN_WORDS = (
    ("refused", "failed to connect|connections to all backends failing|Connection refused|DNS resolution failed"),
    ("reset", "RST_STREAM|reset by peer|Broken pipe|Stream removed"),
    ("closed", "Socket closed|GOAWAY|[Tt]ransport closed|Connection closed|EOF|End of TCP stream"),
    ("malformed", "Trying to connect an http1.x server|[Ff]ailed to parse|missing grpc-status|HTTP2 header|unexpected"),
)
_OWN = [(kind, re.compile(words)) for kind, words in _OWN_WORDS]
_OF_TRANSPORT = {"UNAVAILABLE", "INTERNAL", "UNKNOWN", "CANCELLED", "RESOURCE_EXHAUSTED"}

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call. `status` is 0 without a response, and `error` then the kind of failure; `text` is the
    status' message, or why there is no response."""

    status: int
    metadata: tuple[tuple[str, str], ...] = ()
    error: str = ""
    text: str = ""
    message: bytes = b""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A task's call without its id. `place` is (address, authority, whether over TLS)."""

    task: Task
    method: Method
    message: bytes
    metadata: Metadata
    place: tuple[str, str, bool]
    check: Check | None
    fed: Rows[Prepared] | None = None


class Caller(Protocol):
    """A user who sends calls, as whoever waits for a response is counted (pending.py); `number` is as the recorder has
    it."""

    cohort: Cohort | None
    phase: str
    asked: int | None
    number: int

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a plan's tasks, by the index of the task; `credentials` are for channels over TLS."""

    shared: Shared
    prepared: Mapping[int, Prepared]
    credentials: Any

    @property
    def plan(self) -> Plan:
        return self.shared.plan


def prepare_calls(shared: Shared) -> Calls:
    """Return the calls of a plan, and tell grpcio of gevent. Raises BadPlan for a message that does not fit."""
    grpc.experimental.gevent.init_gevent()
    plan, prepared = shared.plan, {}
    for index, task in enumerate(plan.tasks):
        if task.call is not None:
            prepare = _preparing(plan, task)
            prepared[index] = replace(prepare(task), fed=rows_of(plan, shared.sequence, task, prepare))
    return Calls(shared, prepared, _credentials(plan))


def make_room(more: int) -> None:
    """Let so many calls more be under way at a time. With gevent a call waits in a thread of the hub's pool, and there
    are ten: the eleventh user's would wait for a thread, and be measured with that."""
    pool = gevent.get_hub().threadpool
    pool.maxsize += more


class UserCalls:
    """One user's connections for calls."""

    def __init__(self, calls: Calls, user: Caller):
        self._calls, self._user = calls, user
        make_room(1)
        self._channels: dict[tuple[str, str, bool], Any] = {}
        self._asks: dict[tuple[tuple[str, str, bool], str], Any] = {}
        self._before: dict[tuple[str, str, bool], Outcome | None] = {}

    def leave(self) -> None:
        """Close all connections: the user stops."""
        self._close()
        make_room(-1)

    def _close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()
        self._asks.clear()
        self._before.clear()

    def send(self, number: int, index: int, request: str, due: float | None) -> bool:
        """Make one call and count its outcome. Returns False when the connection was refused."""
        calls, user = self._calls, self._user
        shared, recorder = calls.shared, calls.shared.recorder
        form = calls.prepared[index]
        if form.fed is not None:
            form = form.fed(number, request)
        phase = user.phase = recorder.phase
        cohort = user.cohort = recorder.cohort
        sent = perf_counter()
        try:
            answer = self._ask(form, request)
        except BaseException:  # the user is being stopped
            shared.pending.abandon(user)
            recorder.order.placed[number] = None
            self._close()
            raise
        answered = perf_counter()
        outcome = self._outcome(index, form, answer, phase, cohort)
        known = (outcome, number, index, request, form, answer, sent, answered, due)
        doubts = shared.doubts
        if (
            doubts is not None
            and (answer.error or sent < doubts.until)
            and doubts.take(user, number, sent, bool(answer.error), partial(self._count, None, *known))
        ):
            self._note(form.place, None)
            return answer.error != "refused"
        user.cohort = None
        self._count(self._before.get(form.place), *known)
        self._note(form.place, outcome if answer.status else None)
        return answer.error != "refused"

    def _count(
        self, previous: Outcome | None, outcome: Outcome, number: int, index: int, request: str, form: Prepared,
        answer: Answer, sent: float, answered: float, due: float | None,
    ) -> None:  # fmt: skip
        """Count a call's outcome; `previous` is the one before it on the same connection."""
        shared = self._calls.shared
        recorder = shared.recorder
        micros = int((answered - sent) * 1e6)
        recorder.add(outcome, micros, previous, self._user.number)
        if micros > outcome.slowest.above or request < outcome.shelf.below:
            body = form.method.decode(answer.message) if answer.message else b""
            shared.keep(outcome, request, sent, micros, body, answer.text, form.task.headers.items())
        recorder.order.placed[number] = outcome
        if due is not None:
            recorder.add_due(outcome, int((answered - due) * 1e6))
        if request[:8] < recorder.sample_below:
            recorder.sample(request, outcome)
        if shared.fire is not None:
            task = self._calls.plan.tasks[index]
            shared.tell_locust(task, answered - sent, answer.status, len(answer.message), answer.error)

    def _note(self, place: tuple[str, str, bool], outcome: Outcome | None) -> None:
        """Note what the next call on the same connection comes after, None for a failure, which ends that."""
        self._before[place] = outcome
        if not self._calls.plan.keep_alive:
            self._close()

    def _outcome(self, index: int, form: Prepared, answer: Answer, phase: str, cohort: Cohort) -> Outcome:
        recorder = self._calls.shared.recorder
        if not answer.status:
            check = "" if form.check is None else NO_RESPONSE
            return recorder.tagged(index, 0, UNTAGGED, answer.error, phase, cohort, check)
        tags = of_headers(answer.metadata)
        if not self._calls.plan.tags:
            said = (("grpc-status", str(answer.status)), ("grpc-message", answer.text))
            tags = from_outside(tags, (*answer.metadata, *said), None, False)
        check = ""
        if form.check is not None:
            body = form.method.decode(answer.message) if form.check.reads_body else b""
            check = form.check(answer.status, body[:MOST_BODY])
        return recorder.tagged(index, answer.status, tags, began_in=phase, cohort=cohort, check=check)

    def _ask(self, form: Prepared, request: str) -> Answer:
        ask = self._asks.get((form.place, form.method.path)) or self._prepared_call(form)
        metadata = (*form.metadata, ("x-request-id", request))
        try:
            message, call = ask.with_call(form.message, timeout=form.task.timeout, metadata=metadata)
        except grpc.RpcError as failed:
            return answer_of(failed, form.task.timeout)
        return Answer(of_grpc(0), metadata_of(call), message=message)

    def _prepared_call(self, form: Prepared) -> Any:
        """Return what calls a method on the connection for it, which is opened if need be."""
        channel = self._channels.get(form.place)
        if channel is None:
            channel = self._channels[form.place] = self._open(*form.place)
        made = self._asks[form.place, form.method.path] = channel.unary_unary(form.method.path)
        return made

    def _open(self, address: str, authority: str, secure: bool) -> Any:
        options = (*CHANNEL, ("grpc.default_authority", authority))
        if not secure:
            return grpc.insecure_channel(address, options=options)
        named = (*options, ("grpc.ssl_target_name_override", urlsplit(f"//{authority}").hostname or authority))
        return grpc.secure_channel(address, self._calls.credentials, options=named)


def answer_of(failed: Any, timeout: float | None) -> Answer:
    """Return what came of a call that is not OK: a response with another status, or none."""
    code, text = failed.code(), failed.details() or ""
    metadata = metadata_of(failed)
    error = "" if failed.trailing_metadata() else _error(code.name, text)
    if not error:
        return Answer(of_grpc(code.value[0]), metadata, text=text)
    limit = "" if timeout is None else f" within {timeout:g} s"
    return Answer(0, error=error, text=f"no complete response{limit}" if error == "timeout" else text)


def _error(code: str, text: str) -> str:
    """Return the kind of failure of a call that grpcio itself has ended, empty for a status that the server sent.

    grpcio says with one and the same code what a server answered and what became of the connection. What tells them
    apart is the message: without trailers a server's own status has no metadata either."""
    if code == "DEADLINE_EXCEEDED":
        return "timeout"
    if code not in _OF_TRANSPORT:
        return ""
    return next((kind for kind, words in _OWN if words.search(text)), "")


def metadata_of(call: Any) -> tuple[tuple[str, str], ...]:
    """Return the headers and trailers of a response as texts."""
    both: Iterable[Any] = (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ()))
    return tuple((key, value if isinstance(value, str) else value.decode("latin-1")) for key, value in both)


def _preparing(plan: Plan, task: Task) -> Callable[[Task], Prepared]:
    """Return a function that prepares a task, with the values of whichever row."""
    call, check = task.call, check_of(task.expect)
    assert call is not None
    try:
        method = method_of(base64.b64decode(call.descriptors), call.service, call.method)
    except Misfit as misfit:
        raise BadPlan(f"task {task.name!r}: {misfit}") from None

    def prepare(wanted: Task) -> Prepared:
        try:
            message = method.encode(wanted.body)
        except Misfit as misfit:
            raise BadPlan(f"task {task.name!r}: {misfit}") from None
        return Prepared(wanted, method, message, _metadata(wanted.headers), _place(plan, wanted), check)

    return prepare


def _place(plan: Plan, task: Task) -> tuple[str, str, bool]:
    host, port = plan.address_of(task)
    authority = next((value for name, value in task.headers.items() if name.lower() == "host"), task.host)
    secure = plan.is_secure(task) or (task.direct and urlsplit(task.url).scheme == "https")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", authority, secure


def _metadata(headers: Mapping[str, str]) -> Metadata:
    """Return a task's headers as metadata; those ending in `-bin` are bytes, written in base64 as on the wire."""
    made: list[tuple[str, str | bytes]] = []
    for name, value in headers.items():
        lower = name.lower()
        if lower not in GRPC and lower not in ("host", "x-request-id"):
            made.append((lower, binary(value) if lower.endswith("-bin") else value))
    return tuple(made)


def _credentials(plan: Plan) -> Any:
    """Return what a secure channel knows its server by; None where no task goes over TLS."""
    if all(urlsplit(task.url).scheme != "https" for task in plan.tasks if task.call is not None):
        return None
    return listener_credentials(plan)


def listener_credentials(plan: Plan) -> Any:
    """Return credentials by which the run's HTTPS listener is known."""
    return grpc.ssl_channel_credentials(Path(plan.ca).read_bytes() if plan.ca is not None else None)
