"""One request from its decision to the end of its answer: faults, tags, bodies, timeouts, retries."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

import pytest
from support.clock import Clock
from support.decisions import (
    ABORT_REPLY,
    HandRules,
    aborting,
    cluster,
    decided,
    delayed,
    direct,
    forward,
    retrying,
    text_reply,
    to,
)
from support.raw_client import Answer
from support.scripted import (
    OK,
    InProcess,
    Peer,
    always,
    always_ok,
    chunked,
    gateway,
    get,
    hangs,
    in_turn,
    post,
    resets,
    stalled,
    until,
    upstream,
)

from chaos.faults import count_of
from chaos.gateway.exchange.request_body import REPLAY_LIMIT
from chaos.gateway.exchange.states import DELAYED
from chaos.gateway.upstream.connection import HIGH_WATER
from chaos.mesh.decision import Abort, Balancing, Decision, Failure

UNREACHABLE = "upstream connect error or disconnect/reset before headers. "
GONE = b"HTTP/1.1 503 X\r\ncontent-length: 4\r\n\r\ngone"


def ended(proxy: InProcess) -> tuple[object, object]:
    """How many forwarded requests upstream answered, and how the others failed."""
    counts = proxy.counts()
    return counts["answered"], counts["failures"]


def tags(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("x-chaos-")}


# ------------------------------------------------------------------------------------------------ faults and tags


async def test_an_abort_is_envoys_answer_and_nothing_goes_upstream() -> None:
    async with gateway(aborting()) as proxy:
        answer = await proxy.ask(get("/", "x-request-id: 1"))
        assert (answer.status, answer.body) == (503, b"fault filter abort")
        assert answer.first("content-type") == "text/plain"
        assert answer.first("content-length") == "18"
        assert answer.values("date") and answer.first("server") == "envoy"
        assert tags(answer) == {"x-chaos-route": "web[0]", "x-chaos-fault": "abort"}


async def test_an_aborted_head_has_the_length_and_no_body() -> None:
    async with gateway(aborting()) as proxy:
        client = await proxy.open()
        client.writer.write(get(method="HEAD") + get())
        first = await client.answer(head_only=True)
        assert (first.status, first.first("content-length")) == (503, "18")
        assert (await client.answer()).body == b"fault filter abort"


async def test_a_head_after_a_get_does_not_get_its_octets() -> None:
    """The abort's octets are kept from one request to the next; HEAD must not get the body among them."""
    async with gateway(aborting()) as proxy:
        client = await proxy.open()
        for method in ("GET", "GET", "HEAD", "GET", "HEAD", "HEAD", "DELETE"):
            answer = await client.ask(get(method=method))
            assert (answer.status, answer.first("content-length")) == (503, "18")
            assert answer.body == (b"" if method == "HEAD" else b"fault filter abort")


async def test_an_answer_without_a_body_tells_head_no_length() -> None:
    """As Envoy's codec: `content-length: 0` stands for a missing body, and HEAD misses none."""
    async with gateway(HandRules(lambda request, draws: direct(301))) as proxy:
        assert (await proxy.ask(get())).first("content-length") == "0"
        assert (await proxy.ask(get(method="HEAD"))).values("content-length") == []


@pytest.mark.parametrize(
    ("data", "closes"),
    [
        (get(), False),
        (post(b""), False),
        (post(b"hello"), True),
        (chunked(b"hello"), True),
        (post(b"hello")[:-2], True),
        (get("/", "connection: close"), True),
    ],
    ids=["no body", "empty body", "body in the same read", "chunked", "body not all here", "the client closes"],
)
async def test_an_abort_before_the_body_has_been_read_closes(data: bytes, closes: bool) -> None:
    async with gateway(aborting()) as proxy:
        client = await proxy.open()
        answer = await client.ask(data)
        assert answer.body == b"fault filter abort"
        assert answer.values("connection") == (["close"] if closes else [])
        if closes:
            assert await client.ended()


async def test_after_a_delay_the_body_has_come_and_the_connection_stays() -> None:
    async with gateway(aborting(delay=0.03)) as proxy:
        answer = await proxy.ask(post(b"hello"))
        assert (answer.status, answer.values("connection")) == (503, [])
        assert tags(answer)["x-chaos-fault"] == "delay,abort"


