"""The user's own locustfile: its users run as they are, and their requests are counted like those of our own users.

Requests made with HttpUser's and FastHttpUser's clients carry ids of the run, go through the gateway (as through a
proxy, unless their host is a loopback address), and record the gateway's tags; so do gRPC calls (grpc_channels.py).
Other protocols are counted by name and success only."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import locust
from locust import FastHttpUser, HttpUser, User
from locust.argument_parser import get_parser
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.exception import CatchResponseError, StopUser
from locust.util.load_locustfile import load_locustfile

from chaos.load.fast import kind_of
from chaos.load.recorder import Outcome
from chaos.load.secure import SecureClients, send_securely
from chaos.load.sending import ID, SENDING, Sending
from chaos.load.shared import Shared
from chaos.load.tags import UNTAGGED, bodiless, from_outside, of_headers
from chaos.loopback import is_loopback
from chaos.protocol.digest import MOST_NAMES
from chaos.protocol.load_plan import BadPlan, Plan
from chaos.statuses import GRPC

if TYPE_CHECKING:
    from chaos.load.grpc_channels import Channels

USER = "chaos_user"  # on a user's session: the number by which the user is counted
MOST_ID = 100  # characters of an id that the locustfile gave itself
FAILED = "failed"  # the locustfile marked the response as a failure, whatever its status


def environment_of_file(path: str, shared: Shared) -> Environment:
    """Return Locust's environment for the file's users, sent through the gateway and counted. Raises BadPlan."""
    os.environ.update(shared.plan.variables)
    channels = channels_of(path, shared)
    try:
        found, shapes = load_locustfile(os.path.abspath(path))
    except Exception as error:
        raise BadPlan(where_it_failed(path, error)) from None
    if not found:
        raise BadPlan(f"{path}: no user class; derive one from locust.HttpUser or locust.FastHttpUser")
    for each in found.values():
        send_through(each, shared.plan)
    for session in (HttpSession, FastHttpSession):
        session.request = identified(session.request, shared)  # type: ignore[method-assign]
    environment = Environment(
        user_classes=list(found.values()),
        shape_class=shapes[0] if shapes else None,
        events=locust.events,
        locustfile=os.path.basename(path),
        parsed_options=get_parser(default_config_files=[]).parse_args([]),
    )
    listen(environment, shared, channels)
    return environment


def channels_of(path: str, shared: Shared) -> Channels | None:
    """Return the gRPC channels of a locustfile that names grpc, before it opens them; None for any other."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return None
    if not re.search(r"\bgrpc", text) or find_spec("grpc") is None:
        return None
    from chaos.load.grpc_channels import identify_channels

    return identify_channels(shared)


