"""A gateway in this process and upstreams that do exactly what a test's script says, octet by octet."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from chaos.gateway.process.app import running
from chaos.gateway.process.control import Control
from chaos.gateway.process.options import GatewayOptions, bind
from chaos.gateway.state.counters import Ledger
from chaos.gateway.state.in_force import RuleSet
from chaos.gateway.state.worker_state import WorkerState
from chaos.gateway.telemetry.log_file import LogFile
from chaos.gateway.upstream.pool import Pool
from support.clock import Clock
from support.raw_client import Answer, read_answer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Server:
    """One upstream. `heads` are the requests it has read, `bodies` what came with them; `connections` counts
    accepts."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    peers: list[Peer] = field(default_factory=list)

    def close_connections(self) -> None:
        """FIN on every connection, in the middle of whatever its script does."""
        for peer in self.peers:
            peer.writer.close()


Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.server = server
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The next request's head; raises IncompleteReadError when the gateway closes."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.server.heads.append(head)
        return head

    async def request(self) -> bytes:
        """The next request with its body, which is returned and noted."""
        head = (await self.head()).lower()
        body = b""
        if b"transfer-encoding: chunked" in head:
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            while (await self.reader.readline()).strip():
                pass
        elif b"content-length: " in head:
            body = await self.reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        self.server.bodies.append(body)
        return body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def always_ok(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(OK)


async def hangs(peer: Peer) -> None:
    await peer.request()
    await peer.reader.read()


async def resets(peer: Peer) -> None:
    await peer.request()
    peer.reset()


def always(answer: bytes) -> Script:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer)

    return script


def in_turn(*answers: bytes) -> Script:
    """The n-th request, over all connections, gets the n-th answer; the last repeats."""
    left = list(answers)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(left.pop(0) if len(left) > 1 else left[0])

    return script


@asynccontextmanager
async def upstream(script: Script = always_ok) -> AsyncIterator[Server]:
    found = Server(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        found.connections += 1
        peer = Peer(found, reader, writer)
        found.peers.append(peer)
        try:
            await script(peer)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            found.closed += 1
            tasks.discard(task)
            await _closed(writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 24)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        left = list(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()


async def _closed(writer: asyncio.StreamWriter) -> None:
    """The transport is gone: uvloop complains of what is still open when its loop ends."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@dataclass
class InProcess:
    port: int
    control: Control
    worker: WorkerState
    clients: list[Client] = field(default_factory=list)

    async def open(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24))
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> Answer:
        """One request on a connection of its own."""
        client = await self.open()
        try:
            return await client.ask(data)
        finally:
            client.close()

    def pools(self) -> dict[str, Pool]:
        """By cluster name, as far as requests have needed them: what is kept there, no response tells."""
        return dict(self.worker._pools_by_name)

    def counts(self, phase: str = "", rule: str = "virtualservice/default/web/0") -> dict[str, object]:
        return dict(self.worker.counters()["phases"][phase].get(rule) or Ledger(rule, b"", False).as_json())


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes) -> Answer:
        self.writer.write(data)
        return await self.answer(head_only=data.startswith(b"HEAD "))

    async def answer(self, *, head_only: bool = False) -> Answer:
        answer = Answer()
        async with asyncio.timeout(10):
            await read_answer(self.reader, self.writer, answer, head_only)
        return answer

    async def ended(self) -> bool:
        """Whether nothing more comes but the end."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def gateway(rules: RuleSet, *, clock: Clock | None = None, **settings: object) -> AsyncIterator[InProcess]:
    settings.setdefault("drain_seconds", 1.0)
    options = GatewayOptions(load=lambda: rules, parse=lambda _: rules, **settings)  # type: ignore[arg-type]
    listener = bind("127.0.0.1:0", "--listen")[0]
    port = listener.getsockname()[1]
    log = LogFile.opened(options.access_log) if options.access_log is not None else None
    async with running(options, rules, listener, log=log) as control:
        proxy = InProcess(port, control, control.worker)
        if clock is not None:
            clock.install(control.worker)
        try:
            yield proxy
        finally:
            for client in proxy.clients:
                await _closed(client.writer)


def get(target: str = "/", *lines: str, method: str = "GET", host: str = "web") -> bytes:
    """A request without a body."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"host: {host}", *lines, "", ""]).encode("latin-1")


def post(body: bytes, *lines: str, target: str = "/", method: str = "POST") -> bytes:
    return get(target, f"content-length: {len(body)}", *lines, method=method) + body


def chunked(*pieces: bytes, lines: tuple[str, ...] = (), trailers: bytes = b"") -> bytes:
    head = get("/", "transfer-encoding: chunked", *lines, method="POST")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Waits for something to become true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition, not only those that know of an event
            await asyncio.sleep(0.002)


def stalled(transport: asyncio.WriteTransport) -> bool:
    """Whether the writer must wait, because the kernel takes no more. Once the reader has stopped, that stays so."""
    return transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]
