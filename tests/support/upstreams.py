"""Echo servers that stand behind a proxy in tests: they remember what they saw and answer as the request asks.

A request is known by its `x-test-id`. Two of its headers steer the answer:

x-test-plan     what the n-th try of this id gets, separated by commas; the last step repeats
                  503        that status                      grpc:14      a trailers-only gRPC answer with this status
                  sleep:0.5  wait, then 200                   sleep:0.5/503  wait, then 503
                  reset      RST, no answer                   close        FIN, no answer         hang   no answer
                  cut        head and half a body, then RST   slow-body    half a body, 1 s, the rest
x-test-respond  a JSON object of response headers (a list value makes several lines)

The answer's body is the endpoint's name, so that it does not depend on what the proxy added to the request.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Seen:
    """One request as an endpoint received it; header names in lower case, in order."""

    endpoint: str
    method: str
    target: str
    headers: Headers
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str, default: str = "") -> str:
        return next(iter(self.values(name)), default)


@dataclass(slots=True)
class Upstreams:
    """One listener on a free loopback port for each endpoint name; `seen` by test id, in order of arrival.

    Names in `refusing` get a port that nothing listens on."""

    names: Iterable[str]
    refusing: frozenset[str] = frozenset()
    ports: dict[str, int] = field(default_factory=dict)
    seen: defaultdict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    _servers: list[asyncio.Server] = field(default_factory=list)
    _reserved: list[socket.socket] = field(default_factory=list)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Upstreams:
        for name in self.names:
            if name in self.refusing:
                self.ports[name] = self._reserve()
                continue
            server = await asyncio.start_server(self._serve(name), "127.0.0.1", 0, limit=1 << 20)
            self._servers.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for reserved in self._reserved:
            reserved.close()

    def _reserve(self) -> int:
        """A bound port without a listener: connections are refused, and nobody else can take it."""
        reserved = socket.socket()
        reserved.bind(("127.0.0.1", 0))
        self._reserved.append(reserved)
        port: int = reserved.getsockname()[1]
        return port

    def _serve(self, name: str):  # type: ignore[no-untyped-def]
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                while await self._exchange(name, reader, writer):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self._connections.discard(task)
                writer.close()

        return serve

    async def _exchange(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is done."""
        request = await read_request(name, reader, writer)
        tries = self.seen[request.first("x-test-id", "?")]
        tries.append(request)
        step = _step(tries)
        if step.startswith("sleep:"):
            seconds, _, step = step.removeprefix("sleep:").partition("/")
            await asyncio.sleep(float(seconds))
        if step == "reset":
            _reset(writer)
            return False
        if step == "close":
            return False
        if step == "hang":
            await asyncio.sleep(60)
            return False
        if "websocket" in request.first("upgrade").lower():
            await _echo_socket(name, reader, writer)
            return False
        return await _answer(request, step or "200", writer)


def _step(tries: list[Seen]) -> str:
    """What the plan has for the last of these; copies, which come when they like, are not in it."""
    plan = [step for step in tries[-1].first("x-test-plan").split(",") if step]
    if not plan or tries[-1].values("x-envoy-internal"):
        return "200"
    originals = sum(not request.values("x-envoy-internal") for request in tries)
    return plan[min(originals, len(plan)) - 1]


async def read_request(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = [line.partition(":") for line in lines if line]
    request = Seen(name, method, target, [(key.lower(), value.strip(" \t")) for key, _, value in pairs])
    if request.first("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in request.first("transfer-encoding"):
        request.body = await read_chunks(reader)
    elif length := request.first("content-length"):
        request.body = await reader.readexactly(int(length))
    return request


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        pass
    return body


async def _answer(request: Seen, step: str, writer: asyncio.StreamWriter) -> bool:
    broken = step if step in ("cut", "slow-body") else ""
    grpc = step.removeprefix("grpc:") if step.startswith("grpc:") else ""
    status = 200 if broken or grpc else int(step)
    body = b"" if grpc or status in (204, 304) else request.endpoint.encode()
    headers: Headers = [("content-type", "application/grpc"), ("grpc-status", grpc)] if grpc else []
    headers += [("x-up", request.endpoint), ("server", "upstream")]
    for key, value in json.loads(request.first("x-test-respond", "{}")).items():
        headers = [pair for pair in headers if pair[0] != key]
        headers += [(key, line) for line in (value if isinstance(value, list) else [value])]
    if status not in (204, 304):
        headers.append(("content-length", str(len(body))))
    last = "close" in request.first("connection").lower()
    if last:
        # Said as RFC 9112 9.6 asks: a connection that closes unannounced may already carry another client's request.
        headers.append(("connection", "close"))
    head = f"HTTP/1.1 {status} Any\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers) + "\r\n"
    writer.write(head.encode("latin-1"))
    if broken:
        writer.write(body[:2])
        await writer.drain()
        await asyncio.sleep(0.05 if broken == "cut" else 1.0)
        if broken == "cut":
            _reset(writer)
            return False
        body = body[2:]
    if request.method != "HEAD":
        writer.write(body)
    await writer.drain()
    return not last


async def _echo_socket(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = f"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nx-up: {name}\r\n\r\n"
    writer.write(head.encode())
    while data := await reader.read(4096):
        writer.write(data)


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: an abortive close (SO_LINGER 0)."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