async def test_a_delayed_request_is_sent_on_when_the_delay_is_over() -> None:
    clock = Clock()
    async with upstream() as web:
        target = cluster(web.port)
        rules = HandRules(lambda request, draws: delayed(5.0, forward(target, request)))
        async with gateway(rules, clock=clock) as proxy:
            client = await proxy.open()
            client.writer.write(post(b"hello"))
            await until(lambda: clock.pending)
            clock.advance(4.999)
            (connection,) = proxy.worker.connections
            assert (connection.current.state, proxy.counts()["upstream_requests"]) == (DELAYED, 0)
            clock.advance(0.001)
            answer = await client.answer()
            assert (answer.status, web.bodies) == (200, [b"hello"])
            assert tags(answer)["x-chaos-fault"] == "delay"


async def test_a_client_that_leaves_during_a_delay_is_not_forwarded_but_counted() -> None:
    async with upstream() as web:
        target = cluster(web.port)
        async with gateway(HandRules(lambda request, draws: delayed(30, forward(target, request)))) as proxy:
            client = await proxy.open()
            client.writer.write(get())
            await until(lambda: proxy.worker.counters()["phases"][""])
            client.writer.transport.abort()
            await until(lambda: not proxy.worker.connections)
            counts = proxy.counts()
            assert (counts["requests"], counts["faults"], counts["delay_seconds"]) == (1, {"delay": 1}, 30)
            assert (counts["forwarded"], counts["upstream_requests"], counts["statuses"]) == (1, 0, {"0": 1})
            assert web.heads == []


async def test_forwarded_answers_say_where_they_come_from() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        proxy.worker.enter("fault")
        answer = await proxy.ask(get())
        assert tags(answer) == {
            "x-chaos-route": "web[0]",
            "x-chaos-destination": "web.default.svc.cluster.local:80",
            "x-chaos-phase": "fault",
        }
        assert answer.values("x-envoy-upstream-service-time")


async def test_without_tags_nothing_betrays_the_gateway() -> None:
    async with upstream() as web, gateway(to(cluster(web.port)), tags=False) as proxy:
        assert tags(await proxy.ask(get())) == {}
    async with gateway(aborting(delay=0.001), tags=False) as proxy:
        assert tags(await proxy.ask(get())) == {}


async def test_tags_of_a_gateway_behind_us_are_not_taken_for_ours() -> None:
    answer = b"HTTP/1.1 200 OK\r\nx-chaos-fault: abort\r\nx-chaos-route: other\r\ncontent-length: 2\r\n\r\nok"
    async with upstream(always(answer)) as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get())).values("x-chaos-route") == ["web[0]"]
        assert (await proxy.ask(get())).values("x-chaos-fault") == []


async def test_a_rule_name_cannot_break_out_of_its_header() -> None:
    from chaos.mesh.decision import Rule

    rule = Rule("k", "a\r\nx-evil: 1")
    async with gateway(HandRules(lambda request, draws: decided(Abort(ABORT_REPLY), rule=rule))) as proxy:
        answer = await proxy.ask(get())
        assert answer.values("x-evil") == [] and answer.first("x-chaos-route") == "a%0D%0Ax-evil: 1"


async def test_a_reply_that_changes_is_never_the_cached_one() -> None:
    replies = [text_reply(503, b"one"), text_reply(503, b"two"), text_reply(503, b"one"), text_reply(418)]
    left = list(replies)
    async with gateway(HandRules(lambda request, draws: Abort(left.pop(0)))) as proxy:
        client = await proxy.open()
        answers = [await client.ask(get()) for _ in replies]
        assert [(answer.status, answer.body) for answer in answers] == [(r.status, r.body) for r in replies]


async def test_requests_without_an_id_get_a_uuid_and_repeat_under_a_seed() -> None:
    import uuid

    ids = []
    for _ in range(2):
        rules = aborting()
        async with gateway(rules, seed=7) as proxy:
            for _ in range(3):
                await proxy.ask(get())
        ids.append([request.id.decode() for request in rules.seen])
    assert ids[0] == ids[1] and len(set(ids[0])) == 3
    assert all(uuid.UUID(one).version == 4 and str(uuid.UUID(one)) == one for one in ids[0])


# ------------------------------------------------------------------------------------------------ bodies


