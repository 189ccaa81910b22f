"""The access log: a JSON line for each request, in the names that Istio gives Envoy's (accessLogEncoding: JSON).

Source: pilot/pkg/model/telemetry_logging.go (`EnvoyJSONLogFormatIstio`). Four names are added, because verdicts need
them and that format lacks them: the attempts, under the name of Envoy's operator, and our fault, policies and phase.
The name of the route is what x-chaos-route carries.

A line costs the request that it tells of some two microseconds: what does not change from one request to the next is
written once and looked up."""

from __future__ import annotations

import asyncio
import json
import re
import time
from functools import lru_cache

from chaos.gateway.exchange.client import Client
from chaos.gateway.exchange.observed import Kind, Observed
from chaos.gateway.telemetry.log_file import LogWriter
from chaos.gateway.telemetry.sampling import Sample
from chaos.gateway.upstream.connection import Upstream
from chaos.mesh.compile.headers import normalised

FLUSH_BYTES = 64 * 1024
FLUSH_SECONDS = 0.2
REMEMBERED, LONGEST_REMEMBERED = 1024, 2048  # texts, and characters of one

_PLAIN = re.compile(rb"[ !#-\[\]-~]*").fullmatch
_NULL = "null"
_MILLISECONDS = tuple(f".{each:03}Z" for each in range(1000))


class AccessLog:
    """The log of one worker; an Observer. Lines are gathered and written at once, at most a fifth of a second later."""

    def __init__(self, writer: LogWriter, sample: Sample | None = None):
        self._writer = writer
        self._sample = sample
        self._loop = asyncio.get_running_loop()
        self._lines: list[str] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._second, self._stamp = 0, ""
        self._alike: dict[Kind, str] = {}

    def ended(self, exchange: Observed) -> None:
        """Write the line of a request that is over."""
        if self._sample is not None and not self._sample.takes(exchange.request.id):
            return
        line = self._line(exchange)
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Hand over the lines that have been gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            self._writer.write("".join(self._lines).encode())
            self._lines, self._size = [], 0

    async def reopen(self) -> str:
        """Close the file and open what is now at its path, after the lines so far. Returns why that failed, or ""."""
        self.flush()
        return await asyncio.wrap_future(self._writer.reopen())

    async def close(self) -> None:
        """Write what is left."""
        self.flush()
        await asyncio.to_thread(self._writer.close)

    # ------------------------------------------------------------------------------------------ a line

    def _line(self, exchange: Observed) -> str:
        request, last, client, seconds = exchange.request, exchange.last, exchange.peer, exchange.seconds
        fields = request.fields or request.index()
        forward = exchange.forward
        path = normalised(request.target) if forward is None else forward.original_path or forward.target
        given = fields.get(b"x-forwarded-for")
        key = exchange.kind(forward, fields.get(b"user-agent", b""))
        alike = self._alike.get(key) or self._made(key, exchange)
        connection = None if last is None else last.connection
        started, body = exchange.started, exchange.body
        second = int(started)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        # One f-string: the bytes of a format, or json.dumps, would take five times as long.
        return (
            f'{{"start_time":"{self._stamp}{_MILLISECONDS[int((started - second) * 1000)]}",'
            f'"path":{quoted(path)},{alike},'
            f'"bytes_received":{0 if body is None else body.size},"bytes_sent":{exchange.sent},'
            f'"duration":{int((time.monotonic() - exchange.began) * 1000)},'
            f'"upstream_service_time":{_NULL if seconds is None else _milliseconds(seconds)},'
            f'"x_forwarded_for":{_forwarded_for(exchange, given) if given or client.worker.replaces_ids else _NULL},'
            f'"request_id":{_quoted(request.id)},'
            f'"upstream_local_address":{_NULL if connection is None else connection.own_address or _own(connection)},'
            f"{client.addresses or _addresses(client)}}}\n"
        )

    def _made(self, key: Kind, exchange: Observed) -> str:
        """Return what many requests have in common, and keep it for those that do."""
        if len(self._alike) >= REMEMBERED:
            self._alike.clear()
        made = json.dumps(_common(exchange), separators=(",", ":"))[1:-1]
        if len(made) <= LONGEST_REMEMBERED:
            self._alike[key] = made
        return made


def _common(exchange: Observed) -> dict[str, object]:
    request, decision, forward, last = exchange.request, exchange.decided, exchange.forward, exchange.last
    rule = decision.rule if decision is not None else None
    cluster = forward.cluster if forward is not None else None
    authority = request.authority if forward is None else forward.authority
    return {
        "method": _decoded(request.method),
        "protocol": "HTTP/1.1",
        "route_name": rule.name if rule is not None else None,
        "response_code": exchange.status,
        "response_flags": exchange.all_flags or "-",
        "response_code_details": exchange.details or None,
        "connection_termination_details": None,
        "authority": _decoded(authority),
        "user_agent": _decoded((request.fields or request.index()).get(b"user-agent", b"")),
        "upstream_cluster": outbound(cluster.name) if cluster is not None else None,
        "upstream_host": _address(last.host.endpoint.address, last.host.endpoint.port) if last is not None else None,
        "upstream_transport_failure_reason": exchange.transport_failure or None,
        "requested_server_name": None,
        "upstream_request_attempt_count": exchange.attempts,
        "chaos_fault": (decision and decision.fault) or None,
        "chaos_policy": exchange.policies or None,
        "chaos_phase": exchange.phase or None,
    }


def outbound(label: str) -> str:
    """Return the name that Istio gives a cluster, from its label `host:port` or `host:port/subset`."""
    place, _, subset = label.partition("/")
    host, _, port = place.rpartition(":")
    return f"outbound|{port}|{subset}|{host}"


def _decoded(text: bytes) -> str | None:
    """Return a text, None if it is empty; bytes that are no UTF-8 are replaced."""
    return text.decode("utf-8", "replace") or None


def _quoted(text: bytes) -> str:
    """Return a text as JSON."""
    return f'"{text.decode()}"' if text and _PLAIN(text) else json.dumps(_decoded(text))


_remembered = lru_cache(REMEMBERED)(_quoted)


def quoted(text: bytes) -> str:
    """Return a text as JSON, and remember it: for what is often the same."""
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else _quoted(text)


def _milliseconds(seconds: float) -> str:
    return f'"{int(seconds * 1000)}"'


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _forwarded_for(exchange: Observed, given: bytes | None) -> str:
    """Return x-forwarded-for as upstream gets it: a gateway at the edge adds the client."""
    request = exchange.request
    if given is not None and len(request.index()) != len(request.headers):
        given = b",".join(value for name, value in request.headers if name == b"x-forwarded-for")
    if exchange.peer.worker.replaces_ids:  # it is such a gateway
        given = request.remote if given is None else given + b"," + request.remote
    return quoted(given or b"")


def _addresses(client: Client) -> str:
    """Return the addresses of a client's connection, and keep them with it."""
    own, peer = (client.transport.get_extra_info(name) for name in ("sockname", "peername"))
    said = {"downstream_local_address": own, "downstream_remote_address": peer}
    shown = {name: _address(*pair[:2]) if pair else None for name, pair in said.items()}
    client.addresses = json.dumps(shown, separators=(",", ":"))[1:-1]
    return client.addresses


def _own(connection: Upstream) -> str:
    """Return our own address of a connection to an endpoint, and keep it with it."""
    own = connection.transport.get_extra_info("sockname")
    connection.own_address = json.dumps(_address(*own[:2]) if own else None)
    return connection.own_address
