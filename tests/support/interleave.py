"""Requests, resets, timeouts, retries and disconnects mixed at random, over real sockets: whose answer is it?

Clients keep connections and put one to three requests on them at once; upstream answers, dawdles, breaks off, and
closes connections just as the next request may be on its way. Every answer carries the id of its request, whoever made
it: upstream echoes it, and the replies of the rules have it, too. What each actor does follows from the seed; how the
actors interleave is up to the machine."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from chaos.mesh.decision import Abort, Balancing, Decision, Failure, Forward, Reply, Request, Rule
from support.decisions import ABORT_REPLY, HandRules, PlainHeadwork, cluster, decided, retrying
from support.raw_client import Answer
from support.scripted import Client, InProcess, gateway, until

CLIENTS = 24
CONNECTION_REQUESTS = 60  # on average, before a client opens another connection
PER_TRY, ROUTE = 0.02, 0.06  # seconds
_ID = re.compile(rb"\r\nx-id: (\S+)\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


@dataclass
class Figures:
    """What has happened. `events` counts what the actors did, `statuses` what clients saw."""

    seed: int
    answers: int = 0
    events: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    ledgers: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: tuple[int, int, int] = (0, 0, 0)  # requests that wait, are retried, are in flight, at rest
    trouble: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        events = ", ".join(f"{name} {count}" for name, count in sorted(self.events.items()))
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"seed {self.seed}: {self.answers} answers, {len(self.wrong)} wrong ({statuses}; {events})"


# ---------------------------------------------------------------------------------------------- upstream


class Upstream(asyncio.Protocol):
    """Answers with the request's id, sooner or later or not at all."""

    transport: asyncio.Transport

    def __init__(self, chance: random.Random, events: Counter[str], open_ones: set[Upstream]):
        self._chance = chance
        self._events = events
        self._open = open_ones
        self._data = b""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        needed = int(length[1]) if length is not None else 0
        if not end or len(rest) < needed:
            return
        self._data = rest[needed:]
        found = _ID.search(head + b"\r\n")
        assert found is not None, head
        self._act(found[1])

    def _act(self, own: bytes) -> None:
        draw = self._chance.random()
        if draw < 0.60:
            self._answer(own, 200)
        elif draw < 0.72:
            self._busy = True
            self._later(self._chance.uniform(0, 2 * ROUTE), own)
        elif draw < 0.80:
            self._answer(own, 503)
        elif draw < 0.86:
            self._events["reset"] += 1
            self._reset()
        elif draw < 0.90:
            self._answer(own, 200, chunked=True)
        elif draw < 0.94:
            self._events["broken off"] += 1
            self.transport.write(b"HTTP/1.1 200 OK\r\nx-id: %b\r\ncontent-length: 400\r\n\r\nhalf" % own)
            asyncio.get_running_loop().call_later(self._chance.choice((0, 0.002)), self._reset)
        else:
            self._in_pieces(own)

    def _later(self, seconds: float, own: bytes) -> None:
        self._events["late"] += 1
        asyncio.get_running_loop().call_later(seconds, self._answer, own, 200)

    def _in_pieces(self, own: bytes) -> None:
        self._busy = True
        self.transport.write(b"HTTP/1.1 200 OK\r\nx-id: %b\r\ncontent-length: %d\r\n\r\n" % (own, len(own)))
        asyncio.get_running_loop().call_later(self._chance.uniform(0, ROUTE / 10), self._finish, own)

    def _answer(self, own: bytes, status: int, chunked: bool = False) -> None:
        if self.transport.is_closing():
            return
        framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(own)
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(own), own) if chunked else own
        self._finish(b"HTTP/1.1 %d X\r\nx-id: %b\r\n%b\r\n\r\n%b" % (status, own, framing, body))

    def _finish(self, data: bytes) -> None:
        """The last of an answer. Some connections close soon after it, when the next request may be on its way."""
        self._busy = False
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if self._chance.random() < 0.25:
            self._events["closed while idle"] += 1
            self._close_in(self._chance.randrange(1, 8))
        elif self._data:
            self._next()

    def _close_in(self, turns: int) -> None:
        """After so many turns of the loop, so that the end and the next request meet."""
        if turns:
            asyncio.get_running_loop().call_soon(self._close_in, turns - 1)
        else:
            self._busy = True
            self.transport.close()

    def _reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        if sock is not None and not self.transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


@asynccontextmanager
async def _upstream(chance: random.Random, figures: Figures) -> AsyncIterator[int]:
    open_ones: set[Upstream] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(chance, figures.events, open_ones), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in list(open_ones):
            one.transport.abort()
        await server.wait_closed()
        await until(lambda: not open_ones)


# ---------------------------------------------------------------------------------------------- rules


class Headwork(PlainHeadwork):
    """The router's own replies say whose they are."""

    answers_alike = False

    def local_reply(self, request: Request, status: int, body: bytes, details: bytes = b"") -> Reply:
        return _reply(request, status, body)


def _reply(request: Request, status: int, body: bytes) -> Reply:
    return Reply(status, ((b"content-length", b"%d" % len(body)), (b"x-id", request.index()[b"x-id"])), body)