@pytest.mark.parametrize("size", [1, 1000, 100_000, 3_000_000])
@pytest.mark.parametrize("encode", [post, chunked], ids=["length", "chunked"])
async def test_a_body_of_any_size_arrives_unchanged_and_framed_as_it_came(size: int, encode: object) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]

    async def echo(peer: Peer) -> None:
        while True:
            got = await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(got) + got)

    async with upstream(echo) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for _ in range(2):
            answer = await client.ask(encode(body))  # type: ignore[operator]
            assert (answer.status, answer.body) == (200, body)
        framing = b"\r\ntransfer-encoding: chunked\r\n" if encode is chunked else b"\r\ncontent-length: %d\r\n" % size
        assert all(framing in head for head in web.heads)


async def test_request_trailers_are_dropped() -> None:
    """As by Envoy with Istio's settings, which do not enable them for HTTP/1.1; the `trailer` header passes."""
    got: list[bytes] = []

    async def read_all(peer: Peer) -> None:
        await peer.head()
        got.append(await peer.reader.readuntil(b"0\r\n\r\n"))
        await peer.send(OK)

    async with upstream(read_all) as web, gateway(to(cluster(web.port))) as proxy:
        data = chunked(b"wiki", lines=("trailer: x-trailer",), trailers=b"X-Trailer: 1\r\nx-more:  2\r\n")
        assert (await proxy.ask(data)).status == 200
        assert got == [b"4\r\nwiki\r\n0\r\n\r\n"]
        assert b"trailer: x-trailer" in web.heads[0]


@pytest.mark.parametrize(
    ("method", "length"), [("POST", True), ("PATCH", True), ("GET", False), ("DELETE", False), ("OPTIONS", True)]
)
async def test_a_missing_body_is_written_as_envoy_writes_it(method: str, length: bool) -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get(method=method))).status == 200
        assert (b"content-length: 0" in web.heads[0]) is length


async def test_the_body_of_a_get_is_forwarded() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(post(b"hello", method="GET"))).status == 200
        assert web.bodies == [b"hello"]


async def test_the_head_goes_upstream_before_the_body_has_come() -> None:
    """A client that expects 100-continue waits for it, and it comes from upstream."""

    async def willing(peer: Peer) -> None:
        assert b"expect: 100-continue" in await peer.head()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await peer.reader.readexactly(5)
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + body)

    async with upstream(willing) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "expect: 100-continue", "content-length: 5", method="POST"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = await client.ask(b"hello")
        assert (answer.status, answer.body, answer.interim, answer.values("connection")) == (200, b"hello", [], [])


async def test_an_answer_before_the_end_of_the_request_ends_the_connection() -> None:
    """The rest of the request would be read as the next one."""

    async def refuse(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 X\r\ncontent-length: 2\r\n\r\nno")
        await peer.reader.read()

    async with upstream(refuse) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        answer = await client.ask(get("/", "content-length: 50000", method="POST") + b"hello")
        assert (answer.status, answer.first("connection"), answer.body) == (413, "close", b"no")
        assert await client.ended()
        await until(lambda: web.closed)


async def test_back_pressure_from_a_client_that_does_not_read() -> None:
    """64 MB for a stalled client: upstream is held back, and what waits here is bounded. Then all of it arrives."""
    total = 64 << 20
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        piece = b"x" * 65536
        while sent < total:
            await peer.send(piece)
            sent += len(piece)
        await peer.reader.read()

    async with upstream(flood) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        transport = client.writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: any(one.full for one in proxy.worker.connections))
        await until(lambda: stalled(web.peers[0].writer.transport))
        assert sent < 24 << 20, "only what socket buffers and one high-water mark hold"
        (connection,) = proxy.worker.connections
        assert connection.transport.get_write_buffer_size() < 2 << 20
        transport.resume_reading()  # type: ignore[attr-defined]
        answer = await client.answer()
        assert len(answer.body) == total


async def test_back_pressure_from_an_upstream_that_does_not_read() -> None:
    go_on = asyncio.Event()
    total = 64 << 20

    async def deaf(peer: Peer) -> None:
        head = await peer.head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await go_on.wait()
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        left = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while left:
            left -= len(await peer.reader.read(1 << 20))
        await peer.send(OK)

    async with upstream(deaf) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", f"content-length: {total}", method="POST"))
        sent = 0

        async def push() -> None:
            nonlocal sent
            piece = b"x" * 65536
            while sent < total:
                client.writer.write(piece)
                await client.writer.drain()
                sent += len(piece)

        pushing = asyncio.ensure_future(push())
        await until(lambda: any(not one.transport.is_reading() for one in proxy.worker.connections))
        await until(lambda: stalled(client.writer.transport))
        assert sent < 24 << 20
        go_on.set()
        await pushing
        assert (await client.answer()).status == 200


