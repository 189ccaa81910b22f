"""Client connections: what is refused and how, order, framing, and requests that arrive in pieces."""

from __future__ import annotations

import asyncio

import pytest
from support.decisions import NOT_FOUND, HandRules, aborting, cluster, to
from support.scripted import OK, Peer, always_ok, chunked, gateway, get, post, until, upstream

# ruff: noqa: E501
REFUSALS = [
    ("HTTP/1.0", b"GET / HTTP/1.0\r\nhost: a\r\n\r\n", 426, b"Upgrade Required"),
    ("HTTP/1.0 that would stay", b"GET / HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n", 426, b"Upgrade Required"),
    ("HTTP/0.9", b"GET /\r\n\r\n", 426, b"Upgrade Required"),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nhost: a\r\n\r\n", 426, b"Upgrade Required"),
    ("HTTP/2 without asking", b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 426, b"Upgrade Required"),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400, b""),
    ("two Hosts", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, b"Bad Request"),
    ("the same Host twice", b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("Host with a space", b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400, b"Bad Request"),
    ("Host with a slash", b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, b"Bad Request"),
    ("no request line", b"HELLO\r\n\r\n", 400, b"Bad Request"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, b"Bad Request"),
    ("unknown method", b"FOOBAR / HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("lower-case method", b"get / HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("method Envoy does not know", b"M-SEARCH / HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("target without a slash", b"GET foo HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("asterisk without OPTIONS", b"GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("another scheme", b"GET ftp://foo/x HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("space in the target", b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("high byte in the target", b"GET /\xe9 HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("NUL in the target", b"GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n", 400, b"Bad Request"),
    ("space before the colon", b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", 400, b"Bad Request"),
    ("control character in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\x01c\r\n\r\n", 400, b"Bad Request"),
    ("folded header", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n", 400, b"Bad Request"),
    ("bare LF", b"GET / HTTP/1.1\nhost: a\n\n", 400, b"Bad Request"),
    ("bare LF after a header", b"GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n", 400, b"Bad Request"),
    ("bare CR in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n", 400, b"Bad Request"),
    ("length and chunked", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, b"Bad Request"),
    ("chunked and length", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", 400, b"Bad Request"),
    ("two lengths", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400, b"Bad Request"),
    ("one length twice", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello", 400, b"Bad Request"),
    ("lengths in a list", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\nhello", 400, b"Bad Request"),
    ("length with a sign", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello", 400, b"Bad Request"),
    ("length in hex", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5\r\n\r\nhello", 400, b"Bad Request"),
    ("length that overflows", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n", 400, b"Bad Request"),
    ("encoding we cannot read", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501, b"Not Implemented"),
    ("encoding before chunked", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, b"Not Implemented"),
    ("chunked twice", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, b"Bad Request"),
    ("encodings on two lines", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501, b"Not Implemented"),
    ("encoding after chunked", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n", 400, b"Bad Request"),
    ("chunk size that is none", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400, b"Bad Request"),
    ("101 headers", get("/", *["x-a: 1"] * 100), 431, b"Request Header Fields Too Large"),
    ("61 KiB in one header", get("/", "x-a: " + "a" * 62_000), 431, b"Request Header Fields Too Large"),
    ("a head without an end", b"GET / HTTP/1.1\r\nhost: a\r\nx-a: " + b"a" * 70_000, 431, b"Request Header Fields Too Large"),
    ("a target without an end", b"GET /" + b"a" * 70_000, 431, b"Request Header Fields Too Large"),
    ("CONNECT", b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 404, b""),
    ("another protocol", get("/", "connection: upgrade", "upgrade: foo"), 403, b""),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status", "body"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
async def test_what_envoys_codec_refuses_is_refused_and_the_connection_closed(
    data: bytes, status: int, body: bytes
) -> None:
    rules = to(cluster(1))
    async with gateway(rules) as proxy:
        client = await proxy.open()
        answer = await client.ask(data)
        assert (answer.status, answer.body) == (status, body)
        assert answer.first("connection") == "close"
        assert answer.first("content-length") == str(len(body))
        assert answer.first("server") == "envoy"
        assert answer.values("date")
        assert await client.ended()
        assert rules.seen == [] or b"chunked" in data, "no rule has seen it"


async def test_a_client_that_speaks_http_2_is_refused_in_its_own_protocol_and_the_log_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    async with gateway(to(cluster(1))) as proxy:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(preface)
            said = await reader.read()
            writer.close()
            settings, goaway, rest = said[:9], said[9:18], said[18:]
            assert settings == b"\0\0\0\4\0\0\0\0\0"
            assert (int.from_bytes(goaway[:3], "big"), goaway[3], goaway[4:]) == (len(rest), 7, bytes(5))
            assert rest == b"\0\0\0\0\0\0\0\x0dHTTP/2: use --engine envoy"
    (line,) = capsys.readouterr().err.splitlines()
    assert "with --engine envoy an Envoy takes its place" in line


async def test_the_preface_of_http_2_behind_a_request_is_no_http() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 400
        assert await client.ended()


async def test_100_headers_pass() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get("/", *["x-a: 1"] * 99))).status == 200
        assert web.heads[0].count(b"x-a: 1") == 99


SMUGGLED = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n"


async def test_nothing_behind_a_refused_request_is_read() -> None:
    """What follows an ambiguous request may be an attacker's: it is neither answered nor forwarded."""
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        assert (await client.ask(SMUGGLED)).status == 400
        assert await client.ended()
        assert web.heads == []


STREAM = (
    get("/1?q", "x-empty:", "x-padded:  a b \t")
    + post(b"hello", "connection: keep-alive", target="/2")
    + chunked(b"wiki", b"pedia", trailers=b"x-trailer: 1\r\n")
    + get("/4", method="HEAD")
    + get("/5", "connection: close")
)


async def _bodies_of_stream(port: int, pieces: list[bytes]) -> list[tuple[int, str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0)  # one event-loop turn for the piece to go out on its own
    text = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return [(int(part[:3]), "close" if b"connection: close" in part else "") for part in text.split(b"HTTP/1.1 ")[1:]]


async def test_pipelined_requests_are_answered_in_order_however_the_octets_are_split() -> None:
    """The same answers for one read, for two reads split at every octet, and for one octet at a time."""
    statuses = {b"/1?q": 201, b"/2": 202, b"/": 203, b"/4": 205, b"/5": 206}

    async def by_target(peer: Peer) -> None:
        while True:
            await peer.request()
            head = peer.server.heads[-1]
            target = head.split(b" ")[1]
            await peer.send(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\n" % statuses[target])
            if not head.startswith(b"HEAD"):
                await peer.send(b"ok")

    expected = [(201, ""), (202, ""), (203, ""), (205, ""), (206, "close")]
    async with upstream(by_target) as web, gateway(to(cluster(web.port))) as proxy:
        assert await _bodies_of_stream(proxy.port, [STREAM]) == expected
        seen_once = list(web.heads)
        for at in range(1, len(STREAM), 3):
            assert await _bodies_of_stream(proxy.port, [STREAM[:at], STREAM[at:]]) == expected, at
        assert await _bodies_of_stream(proxy.port, [STREAM[i : i + 1] for i in range(len(STREAM))]) == expected
    assert b"x-padded: a b\r\n" in seen_once[0] and b"x-empty: \r\n" in seen_once[0]
    assert web.bodies[:5] == [b"", b"hello", b"wikipedia", b"", b""]
    assert {bytes(body) for body in web.bodies} == {b"", b"hello", b"wikipedia"}


async def test_answers_at_once_do_not_pile_up_on_the_stack() -> None:
    """Thousands of pipelined requests that are aborted immediately: a loop, not a recursion."""
    async with gateway(aborting()) as proxy:
        client = await proxy.open()
        client.writer.write(get() * 5_000)
        for _ in range(5_000):
            assert (await client.answer()).status == 503


async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get("/1") + get("/2") + b"HELLO\r\n\r\n")
        assert [(await client.answer()).status for _ in range(3)] == [200, 200, 400]
        assert await client.ended()


TARGETS = [
    ("http://foo:81/x?y", b"GET /x?y HTTP/1.1\r\nhost: foo:81\r\n"),
    ("http://foo", b"GET / HTTP/1.1\r\nhost: foo\r\n"),
    ("HTTP://foo/", b"GET / HTTP/1.1\r\nhost: foo\r\n"),
    ("https://foo/x", b"GET /x HTTP/1.1\r\nhost: foo\r\n"),
]


@pytest.mark.parametrize(("target", "start"), TARGETS)
async def test_the_authority_of_an_absolute_target_replaces_host(target: str, start: bytes) -> None:
    """So the gateway is a forward proxy, too (RFC 9112 3.2.2)."""
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get(target))).status == 200
        assert (await proxy.ask(f"GET {target} HTTP/1.1\r\n\r\n".encode())).status == 200
        assert all(head.startswith(start) for head in web.heads)


async def test_options_asterisk_reaches_the_rules() -> None:
    rules = HandRules(lambda request, draws: NOT_FOUND)
    async with gateway(rules) as proxy:
        answer = await proxy.ask(get("*", method="OPTIONS"))
        assert (answer.status, answer.body, answer.values("connection")) == (404, b"", [])
        assert [request.target for request in rules.seen] == [b"*"]


@pytest.mark.parametrize("split", [0, 1, 3])
async def test_h2c_is_handled_as_if_it_had_not_been_asked_for(split: int) -> None:
    data = post(b"hello", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMA")
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(data[: len(data) - split])
        if split:
            await until(lambda: web.heads)
            client.writer.write(data[-split:])
        assert (await client.answer()).status == 200
        assert web.bodies == [b"hello"]
        assert b"upgrade" not in web.heads[0].lower() and b"http2" not in web.heads[0].lower()
        assert (await client.ask(get("/next"))).status == 200


async def test_upgrade_without_connection_is_an_ordinary_request() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(get("/", "upgrade: foo"))).status == 200


async def test_what_follows_connection_close_is_not_read() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        answer = await client.ask(get("/1", "connection: close") + get("/2"))
        assert (answer.status, answer.first("connection")) == (200, "close")
        assert await client.ended()
        assert len(web.heads) == 1


async def test_a_bad_chunk_in_a_request_that_is_already_on_its_way_ends_both() -> None:
    async with upstream() as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get("/", "transfer-encoding: chunked", method="POST") + b"2\r\nok\r\n")
        await until(lambda: web.heads)
        answer = await client.ask(b"zz\r\n")
        assert (answer.status, answer.body) == (400, b"Bad Request")
        await until(lambda: web.closed)
        assert proxy.counts()["statuses"] == {"400": 1}


async def test_a_client_that_closes_its_half_has_left() -> None:
    """Envoy takes a FIN for the end of everything on the connection; so do we, and upstream is told."""

    async def hold(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()

    async with upstream(hold) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: web.heads)
        client.writer.write_eof()
        assert await client.ended()
        await until(lambda: web.closed)
        assert proxy.counts()["statuses"] == {"0": 1}


async def test_a_client_that_leaves_takes_its_upstream_request_with_it() -> None:
    async def hold(peer: Peer) -> None:
        await peer.request()
        await peer.reader.read()

    async with upstream(hold) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.write(get())
        await until(lambda: web.heads)
        client.writer.transport.abort()
        await until(lambda: web.closed)
        await until(lambda: not proxy.worker.connections)
        counts = proxy.counts()
        assert (counts["requests"], counts["forwarded"], counts["statuses"]) == (1, 1, {"0": 1})


async def test_a_head_that_never_ends_in_time_is_answered_408() -> None:
    async with gateway(aborting()) as proxy:
        client = await proxy.open()
        client.writer.write(b"GET / HTTP/1.1\r\nhost:")
        await until(lambda: any(one.in_head for one in proxy.worker.connections))
        proxy.worker.beat += 1_000
        proxy.worker.look_around()
        answer = await client.answer()
        assert (answer.status, answer.first("connection")) == (408, "close")


async def test_an_idle_connection_is_closed_in_the_end() -> None:
    async with gateway(aborting()) as proxy:
        client = await proxy.open()
        assert (await client.ask(get())).status == 503
        proxy.worker.look_around()
        assert proxy.worker.connections
        proxy.worker.beat += 1_000
        proxy.worker.look_around()
        assert await client.ended()


async def test_reading_pauses_while_many_pipelined_requests_wait() -> None:
    """A client that sends without end and waits for nothing costs a bounded amount of memory."""
    release = asyncio.Event()

    async def slow(peer: Peer) -> None:
        while True:
            await peer.request()
            await release.wait()
            await peer.send(OK)

    async with upstream(slow) as web, gateway(to(cluster(web.port))) as proxy:
        client = await proxy.open()
        client.writer.transport.set_write_buffer_limits(high=1 << 26)
        total = 20_000
        client.writer.write(get("/" + "a" * 1000) * total)
        await until(lambda: web.heads)
        await until(lambda: any(not one.transport.is_reading() for one in proxy.worker.connections))
        (connection,) = proxy.worker.connections
        assert len(connection.waiting) < total / 4
        release.set()
        for _ in range(total // 20):
            assert (await client.answer()).status == 200


async def test_leading_empty_lines_are_skipped() -> None:
    async with upstream(always_ok) as web, gateway(to(cluster(web.port))) as proxy:
        assert (await proxy.ask(b"\r\n\r\n" + get())).status == 200
