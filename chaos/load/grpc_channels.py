"""gRPC calls of a locustfile: the channels that it opens with grpcio lead through the gateway, and their calls have ids
of the run and are counted with what the gateway says of them.

Locust knows nothing of gRPC: the pattern of its documentation is an interceptor of the user's own, which fires
`events.request` once a call is over. It runs around the one that is put into each channel here, in the same greenlet,
so the event is about the call that this greenlet made last. A call that no event tells of is counted by its method's
name, as soon as the next one is made or the greenlet ends. Calls that stream are left as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import gevent
import grpc
import grpc.experimental.gevent
from locust.exception import StopUser

from chaos.load.grpc_user import Answer, answer_of, listener_credentials, make_room, metadata_of
from chaos.load.sending import ID, SENDING, Sending
from chaos.load.shared import Shared
from chaos.loopback import is_loopback
from chaos.statuses import of_grpc

AUTHORITY = "grpc.default_authority"


@dataclass(frozen=True, slots=True)
class Answered:
    """A response in the form in which Locust's clients have theirs. `failure` is the kind of failure of one that never
    came, `said` its text or the status' message; `url` is what was called."""

    status_code: int
    headers: Mapping[str, str]
    failure: str = ""
    said: str = ""
    url: str = ""
    content: bytes = b""

    @classmethod
    def of(cls, answer: Answer, url: str) -> Answered:
        marks = {"grpc-status": str(answer.status), "grpc-message": answer.text}
        return cls(answer.status, {**dict(answer.metadata), **marks}, answer.error, answer.text, url)


@dataclass(eq=False, slots=True)
class Made:
    """A call that was made, of which no event has told yet."""

    method: str
    id: str
    sending: Sending
    call: Any
    began: float
    timeout: float | None = None
    seconds: float = field(default=0.0)

    @property
    def context(self) -> dict[str, Any]:
        return {ID: self.id, SENDING: self.sending}

    def answered(self) -> Answered:
        """Return what came of it; waits for one that is under way."""
        call = self.call
        if call.code() is grpc.StatusCode.OK:
            return Answered.of(Answer(of_grpc(0), metadata_of(call)), self.method)
        return Answered.of(answer_of(call, self.timeout), self.method)


class Channels:
    """The channels of a load process. `count` counts a call that no event told of: its method, seconds, response and
    context."""

    def __init__(self, shared: Shared):
        self.shared = shared
        self.count: Callable[[str, float, Answered, dict[str, Any]], None] = lambda *_: None
        self._last: dict[Any, Made] = {}

    def told(self) -> Made | None:
        """Return the last call of this greenlet, of which an event tells now; None without one."""
        return self._last.pop(gevent.getcurrent(), None)

    def made(self, made: Made) -> None:
        """Note a call of this greenlet, and count the one before if nobody told of it."""
        self.catch_up()
        greenlet = gevent.getcurrent()
        if isinstance(greenlet, gevent.Greenlet) and not hasattr(greenlet, "chaos_calls"):
            greenlet.chaos_calls = True
            greenlet.rawlink(self._ended)
        self._last[greenlet] = made

    def catch_up(self) -> None:
        """Count the last call of this greenlet if no event has told of it."""
        if (before := self.told()) is not None:
            self._tell(before)

    def _ended(self, greenlet: Any) -> None:
        if (last := self._last.pop(greenlet, None)) is not None:
            self._tell(last)

    def _tell(self, made: Made) -> None:
        """Count a call, once it is over."""
        if made.call.done():
            self.count(made.method, made.seconds or perf_counter() - made.began, made.answered(), made.context)
        else:
            made.call.add_done_callback(lambda _: self._tell(made))


class Identified(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Gives the calls of one channel ids of the run; its user is a user of the load."""

    def __init__(self, channels: Channels):
        self._channels = channels
        self._user = channels.shared.recorder.new_user()
        make_room(1)

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Make the call, and note that it was made."""
        shared = self._channels.shared
        shared.begin()
        self._channels.catch_up()
        number = shared.sequence.take()
        if number is None:
            raise StopUser
        given = [(str(name), value) for name, value in details.metadata or ()]
        known = next((value for name, value in given if name == ID), None)
        own = known if isinstance(known, str) else shared.sequence.identify(number)
        metadata = given if known is not None else [*given, (ID, own)]
        sending = Sending(shared, self._user, number, {name: str(value) for name, value in given})
        began = perf_counter()
        try:
            call = continuation(_with_metadata(details, metadata), request)
        except BaseException:  # the user was stopped
            sending.abandon()
            raise
        made = Made(_text(details.method), own, sending, call, began, details.timeout)
        if call.done():
            made.seconds = perf_counter() - began
        self._channels.made(made)
        return call


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


class _Details(grpc.ClientCallDetails):  # type: ignore[misc]
    """A call's details with other metadata."""

    def __init__(self, details: Any, metadata: Any):
        self.method, self.timeout, self.metadata = details.method, details.timeout, metadata
        self.credentials = details.credentials
        self.wait_for_ready = getattr(details, "wait_for_ready", None)
        self.compression = getattr(details, "compression", None)


def _with_metadata(details: Any, metadata: Any) -> Any:
    return _Details(details, tuple(metadata))


def identify_channels(shared: Shared) -> Channels:
    """Let grpcio's functions that open channels open those of the run from now on."""
    grpc.experimental.gevent.init_gevent()
    channels, plan = Channels(shared), shared.plan
    insecure, secure = grpc.insecure_channel, grpc.secure_channel

    def insecure_channel(target: str, options: Any = None, compression: Any = None) -> Any:
        address, options = _led(target, options, plan.gateway)
        return grpc.intercept_channel(insecure(address, options, compression), Identified(channels))

    def secure_channel(target: str, credentials: Any, options: Any = None, compression: Any = None) -> Any:
        if plan.secure is not None and not _is_own(target):
            target, options = _led(target, options, plan.secure)
            credentials = listener_credentials(plan)
        return grpc.intercept_channel(secure(target, credentials, options, compression), Identified(channels))

    grpc.insecure_channel, grpc.secure_channel = insecure_channel, secure_channel
    return channels


def _led(target: str, options: Any, gateway: str) -> tuple[str, Any]:
    """Return the address that a channel connects to, and its options: those of a host of the mesh lead to the gateway
    with the host as authority, and as server name."""
    authority = _authority(target)
    if _is_own(target):
        return authority, options
    given = {name for name, _ in options or ()}
    added = [(AUTHORITY, authority)] if AUTHORITY not in given else []
    return urlsplit(gateway).netloc, [*(options or ()), *added]


def _authority(target: str) -> str:
    """Return host and port of a target: of `dns:///echo:50051`, of `http://echo:50051`, of `echo:50051`."""
    return target.rpartition("/")[2] if not target.startswith("unix:") else target


def _is_own(target: str) -> bool:
    """Return whether a target is on this machine itself."""
    return target.startswith("unix") or is_loopback(urlsplit(f"//{_authority(target)}").hostname or "")