async def test_a_body_that_arrives_during_a_delay_is_held_back_beyond_the_buffer() -> None:
    clock = Clock()
    async with upstream() as web:
        target = cluster(web.port)
        rules = HandRules(lambda request, draws: delayed(5.0, forward(target, request)))
        async with gateway(rules, clock=clock) as proxy:
            client = await proxy.open()
            client.writer.write(post(b"x" * (32 << 20)))
            await until(lambda: any(not one.transport.is_reading() for one in proxy.worker.connections))
            (connection,) = proxy.worker.connections
            assert connection.current.body.size < 4 << 20
            clock.advance(5.0)
            assert (await client.answer()).status == 200
            assert len(web.bodies[0]) == 32 << 20


# ------------------------------------------------------------------------------------------------ failures


async def test_an_unknown_destination_is_503_without_a_body() -> None:
    async with gateway(to(None)) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.body, answer.values("content-type")) == (503, b"", [])
        assert tags(answer) == {"x-chaos-route": "web[0]"}
        assert ended(proxy) == (0, {"NC": 1})


async def test_no_endpoint_is_no_healthy_upstream() -> None:
    async with gateway(to(cluster())) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.body) == (503, b"no healthy upstream")
        assert ended(proxy) == (0, {"UH": 1})


@pytest.fixture
def refused() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_refused_connection(refused: int) -> None:
    async with gateway(to(cluster(refused))) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.body.decode()) == (503, UNREACHABLE + "reset reason: remote connection failure")


async def test_a_refused_connection_after_retries(refused: int) -> None:
    async with gateway(to(cluster(refused), retry=retrying(2, Failure.CONNECT))) as proxy:
        answer = await proxy.ask(get())
        expected = UNREACHABLE + "retried and the latest reset reason: remote connection failure"
        assert (answer.status, answer.body.decode()) == (503, expected)
        assert tags(answer)["x-chaos-attempts"] == "3"
        assert proxy.counts()["upstream_failures"] == 3
        assert ended(proxy) == (0, {"UF": 1}), "the end of the request counts, not its attempts"


async def _close(peer: Peer) -> None:
    await peer.request()


@pytest.mark.parametrize("ending", [resets, _close])
async def test_a_connection_that_ends_before_the_answer(ending: object) -> None:
    async with upstream(ending) as web, gateway(to(cluster(web.port))) as proxy:  # type: ignore[arg-type]
        answer = await proxy.ask(get())
        assert (answer.status, answer.body.decode()) == (503, UNREACHABLE + "reset reason: connection termination")
        assert web.connections == 1, "it is not sent again on its own: upstream has read it"
        assert ended(proxy) == (0, {"UC": 1})


TWO_FRAMINGS = b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
MALFORMED = {
    "no status line": b"hello\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "length and chunked": b"HTTP/1.1 200 OK\r\n" + TWO_FRAMINGS,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 120 + b"content-length: 2\r\n\r\nok",
    "a switch to nothing": b"HTTP/1.1 101 X\r\n\r\n",
    "an upgrade nobody asked for": b"HTTP/1.1 101 X\r\nupgrade: foo\r\nconnection: upgrade\r\n\r\n",
    "a head without an end": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
async def test_an_answer_that_is_not_http_is_502(text: bytes) -> None:
    async with upstream(always(text)) as web, gateway(to(cluster(web.port))) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.body.decode()) == (502, UNREACHABLE + "reset reason: protocol error")
        await until(lambda: web.closed)
        assert ended(proxy) == (0, {"UPE": 1})