def _rules(ports: tuple[int, ...]) -> HandRules:
    """The first letter of the path is the rule."""
    target = cluster(*ports, balancing=Balancing.ROUND_ROBIN)
    work = Headwork()
    eager = retrying(2, 503, Failure.RESET, Failure.CONNECT, Failure.PER_TRY_TIMEOUT, per_try_timeout=PER_TRY)
    once = retrying(1, Failure.RESET, Failure.CONNECT, per_try_timeout=PER_TRY)
    kinds: dict[bytes, dict[str, Any]] = {
        b"retried": {"retry": eager, "timeout": 5.0},
        b"hurried": {"retry": eager, "timeout": ROUTE},
        b"limited": {"retry": once},
        b"delayed": {"retry": eager, "timeout": ROUTE},
        b"simple": {},
    }
    rules = {name: Rule(name.decode(), name.decode()) for name in (*kinds, b"aborted", b"alike")}

    def answer(request: Request, draws: Any) -> Decision:
        name = request.target.split(b"/")[1]
        delay = 0.003 if name == b"delayed" else 0.0
        if name in (b"aborted", b"alike"):
            reply = ABORT_REPLY if name == b"alike" else _reply(request, 503, b"fault filter abort")
            return decided(Abort(reply), rule=rules[name])
        return decided(Forward(target, request.target, request.authority, work, **kinds[name]), delay, rules[name])

    return HandRules(answer)


KINDS = ("retried", "retried", "hurried", "limited", "delayed", "simple", "aborted", "alike")


# ---------------------------------------------------------------------------------------------- clients


class Caller:
    """One client after another connection, until its share of the requests is done."""

    def __init__(self, proxy: InProcess, figures: Figures, seed: str, requests: int):
        self._proxy = proxy
        self._figures = figures
        self._chance = random.Random(seed)
        self._name = seed.rpartition("/")[2]
        self._left = requests
        self._sent = 0

    async def run(self) -> None:
        while self._left > 0:
            client = await self._proxy.open()
            try:
                await self._use(client)
            finally:
                client.writer.transport.abort()
                self._proxy.clients.remove(client)

    async def _use(self, client: Client) -> None:
        """Until the connection ends, for whichever reason."""
        while self._left > 0 and self._chance.random() > 1 / CONNECTION_REQUESTS:
            asked = [self._request() for _ in range(self._chance.choice((1, 1, 2, 3)))]
            if self._chance.random() < 0.3:
                await self._send_in_pieces(client, b"".join(data for *_, data in asked))
            else:
                client.writer.write(b"".join(data for *_, data in asked))
            if self._chance.random() < 0.02:
                self._figures.events["disconnects"] += 1
                await asyncio.sleep(self._chance.choice((0, 0.001, PER_TRY)))
                return
            for own, kind, _ in asked:
                if not await self._check(client, own, kind):
                    return
            if self._chance.random() < 0.05:
                await asyncio.sleep(self._chance.uniform(0, 2 * PER_TRY))  # whatever is late comes to this connection

    async def _send_in_pieces(self, client: Client, data: bytes) -> None:
        cut = self._chance.randrange(len(data))
        client.writer.write(data[:cut])
        await asyncio.sleep(self._chance.choice((0, 0, 0.001)))
        client.writer.write(data[cut:])

    def _request(self) -> tuple[str, str, bytes]:
        self._left -= 1
        self._sent += 1
        own, kind = f"{self._name}.{self._sent}", self._chance.choice(KINDS)
        body = b"b" * self._chance.choice((0, 0, 0, 5, 3000))
        method = "POST" if body else "GET"
        framing = f"content-length: {len(body)}\r\n" if body else ""
        head = f"{method} /{kind}/{own} HTTP/1.1\r\nhost: web\r\nx-id: {own}\r\n{framing}\r\n"
        return own, kind, head.encode() + body

    async def _check(self, client: Client, own: str, kind: str) -> bool:
        """Reads one answer. Returns whether the connection goes on."""
        try:
            answer = await client.answer()
        except (ConnectionError, asyncio.IncompleteReadError):
            self._figures.events["cut off"] += 1
            return False
        except (TimeoutError, ValueError, IndexError) as error:
            self._figures.wrong.append(f"{kind} {own} got no answer, or what is none: {error!r}")
            return False
        self._figures.answers += 1
        self._figures.statuses[answer.status] += 1
        if not _belongs(answer, own, kind):
            self._figures.wrong.append(f"{kind} {own} got {answer}")
            return False
        return answer.first("connection") != "close"


def _belongs(answer: Answer, own: str, kind: str) -> bool:
    if answer.first("x-chaos-route") != kind:
        return False
    if kind == "alike":
        return answer.body == b"fault filter abort"
    return answer.values("x-id") == [own] and (answer.status != 200 or answer.body == own.encode())


# ---------------------------------------------------------------------------------------------- all together


async def interleave(seed: int, requests: int) -> Figures:
    """Sends about so many requests and returns what came of them, when everything is at rest."""
    figures = Figures(seed)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: figures.trouble.append(context))
    chance = random.Random(f"{seed}/upstream")
    async with _upstream(chance, figures) as one, _upstream(chance, figures) as other:
        rules = _rules((one, other))
        async with gateway(rules, seed=seed) as proxy:
            share = -(-requests // CLIENTS)
            callers = [Caller(proxy, figures, f"{seed}/{n}", share) for n in range(CLIENTS)]
            await asyncio.gather(*(caller.run() for caller in callers))
            await until(lambda: not proxy.worker.connections)
            (pool,) = proxy.pools().values()
            figures.left = (pool.waiting, pool.retrying, pool.active())
            figures.ledgers = proxy.worker.counters()["phases"][""]
            figures.events["requests judged"] = len(rules.seen)
    return figures