def where_it_failed(path: str, error: Exception) -> str:
    """Return `file:line: message` of an error that loading the locustfile raised."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if os.path.abspath(frame.filename) == os.path.abspath(path):
            line = frame.lineno
    return f"{path}:{line or 1}: {type(error).__name__}: {error}"


def send_through(users: type[User], plan: Plan) -> None:
    """Send the users of a class through the gateway: as their host if they have none, as their proxy if they have one;
    and what they send over TLS to its HTTPS listener, if there is one."""
    gateway, secure = plan.gateway, plan.secure is not None
    if users.host is None:
        users.host = gateway
    behind = not is_loopback(urlsplit(users.host).hostname or "")
    if issubclass(users, FastHttpUser):
        if behind:
            users.proxy_host, users.proxy_port = urlsplit(gateway).hostname, urlsplit(gateway).port or 80
        if secure and users.client_pool is None:
            _prepare(users, before=lambda self: setattr(self, "client_pool", SecureClients(plan, self)))
    elif issubclass(users, HttpUser):
        if behind:
            _prepare(users, after=lambda self: setattr(self.client, "proxies", {"http": gateway}))
        if secure:
            _prepare(users, after=lambda self: send_securely(self.client, plan))


def _prepare(users: type[User], *, before: Callable[[Any], object] = id, after: Callable[[Any], object] = id) -> None:
    """Do something with each user of a class before it is made, or once it is."""
    start: Any = users.__init__

    def start_prepared(self: Any, *arguments: Any, **named: Any) -> None:
        before(self)
        start(self, *arguments, **named)
        after(self)

    users.__init__ = start_prepared  # type: ignore[method-assign]


def identified(request: Callable[..., Any], shared: Shared) -> Callable[..., Any]:
    """Wrap a session's `request`: add an id of the run to its headers, and to the context that Locust's event
    carries."""

    def send(self: Any, method: Any, url: Any, *arguments: Any, **named: Any) -> Any:
        shared.begin()
        number = shared.sequence.take()
        if number is None:
            raise StopUser
        if getattr(self, USER, None) is None:
            setattr(self, USER, shared.recorder.new_user())
        streams = bool(named.get("stream") or getattr(self, "stream", False))
        headers = dict(named.pop("headers", None) or {})
        sending = Sending(shared, getattr(self, USER), number, headers, streams)
        given = {name.lower(): value for name, value in headers.items()}.get(ID)
        if given is None:
            headers[ID] = given = shared.sequence.identify(number)
        if shared.tracer is not None and "traceparent" not in {name.lower() for name in headers}:
            headers["traceparent"] = shared.tracer.traceparent(str(given))
        named["context"] = {**(named.pop("context", None) or {}), ID: given, SENDING: sending}
        try:
            return request(self, method, url, *arguments, headers=headers, **named)
        except BaseException:  # the user was stopped, or Locust could not send it
            sending.abandon()
            raise

    return send


def listen(environment: Environment, shared: Shared, channels: Channels | None = None) -> None:
    """Count every request that Locust reports, and the calls on `channels` that it does not."""
    recorder, tagged, stats = shared.recorder, shared.plan.tags, environment.stats

    def on_request(
        request_type: str,
        name: str,
        response_time: float,
        exception: BaseException | None = None,
        response: Any = None,
        context: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if channels is not None and SENDING not in (context or {}) and (made := channels.told()) is not None:
            response, context = made.answered(), made.context
        sending: Sending | None = (context or {}).get(SENDING)
        cohort = sending.end() if sending is not None else None
        status, error = outcome_of(response, exception)
        headers = [] if response is None else list((getattr(response, "headers", None) or {}).items())
        tags = of_headers(headers) if headers else UNTAGGED
        if not tagged and status:
            tags = from_outside(tags, headers, response.content, bodiless(request_type, status))
        if not recorder.knows(name):
            # Locust keeps statistics of every name for its web UI, and would go on doing so for every id in a URL.
            stats.entries.pop((name, request_type), None)
            if len(stats.errors) > MOST_NAMES:
                stats.errors.clear()
        began_in = sending.phase if sending is not None else None
        outcome = recorder.tagged(recorder.task(name), status, tags, error, began_in, cohort)
        micros = int((response_time or 0.0) * 1000)
        sent, request = perf_counter() - micros / 1e6, (context or {}).get(ID)
        known = (outcome, micros, sent, request, request_type, exception, response, sending)
        doubts = shared.doubts
        if sending is not None and doubts is not None and (not status or sent < doubts.until):
            sending.cohort = cohort
            if doubts.take(sending, sending.number, sent, not status, partial(count, *known)):
                return
            sending.cohort = None
        count(*known)

    def count(
        outcome: Outcome, micros: int, sent: float, request: str | None, request_type: str,
        exception: BaseException | None, response: Any, sending: Sending | None,
    ) -> None:  # fmt: skip
        recorder.add(outcome, micros, user=sending.user if sending is not None else -1)
        if sending is not None:
            sending.place(outcome)
        if micros > outcome.slowest.above or (request or "") < outcome.shelf.below:
            body = b"" if sending is None or sending.streams else bytes(getattr(response, "content", None) or b"")
            asked = f"{request_type} {getattr(response, 'url', None) or ''}".strip()
            reason = getattr(response, "said", "") or ("" if exception is None else str(exception))
            head = [] if sending is None else headers_sent(sending, response)
            shared.keep(outcome, (request or "")[:MOST_ID], sent, micros, body, reason, head, asked)
        if request is not None and request[:8] < recorder.sample_below:
            recorder.sample(request, outcome)
        if shared.tracer is not None and sending is not None and request is not None:
            url = str(getattr(response, "url", None) or "")
            shared.tracer.ended(outcome.key, str(request), request_type, url, sent, sent + micros / 1e6)

    environment.events.request.add_listener(on_request)
    if channels is not None:
        channels.count = lambda method, seconds, response, context: on_request(
            "gRPC", method.lstrip("/"), seconds * 1000, response=response, context=context
        )


def headers_sent(sending: Sending, response: Any) -> list[tuple[str, str]]:
    """Return the headers of a request: those of the call, and those that the client added, such as its cookies."""
    added = getattr(getattr(response, "request", None), "headers", None) or {}
    return [(str(name), str(value)) for each in (sending.headers, added) for name, value in each.items()]


def outcome_of(response: Any, exception: BaseException | None) -> tuple[int, str]:
    """Return status and error of a request as Locust reports it; status 200 for the success of something that is not
    HTTP."""
    status = getattr(response, "status_code", None)
    if status is None:
        return (200, "") if exception is None else (0, FAILED)
    if status:
        marked = isinstance(exception, CatchResponseError) or (status == GRPC and exception is not None)
        return int(status), FAILED if marked else ""
    failure = getattr(response, "failure", "")  # of a gRPC call; Locust's own responses have a method of this name
    return 0, (isinstance(failure, str) and failure) or kind_of(getattr(response, "error", None) or exception)