@pytest.mark.parametrize(
    "framing", [b"content-length: 10\r\n\r\nhalf", b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
async def test_an_answer_cut_short_is_cut_short_for_the_client(framing: bytes) -> None:
    async def half(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing)

    retry = retrying(3, Failure.RESET)
    async with upstream(half) as web, gateway(to(cluster(web.port), retry=retry)) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        text = await asyncio.wait_for(client.reader.read(), 10)
        assert text.startswith(b"HTTP/1.1 200 OK\r\n") and b"half" in text and not text.endswith(b"0\r\n\r\n")
        assert web.connections == 1, "never retried once the head has gone out"
        assert proxy.counts()["statuses"] == {"200": 1}
        assert ended(proxy) == (0, {"UC": 1})


# ------------------------------------------------------------------------------------------------ timeouts


async def test_the_routes_timeout_is_504_and_cancels_upstream() -> None:
    clock = Clock()
    async with upstream(hangs) as web, gateway(to(cluster(web.port), timeout=3.0), clock=clock) as proxy:
        client = await proxy.open()
        for n in (1, 2):
            client.writer.write(get())
            await until(lambda n=n: len(web.heads) == n)
            clock.advance(2.999)
            assert clock.pending
            clock.advance(0.001)
            answer = await client.answer()
            assert (answer.status, answer.body, answer.values("connection")) == (504, b"upstream request timeout", [])
            await until(lambda n=n: web.closed == n)
            assert ended(proxy) == (0, {"UT": n})


async def test_the_timeout_starts_when_the_whole_request_is_here_and_after_the_delay() -> None:
    clock = Clock()
    async with upstream() as web:
        target = cluster(web.port)
        rules = HandRules(lambda request, draws: delayed(3.0, forward(target, request, timeout=1.0)))
        async with gateway(rules, clock=clock) as proxy:
            client = await proxy.open()
            client.writer.write(get("/", "content-length: 5", method="POST"))
            await until(lambda: clock.pending)
            clock.advance(3.0)
            await until(lambda: web.heads)
            assert clock.pending == []
            clock.advance(60.0)
            answer = await client.ask(b"hello")
            assert (answer.status, web.bodies) == (200, [b"hello"])


async def test_the_timeout_spans_the_body_of_the_answer() -> None:
    clock = Clock()

    async def slow_body(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        await peer.reader.read()

    async with upstream(slow_body) as web, gateway(to(cluster(web.port), timeout=1.0), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await client.reader.readuntil(b"\r\n\r\nhalf")
        clock.advance(1.0)
        assert await client.ended()
        await until(lambda: web.closed)
        assert ended(proxy) == (0, {"UT": 1})


async def test_the_timeout_of_a_try_does_not_span_the_body() -> None:
    clock, go_on = Clock(), asyncio.Event()

    async def slow_body(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        await go_on.wait()
        await peer.send(b"-empty")

    retry = retrying(1, Failure.PER_TRY_TIMEOUT, per_try_timeout=1.0)
    async with upstream(slow_body) as web, gateway(to(cluster(web.port), retry=retry), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        assert (await client.reader.readuntil(b"\r\n\r\nhalf")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert clock.pending == []
        clock.advance(60.0)
        go_on.set()
        assert await client.reader.readexactly(6) == b"-empty"


async def test_tries_that_time_out_are_retried_and_the_last_is_504() -> None:
    clock = Clock()
    retry = retrying(2, Failure.PER_TRY_TIMEOUT, per_try_timeout=1.0)
    async with upstream(hangs) as web, gateway(to(cluster(web.port), retry=retry), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        for n in (1, 2, 3):
            await until(lambda n=n: len(web.heads) == n)
            clock.advance(1.0)  # the attempt is over
            clock.advance(0.1)  # and the back-off
        answer = await client.answer()
        assert (answer.status, answer.body) == (504, b"upstream request timeout")
        counts = proxy.counts()
        assert (counts["tries"], counts["upstream_requests"], counts["upstream_failures"]) == ({"3": 1}, 3, 3)
        assert len(web.heads) == 3
        assert ended(proxy) == (0, {"UT": 1})


async def test_the_route_timeout_spans_all_tries() -> None:
    clock = Clock()
    retry = retrying(50, Failure.PER_TRY_TIMEOUT, per_try_timeout=1.0)
    async with (
        upstream(hangs) as web,
        gateway(to(cluster(web.port), retry=retry, timeout=3.5), clock=clock) as proxy,
    ):
        client = await proxy.open()
        client.writer.write(get())
        for n in (1, 2, 3):
            await until(lambda n=n: len(web.heads) == n)
            clock.advance(1.1)
        await until(lambda: len(web.heads) == 4)
        assert clock.pending
        clock.advance(0.2)
        assert (await client.answer()).status == 504
        assert (clock.pending, len(web.heads)) == ([], 4)


# ------------------------------------------------------------------------------------------------ retries


@pytest.mark.parametrize("grpc", [False, True], ids=["plain", "grpc"])
async def test_a_retry_says_what_is_left_of_the_timeout(grpc: bool) -> None:
    """The tests' header work leaves these headers as the client sends them."""
    clock = Clock()
    retry = retrying(3, Failure.PER_TRY_TIMEOUT, per_try_timeout=1.0, backoff_base=0.0)
    told = ["x-envoy-expected-rq-timeout-ms: 1000", "grpc-timeout: 1000m"]
    kind = ["content-type: application/grpc"] if grpc else []
    async with (
        upstream(hangs) as web,
        gateway(to(cluster(web.port), retry=retry, timeout=2.5), clock=clock) as proxy,
    ):
        waiting = asyncio.create_task(proxy.ask(get("/", *told, *kind)))
        for number in range(1, 4):
            await until(lambda number=number: len(web.heads) == number)  # type: ignore[misc]
            clock.advance(1.0)  # the attempt is over; with the third, the request
        await waiting
        left = [500, 1000, 1000]
        for head in web.heads:
            milliseconds = left.pop()
            assert b"x-envoy-expected-rq-timeout-ms: %d\r\n" % milliseconds in head
            assert b"grpc-timeout: %dm\r\n" % (milliseconds if grpc else 1000) in head


async def test_attempts_are_retries_after_the_first_try() -> None:
    async with upstream(always(GONE)) as web, gateway(to(cluster(web.port), retry=retrying(3, 503))) as proxy:
        answer = await proxy.ask(get())
        assert (answer.status, answer.body) == (503, b"gone"), "the last answer, unchanged"
        assert [head.count(b"x-envoy-attempt-count: %d\r\n" % n) for n, head in enumerate(web.heads, 1)] == [1, 1, 1, 1]
        assert tags(answer)["x-chaos-attempts"] == "4"
        counts = proxy.counts()
        assert (counts["tries"], counts["upstream_statuses"], counts["statuses"]) == ({"4": 1}, {"503": 4}, {"503": 1})


async def test_an_answer_that_was_not_retried_only_for_want_of_attempts_is_retried_the_next_time() -> None:
    """What the gateway remembers of an answer's head must not include the end of somebody's attempts."""
    gone = b"HTTP/1.1 503 X\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 4\r\n\r\ngone"
    async with upstream(always(gone)) as web, gateway(to(cluster(web.port), retry=retrying(2, 503))) as proxy:
        client = await proxy.open()
        for n in range(1, 4):
            assert (await client.ask(get())).first("x-chaos-attempts") == "3"
            assert len(web.heads) == 3 * n
        assert proxy.counts()["upstream_failures"] == 9


async def test_answers_that_begin_alike_are_alike_but_for_what_is_their_own() -> None:
    """The second answer takes the remembered way: tags of its own, bodies of its own, and counts."""
    head = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    clock = Clock()
    dated = head + b"X-Chaos-Route: other\r\ncontent-length: 3\r\n\r\n"
    async with upstream(in_turn(dated + b"one", dated + b"two", dated + b"six")) as web:
        target = cluster(web.port)
        rules = HandRules(lambda request, draws: delayed(1.0 * (len(rules.seen) == 3), forward(target, request)))
        async with gateway(rules, clock=clock) as proxy:
            client = await proxy.open()
            answers = [await client.ask(get()) for _ in range(2)]
            client.writer.write(get())
            await until(lambda: clock.pending)
            clock.advance(1.0)
            answers.append(await client.answer())
        assert [answer.body for answer in answers] == [b"one", b"two", b"six"]
        assert [answer.values("x-chaos-fault") for answer in answers] == [[], [], ["delay"]]
        assert [answer.values("x-chaos-route") for answer in answers] == [["web[0]"]] * 3
        assert proxy.counts()["upstream_statuses"] == {"200": 3}


async def test_a_retry_that_succeeds_is_the_answer() -> None:
    async with (
        upstream(in_turn(GONE, GONE, OK)) as web,
        gateway(to(cluster(web.port), retry=retrying(3, 503))) as proxy,
    ):
        answer = await proxy.ask(post(b"hello"))
        assert (answer.status, answer.body, web.bodies) == (200, b"ok", [b"hello"] * 3)
        assert proxy.counts()["tries"] == {"3": 1}
        assert ended(proxy) == (1, {}), "retries hid what went wrong"


async def test_other_answers_are_not_retried() -> None:
    async with upstream(always(GONE)) as web, gateway(to(cluster(web.port), retry=retrying(3, 502))) as proxy:
        assert (await proxy.ask(get())).status == 503
        assert len(web.heads) == 1
        assert proxy.counts()["upstream_failures"] == 0
        assert ended(proxy) == (1, {}), "a 503 of upstream's own is a response"


async def test_a_chunked_body_is_sent_again() -> None:
    async with upstream(in_turn(GONE, OK)) as web, gateway(to(cluster(web.port), retry=retrying(3, 503))) as proxy:
        assert (await proxy.ask(chunked(b"wiki", b"pedia", trailers=b"x-t: 1\r\n"))).status == 200
        assert web.bodies == [b"wikipedia"] * 2


@pytest.mark.parametrize(("size", "tries"), [(1 << 20, 4), ((1 << 20) + 1, 1)])
async def test_a_body_over_the_buffer_is_sent_once(size: int, tries: int) -> None:
    async with upstream(always(GONE)) as web, gateway(to(cluster(web.port), retry=retrying(3, 503))) as proxy:
        assert (await proxy.ask(post(b"x" * size))).status == 503
        assert [len(body) for body in web.bodies] == [size] * tries


async def test_retries_avoid_the_endpoints_that_failed() -> None:
    async with upstream(always(GONE)) as bad, upstream() as good:
        both = cluster(bad.port, good.port, balancing=Balancing.ROUND_ROBIN)
        async with gateway(to(both, retry=retrying(1, 503))) as proxy:
            for _ in range(8):
                assert (await proxy.ask(get())).status == 200
            assert bad.heads


async def test_a_client_that_leaves_during_the_back_off_ends_it() -> None:
    retry = retrying(5, 503, backoff_base=30.0)
    async with upstream(always(GONE)) as web, gateway(to(cluster(web.port), retry=retry)) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: proxy.counts()["upstream_failures"])
        client.writer.transport.abort()
        await until(lambda: not proxy.worker.connections)
        assert len(web.heads) == 1
        assert proxy.counts()["statuses"] == {"0": 1}


async def test_counts_agree_at_rest() -> None:
    """`requests` is the sum of `statuses` and of `abort` and `forwarded`, whatever happened to the requests."""
    async with upstream(in_turn(OK, GONE, OK)) as web:
        target = cluster(web.port)

        def answer(request: object, draws: object) -> Decision:
            n = len(rules.seen)
            action = Abort(ABORT_REPLY) if n % 3 == 0 else forward(target, rules.seen[-1], retry=retrying(1, 503))
            return decided(action, 0.01 if n % 4 == 0 else 0.0)

        rules = HandRules(answer)
        async with gateway(rules) as proxy:
            for n in range(40):
                client = await proxy.open()
                client.writer.write(get())
                if n % 5 == 0:
                    client.writer.transport.abort()
                else:
                    await client.answer()
            await until(lambda: all(one.current is None for one in proxy.worker.connections))
            counts = proxy.counts()
            assert counts["requests"] == len(rules.seen)
            assert counts["requests"] == sum(counts["statuses"].values())  # type: ignore[attr-defined]
            assert counts["requests"] == count_of("abort", counts["faults"]) + counts["forwarded"]  # type: ignore[operator]
            assert counts["forwarded"] == sum(counts["destinations"].values())  # type: ignore[attr-defined]
            assert counts["forwarded"] == counts["answered"] + sum(counts["left_to"].values())  # type: ignore


async def test_keep_alive_serves_many_requests_on_one_connection_each_side() -> None:
    async with upstream(always_ok) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        for n in range(200):
            assert (await client.ask(get(f"/{n}"))).body == b"ok"
        assert (web.connections, len(web.heads)) == (1, 200)


async def test_what_follows_a_request_in_the_pipeline_starts_no_second_timer_for_it() -> None:
    """A timer left behind would end a try that has long been answered."""
    clock = Clock()
    retry = retrying(1, Failure.PER_TRY_TIMEOUT, per_try_timeout=30.0)
    async with (
        upstream(hangs) as web,
        gateway(to(cluster(web.port), retry=retry, timeout=60.0), clock=clock) as proxy,
    ):
        client = await proxy.open()
        client.writer.write(post(b"hello"))
        await until(lambda: web.heads)
        (connection,) = proxy.worker.connections
        assert [timer.when() - clock.seconds for timer in clock.pending] == [30.0, 60.0]
        client.writer.write(get()[:10])
        await until(lambda: connection.in_head)
        assert [timer.when() - clock.seconds for timer in clock.pending] == [30.0, 60.0]


# ------------------------------------------------------------------------------------------------ nothing stays behind


async def test_a_body_that_was_held_back_during_a_delay_does_not_stop_the_next_request() -> None:
    """The rest of the body waits while the buffer is full; the reply ends the waiting, too."""
    clock = Clock()
    body = b"x" * (REPLAY_LIMIT + 1)
    async with gateway(aborting(delay=30.0), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(post(body))
        (connection,) = await _connections(proxy)
        await until(lambda: connection.current and connection.current.complete)
        await until(lambda: not connection.transport.is_reading())
        clock.advance(30.0)
        answer = await client.answer()
        assert (answer.status, answer.values("connection")) == (503, [])
        client.writer.write(get())
        await until(lambda: connection.current)
        clock.advance(30.0)
        assert (await client.answer()).status == 503


async def test_an_upstream_that_stopped_reading_does_not_stop_the_next_request() -> None:
    """Reading pauses while upstream's connection is full. It goes on when that connection is given up."""
    clock, looked = Clock(), asyncio.Event()

    async def deaf(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await looked.wait()

    async with upstream(deaf) as web, gateway(to(cluster(web.port), timeout=30.0), clock=clock) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "transfer-encoding: chunked", method="POST"))
        (connection,) = await _connections(proxy)
        await until(lambda: connection.current and connection.current.attempt.connection)
        body, server = connection.current.body, connection.current.attempt.connection.transport
        await _fill(client.writer.transport, connection.transport, server)
        client.writer.write(_chunk(b"x" * 2000) + b"0\r\n\r\n")
        await until(lambda: body.complete)
        assert not connection.transport.is_reading()
        clock.advance(30.0)
        assert (await client.answer()).status == 504
        client.writer.write(get())
        await until(lambda: connection.current)
        looked.set()


async def test_a_connection_whose_answer_the_client_did_not_take_serves_the_next_request() -> None:
    """Reading upstream pauses while the client's connection is full. It goes on when the answer has come."""

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await peer.request()
            await peer.send(OK)

    async with upstream(serve) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        (connection,) = await _connections(proxy)
        await until(lambda: connection.current and getattr(connection.current.attempt.connection, "status", 0))
        (peer,) = web.peers
        await _fill(peer.writer.transport, connection.current.attempt.connection.transport, connection.transport)
        await peer.send(_chunk(b"x" * 2000) + b"0\r\n\r\n")
        await until(lambda: connection.current is None)
        assert connection.full
        assert (await proxy.ask(get())).body == b"ok"
        assert web.connections == 1


async def _connections(proxy: InProcess) -> set[object]:
    await until(lambda: proxy.worker.connections)
    return proxy.worker.connections


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _fill(sender: asyncio.Transport, receiver: asyncio.Transport, next_one: asyncio.Transport) -> None:
    """Sends chunks from one end of a connection until so much waits behind the other that 2 000 bytes more are too
    many."""
    while (waiting := next_one.get_write_buffer_size()) < HIGH_WATER - 1000:
        sender.write(_chunk(b"x" * min(50_000, HIGH_WATER - 500 - waiting)))
        await until(lambda: not (sender.get_write_buffer_size() or _bytes(sender, "out") or _bytes(receiver, "in")))


def _bytes(transport: asyncio.Transport, queue: str) -> int:
    """That the kernel holds of a connection: not yet acknowledged, or not yet read."""
    kind = {"out": termios.TIOCOUTQ, "in": termios.FIONREAD}[queue]
    return int(struct.unpack("i", fcntl.ioctl(transport.get_extra_info("socket"), kind, b"\0" * 4))[0])
