# ruff: noqa: E501
"""Octets that attackers and broken servers send, and what becomes of them in our gateway and in Envoy: a table.

tests/conformance/test_attacks.py sends them. Where the two differ, docs/fidelity.md has the reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.raw_exchange import OK


@dataclass(frozen=True, slots=True)
class Does:
    """What becomes of a row: the statuses that the client gets, whether it can go on with its connection, and how many
    requests upstream can read."""

    statuses: tuple[int, ...] = (200,)
    open: bool = True
    requests: int = 1


PASSES = Does()
TWICE = Does((200, 200), requests=2)
HANGS = None  # Envoy waits for something that will not come
BROKEN = Does((502,))  # upstream has been asked, and its answer is not passed on
CUT = Does((200,), open=False)  # the answer ends with the connection, in the middle


def refused(status: int = 400) -> Does:
    return Does((status,), open=False, requests=0)


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    data: bytes
    ours: Does = PASSES
    envoy: Does | None = field(default=PASSES, kw_only=True)
    answer: bytes = field(default=OK, kw_only=True)
    ending: str = field(default="", kw_only=True)
    kept: bool = field(default=False, kw_only=True)


def same(name: str, data: bytes, does: Does = PASSES, *, answer: bytes = OK, ending: str = "") -> Attack:
    return Attack(name, data, does, envoy=does, answer=answer, ending=ending)


def kept(
    name: str, data: bytes, does: Does, envoy: Does | None = PASSES, *, answer: bytes = OK, ending: str = ""
) -> Attack:
    """A difference that is there on purpose: docs/fidelity.md has the reason."""
    return Attack(name, data, does, envoy=envoy, answer=answer, ending=ending, kept=True)


# ------------------------------------------------------------------------------------------------ requests


def get(*lines: str, target: str = "/", method: str = "GET", host: str = "host: web") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", *([host] if host else []), *lines, "", ""]).encode("latin-1")


def post(*lines: str, body: bytes = b"", target: str = "/") -> bytes:
    return get(*lines, method="POST", target=target) + body


INNER = get(target="/smuggled")
LENGTH = f"content-length: {len(INNER)}"
CHUNKED = "transfer-encoding: chunked"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)
EMPTY = b"0\r\n\r\n"
H2C = ("upgrade: h2c", "http2-settings: AAMA")
LIMIT = 60 * 1024


def chunks(body: bytes) -> bytes:
    return post(CHUNKED, body=body)


def trailed(trailers: bytes) -> bytes:
    return chunks(b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n")


FRAMING_NAMED_BY_CONNECTION = [
    same("content-length", post(LENGTH, "connection: content-length", body=INNER)),
    same("content-length, with GET", get(LENGTH, "connection: content-length") + INNER),
    same("content-length, with HEAD", get(LENGTH, "connection: content-length", method="HEAD") + INNER),
    same("Content-Length on a second line", post(LENGTH, "connection: keep-alive", "connection: Content-Length", body=INNER)),
    same("content-length before another line", post(LENGTH, "connection: content-length", "connection: keep-alive", body=INNER)),
    same("content-length, and close", post(LENGTH, "connection: close, content-length", body=INNER), Does(open=False)),
    same("content-length and h2c", post(LENGTH, "connection: upgrade, http2-settings, content-length", *H2C, body=INNER)),
    same("content-length: 0", post("content-length: 0", "connection: content-length")),
    same("content-length: 0, with GET", get("content-length: 0", "connection: content-length")),
    same("a content-length that is not there", post("connection: content-length")),
    same("content-length, mirrored", post(LENGTH, "connection: content-length", body=INNER, target="/mirrored"), Does(requests=2)),
    same("transfer-encoding", post(CHUNKED, "connection: transfer-encoding", body=CHUNKS)),
    same("transfer-encoding, with GET", get(CHUNKED, "connection: transfer-encoding") + CHUNKS),
    same("transfer-encoding on a second line", post(CHUNKED, "connection: keep-alive", "connection: transfer-encoding", body=CHUNKS)),
    same("transfer-encoding and h2c", post(CHUNKED, "connection: upgrade, http2-settings, transfer-encoding", *H2C, body=CHUNKS)),
    same("transfer-encoding, mirrored", post(CHUNKED, "connection: transfer-encoding", body=CHUNKS, target="/mirrored"), Does(requests=2)),
    same("both", post(LENGTH, "connection: content-length, transfer-encoding", body=INNER)),
    same("expect", post("connection: expect", "expect: 100-continue", LENGTH, body=INNER)),
    same("te", get("connection: te", "te: trailers")),
    same("host", get("connection: host"), refused()),
    same("host, before another line", get("connection: host", "connection: keep-alive"), refused()),
    same("x-forwarded-for, before another line", get("connection: x-forwarded-for", "connection: keep-alive"), refused()),
    same("a pseudo header", get("connection: :path"), refused()),
    same("nine names", get("connection: " + ",".join("abcdefghi"))),
    same("ten names", get("connection: " + ",".join("abcdefghij")), refused()),
    same("nine thousand names", get("connection: " + ",".join(["a"] * 9000)), refused()),
    same("ten names on ten lines", get(*["connection: a"] * 10), refused()),
]  # fmt: skip

LENGTHS_AND_CODINGS = [
    same("length, then chunks", post("content-length: 4", CHUNKED, body=EMPTY + INNER), refused()),
    same("chunks, then length", post(CHUNKED, "content-length: 4", body=EMPTY + INNER), refused()),
    same("two lengths that differ", post("content-length: 3", "content-length: 5", body=b"hello"), refused()),
    same("two lengths that agree", post("content-length: 5", "content-length: 5", body=b"hello"), refused()),
    same("a list of lengths", post("content-length: 5, 5", body=b"hello"), refused()),
    same("a length with a sign", post("content-length: +5", body=b"hello"), refused()),
    same("a negative length", post("content-length: -5", body=b"hello"), refused()),
    same("a length in hex", post("content-length: 0x5", body=b"hello"), refused()),
    same("two numbers", post("content-length: 5 5", body=b"hello"), refused()),
    same("an empty length", post("content-length:", body=b"hello"), refused()),
    same("a length over 64 bits", post("content-length: 18446744073709551621", body=b"hello"), refused()),
    same("a length behind a vertical tab", post("content-length: \x0b5", body=b"hello"), refused()),
    same("a length with a blank before the colon", post("content-length : 5", body=b"hello"), refused()),
    kept("a folded length", post("content-length:\r\n 5", body=b"hello"), refused()),
    kept("a length with zeros before it", post("content-length: 0005", body=b"hello"), PASSES),
    same("chunked with a blank before the colon", post("transfer-encoding : chunked", body=EMPTY + INNER), refused()),
    same("chunked behind a vertical tab", post("transfer-encoding: \x0bchunked", body=EMPTY + INNER), refused()),
    same("chunked behind a tab", post("transfer-encoding:\tchunked", body=CHUNKS)),
    same("chunked in other letters", post("Transfer-Encoding: ChUnKeD", body=CHUNKS)),
    same("xchunked", post("transfer-encoding: xchunked", body=EMPTY + INNER), refused(501)),
    same("xchunked and a length", post("transfer-encoding: xchunked", "content-length: 5", body=EMPTY + INNER), refused()),
    same("identity", post("transfer-encoding: identity", body=INNER), refused(501)),
    same("identity and a length", post("transfer-encoding: identity", LENGTH, body=INNER), refused()),
    same("identity, chunked", post("transfer-encoding: identity, chunked", body=EMPTY + INNER), refused(501)),
    same("gzip, chunked", post("transfer-encoding: gzip, chunked", body=EMPTY + INNER), refused(501)),
    same("gzip on a line before chunked", post("transfer-encoding: gzip", CHUNKED, body=EMPTY + INNER), refused(501)),
    same("chunked in quotes", post('transfer-encoding: "chunked"', body=EMPTY + INNER), refused(501)),
    same("chunked with a parameter", post("transfer-encoding: chunked;q=1", body=EMPTY + INNER), refused(501)),
    same("a comma, then chunked", post("transfer-encoding: ,chunked", body=EMPTY + INNER), refused(501)),
    kept("chunked, then a comma", post("transfer-encoding: chunked,", body=EMPTY + INNER), refused(400), refused(501)),
    kept("chunked, identity", post("transfer-encoding: chunked, identity", body=EMPTY + INNER), refused(400), refused(501)),
    kept("chunked twice", post("transfer-encoding: chunked, chunked", body=EMPTY + INNER), refused(400), refused(501)),
    kept("chunked on two lines", post(CHUNKED, CHUNKED, body=EMPTY + INNER), refused(400), refused(501)),
    kept("an empty coding", post("transfer-encoding:", body=EMPTY + INNER), refused(400), refused(501)),
    kept("folded chunked", post("transfer-encoding:\r\n chunked", body=EMPTY + INNER), refused(), TWICE),
    same("chunks in HTTP/1.0", post(CHUNKED, body=EMPTY + INNER).replace(b"HTTP/1.1", b"HTTP/1.0", 1), refused(426)),
    same("a length with GET", get("content-length: 5") + b"hello" + INNER, TWICE),
    same("chunks with DELETE", get(CHUNKED, method="DELETE") + CHUNKS),
    same("CONNECT with a length", b"CONNECT web:80 HTTP/1.1\r\nhost: web:80\r\ncontent-length: 5\r\n\r\nhello", refused()),
    same("CONNECT with chunks", b"CONNECT web:80 HTTP/1.1\r\nhost: web:80\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", refused(501)),
]  # fmt: skip

CHUNKS_AND_LINES = [
    same("an extension", chunks(b"5;a=b\r\nhello\r\n0\r\n\r\n")),
    kept("an extension with a line break in quotes", chunks(b'5;a="\r\n\r\n"\r\nhello\r\n0\r\n\r\n'), refused()),
    same("an extension with a bare LF", chunks(b"5;a\nhello\r\n0\r\n\r\n"), refused()),
    same("an extension with a bare CR", chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), refused()),
    kept("an extension without a name", chunks(b"5;\r\nhello\r\n0\r\n\r\n"), refused()),
    kept("a blank before an extension", chunks(b"5 ;a=b\r\nhello\r\n0\r\n\r\n"), refused()),
    kept("a size with a blank", chunks(b"5 \r\nhello\r\n0\r\n\r\n"), refused()),
    same("a size behind a blank", chunks(b" 5\r\nhello\r\n0\r\n\r\n"), refused()),
    same("a size with a plus", chunks(b"+5\r\nhello\r\n0\r\n\r\n"), refused()),
    same("a negative size", chunks(b"-5\r\nhello\r\n0\r\n\r\n"), refused()),
    same("a size with 0x", chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), refused()),
    same("a size over 64 bits", chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), refused()),
    same("a size with many zeros", chunks(b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n")),
    same("no size", chunks(b"\r\nhello\r\n0\r\n\r\n"), refused()),
    same("a size that ends in a bare LF", chunks(b"5\nhello\r\n0\r\n\r\n"), refused()),
    kept("a chunk that ends in a bare LF", chunks(b"5\r\nhello\n0\r\n\r\n"), refused()),
    same("a chunk without an end", chunks(b"5\r\nhello0\r\n\r\n"), refused()),
    kept("a chunk longer than its size", chunks(b"5\r\nhelloX\r\n0\r\n\r\n"), refused()),
    kept("a last chunk that ends in a bare LF", chunks(b"5\r\nhello\r\n0\r\n\n"), refused()),
    same("a last chunk of many zeros", chunks(b"5\r\nhello\r\n00000\r\n\r\n")),
    same("a request behind the chunks", chunks(CHUNKS) + INNER, TWICE),
    same("a request behind the length", post("content-length: 5", body=b"hello") + INNER, TWICE),
    same("empty lines between requests", post("content-length: 5", body=b"hello") + b"\r\n\r\n" + INNER, TWICE),
    same("an octet left over", post("content-length: 5", body=b"helloX") + INNER, Does((200, 400), open=False)),
    kept("lines that end in LF", b"GET / HTTP/1.1\nhost: web\n\n", refused()),
    kept("one line that ends in LF", b"GET / HTTP/1.1\r\nhost: web\nx: y\r\n\r\n", refused()),
    kept("a head that ends in LF", b"GET / HTTP/1.1\r\nhost: web\r\n\n", refused()),
    kept("a bare CR in a value", get("x: a\rb"), refused()),
    kept("a folded line", get("x: a\r\n b"), refused()),
    same("a folded line first", b"GET / HTTP/1.1\r\n host: web\r\n\r\n", refused()),
    same("NUL in a name", get("x\0y: a"), refused()),
    same("NUL in a value", get("x: a\0b"), refused()),
    kept("tabs in the first line", b"GET\t/\tHTTP/1.1\r\nhost: web\r\n\r\n", refused()),
    kept("a blank behind the version", b"GET / HTTP/1.1 \r\nhost: web\r\n\r\n", refused()),
    same("a target in absolute form and another Host", get(target="http://web/x", host="host: other")),
    same("a target in absolute form for another host", get(target="http://other/x"), Does((404,), requests=0)),
    same("a target in absolute form with a user", get(target="http://me@web/x")),
    same("a target in absolute form without a host", get(target="http:///x"), refused()),
    kept("a target in absolute form and two Hosts", get("host: other", target="http://web/x"), refused()),
    kept("two Hosts", get("host: web"), refused(), Does((404,), requests=0)),
]  # fmt: skip

UPGRADES = [
    same("h2c with a length", get(LENGTH, "connection: upgrade, http2-settings", *H2C) + INNER),
    same("h2c with chunks", post(CHUNKED, "connection: upgrade, http2-settings", *H2C, body=CHUNKS)),
    same("h2c beside websocket", get("connection: upgrade", "upgrade: h2c", "upgrade: websocket"), refused(403)),
    same("websocket beside h2c", get("connection: upgrade", "upgrade: websocket", "upgrade: h2c"), refused(403)),
    same("both in one line", get("connection: upgrade", "upgrade: websocket, h2c"), refused(403)),
    kept("websocket with a length", get("connection: upgrade", "upgrade: websocket", LENGTH) + INNER, refused(), HANGS),
    kept("websocket whose length is named", get("connection: upgrade, content-length", "upgrade: websocket", LENGTH) + INNER, refused(), HANGS),
    kept("websocket with chunks", get("connection: upgrade", "upgrade: websocket", CHUNKED) + CHUNKS, refused(), Does(open=False)),
    same("websocket refused", get("connection: upgrade, x-a", "upgrade: websocket", "x-a: 1"), Does((403,), open=False), answer=b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno"),
    kept("websocket answered with 200", get("connection: upgrade", "upgrade: websocket"), Does(open=False), Does(open=False)),
]  # fmt: skip

LIMITS = [
    same("a target to the limit", get(target="/" + "a" * (LIMIT - 29))),
    same("a target over the limit", get(target="/" + "a" * (LIMIT - 28)), refused(431)),
    same("a target of 100 KB", get(target="/" + "a" * 100_000), refused(431)),
    same("a target over the limit, with a body", post(LENGTH, body=INNER, target="/" + "a" * 62_000), refused(431)),
    same("target and headers over the limit", get("x: " + "a" * 30_000, target="/" + "a" * 32_000), refused(431)),
    same("a target over the limit behind a request", INNER + get(target="/" + "a" * 62_000), Does((200, 431), open=False)),
    same("a header to the limit", get("x: " + "a" * (LIMIT - 34))),
    same("a header over the limit", get("x: " + "a" * (LIMIT - 33)), refused(431)),
    same("a hundred headers", get(*["x: a"] * 99)),
    same("a hundred and one headers", get(*["x: a"] * 100), refused(431)),
    same("trailers", trailed(b"x-t: 1\r\nx-u: 2\r\n")),
    same("trailers to the limit", trailed(b"x: " + b"a" * (LIMIT - 7) + b"\r\n")),
    same("trailers over the limit", trailed(b"x: " + b"a" * (LIMIT - 6) + b"\r\n"), refused(431)),
    same("short trailers over the limit", trailed(b"x: a\r\n" * 10_240), refused(431)),
    same("a megabyte of trailers", trailed(b"x: " + b"a" * 1_000_000 + b"\r\n"), refused(431)),
    same("a thousand trailers", trailed(b"x: a\r\n" * 1000)),
    same("a trailer without a colon", trailed(b"x\r\n"), refused()),
    same("a trailer with a blank in its name", trailed(b"x y: 1\r\n"), refused()),
    same("a request in place of trailers", chunks(b"3\r\nabc\r\n0\r\n" + INNER), refused()),
    kept("a length in the trailers", trailed(b"content-length: 5\r\n"), refused()),
    kept("a folded trailer", trailed(b"x: a\r\n b\r\n"), refused()),
]  # fmt: skip

# ------------------------------------------------------------------------------------------------ answers

STATUS = b"HTTP/1.1 200 OK\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early\r\nlink: a\r\n\r\n"
ANSWER_LIMIT = 80 * 1024


def answered(name: str, answer: bytes, does: Does = PASSES, *, ending: str = "", data: bytes = b"") -> Attack:
    return same(name, data or get(), does, answer=answer, ending=ending)


def answered_kept(name: str, answer: bytes, does: Does, envoy: Does | None = PASSES) -> Attack:
    return kept(name, get(), does, envoy, answer=answer)


def coded(coding: str, body: bytes = HELLO) -> bytes:
    return STATUS + f"transfer-encoding: {coding}\r\n\r\n".encode() + body


def sized(length: str, body: bytes = b"hello") -> bytes:
    return STATUS + f"content-length: {length}\r\n\r\n".encode() + body


def said(reason: bytes) -> bytes:
    return b"HTTP/1.1 200 " + reason + b"\r\ncontent-length: 2\r\n\r\nok"


def headed(line: bytes) -> bytes:
    return STATUS + line + b"\r\ncontent-length: 2\r\n\r\nok"


ANSWERS = [
    answered("gzip", coded("gzip"), BROKEN),
    answered("gzip until the end", coded("gzip", b"hello"), BROKEN, ending="close"),
    answered("gzip to HEAD", coded("gzip", b""), BROKEN, data=get(method="HEAD")),
    answered("xchunked", coded("xchunked"), BROKEN),
    answered("chunked, identity", coded("chunked, identity"), BROKEN),
    answered("identity, chunked", coded("identity, chunked"), BROKEN),
    answered("gzip, chunked", coded("gzip, chunked"), BROKEN),
    answered("chunked twice", coded("chunked, chunked"), BROKEN),
    answered("identity", coded("identity", b"hello"), BROKEN, ending="close"),
    answered("an empty coding", coded("", b"hello"), BROKEN, ending="close"),
    answered("chunked on two lines", STATUS + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n" + HELLO, BROKEN),
    answered("gzip on a line before chunked", STATUS + b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO, BROKEN),
    answered("Chunked", coded("Chunked")),
    answered("length and chunks", STATUS + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO, BROKEN),
    answered("chunks and length", STATUS + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n" + HELLO, BROKEN),
    answered("two lengths", STATUS + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", BROKEN),
    answered("a list of lengths", sized("5, 5"), BROKEN),
    answered("a length that is none", sized("5x"), BROKEN),
    answered("a negative length", sized("-5"), BROKEN),
    answered("a length over 64 bits", sized("99999999999999999999"), BROKEN),
    answered("204 with a length", b"HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello", BROKEN),
    answered("204 with chunks", b"HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO, BROKEN),
    answered("204 with no chunks", b"HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BROKEN),
    answered("204 with a length of 0", b"HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n", Does((204,))),
    answered("204 and more", b"HTTP/1.1 204 No\r\n\r\nhello", Does((204,))),
    answered("304 with a body", b"HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\nhello", Does((304,))),
    answered("304 with chunks", b"HTTP/1.1 304 No\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO, Does((304,))),
    answered("HEAD with a body", sized("5"), data=get(method="HEAD")),
    answered("HEAD without a length", STATUS + b"\r\n", data=get(method="HEAD")),
    answered("HEAD with chunks", coded("chunked", b""), data=get(method="HEAD")),
    answered("a control character in the reason", said(b"O\x01K"), BROKEN),
    answered("NUL in the reason", said(b"O\0K"), BROKEN),
    answered("DEL in the reason", said(b"O\x7fK"), BROKEN),
    answered("a tab in the reason", said(b"O\tK")),
    answered("no reason", said(b"")),
    answered_kept("a bare CR in the reason", said(b"O\rK"), BROKEN),
    answered("nothing", b"", Does((503,)), ending="close"),
    answered("one octet", b"H", BROKEN, ending="close"),
    answered("a head cut off", b"HTTP/1.1 200 OK\r\ncontent-le", BROKEN, ending="close"),
    answered("a head cut off by a reset", b"HTTP/1.1 200 OK\r\ncontent-le", BROKEN, ending="reset"),
    answered("a head without its empty line", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", BROKEN, ending="close"),
    answered("103 and a head cut off", EARLY + b"HTTP/1.1 200 OK\r\ncontent-le", BROKEN, ending="close"),
    answered("103 and nothing", EARLY, Does((503,)), ending="close"),
    answered("an empty line first", b"\r\n" + OK, BROKEN),
    answered("a body cut off", sized("5", b"hel"), CUT, ending="close"),
    answered("a chunk cut off", coded("chunked", b"5\r\nhel"), CUT, ending="close"),
    answered("a chunk size that is none", coded("chunked", b"zz\r\n"), CUT),
    answered("a chunk size that is none, later", coded("chunked", b"5\r\nhello\r\nzz\r\n"), CUT),
    answered("a chunk size over 64 bits", coded("chunked", b"10000000000000005\r\nhello\r\n0\r\n\r\n"), CUT),
    answered("chunks that end in LF", coded("chunked", b"5\nhello\n0\n\n"), CUT),
    answered_kept("a chunk size with a blank", coded("chunked", b"5 \r\nhello\r\n0\r\n\r\n"), CUT),
    answered("a second answer", OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"),
    answered("octets behind the answer", OK + b"junk"),
    answered("octets behind the chunks", coded("chunked", HELLO + b"junk")),
    answered("octets behind no body", sized("0")),
    answered("103", EARLY + OK),
    answered("103 twice", EARLY + EARLY + OK),
    answered("100 and 103", b"HTTP/1.1 100 Continue\r\n\r\n" + EARLY + OK),
    answered("a thousand 103", EARLY * 1000 + OK),
    answered("103 with a length", b"HTTP/1.1 103 Early\r\ncontent-length: 5\r\n\r\nhello" + OK, BROKEN),
    answered("103 with chunks", b"HTTP/1.1 103 Early\r\ntransfer-encoding: chunked\r\n\r\n" + OK, BROKEN),
    answered("a status below 100", b"HTTP/1.1 099 X\r\ncontent-length: 2\r\n\r\nok", BROKEN),
    answered("a status of 000", b"HTTP/1.1 000 X\r\ncontent-length: 2\r\n\r\nok", BROKEN),
    answered("a status that is none", b"HTTP/1.1 2x0 X\r\ncontent-length: 2\r\n\r\nok", BROKEN),
    answered_kept("a status with a sign", b"HTTP/1.1 +200 X\r\ncontent-length: 2\r\n\r\nok", BROKEN),
    answered("HTTP/2.0", b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    answered_kept("HTTP/1.2", b"HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nok", BROKEN),
    answered("no head", b"hello", BROKEN, ending="close"),
    answered_kept("lines that end in LF", b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok", BROKEN),
    answered_kept("a folded line", headed(b"x: a\r\n b"), BROKEN),
    answered_kept("a bare CR in a value", headed(b"x: a\rb"), BROKEN),
    answered("NUL in a value", headed(b"x: a\0b"), BROKEN),
    answered("a line without a colon", headed(b"x"), BROKEN),
    answered("a blank before the colon", headed(b"x : y"), BROKEN),
    answered("a hundred headers", headed(b"\r\n".join([b"x: y"] * 99))),
    answered("a hundred and one headers", headed(b"\r\n".join([b"x: y"] * 100)), BROKEN),
    answered("a head to the limit", headed(b"x: " + b"a" * (ANSWER_LIMIT - 43))),
    answered("a head over the limit", headed(b"x: " + b"a" * (ANSWER_LIMIT - 42)), BROKEN),
    answered("a head of 200 KB", headed(b"x: " + b"a" * 200_000), BROKEN),
    answered("trailers", coded("chunked", b"5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n")),
    answered("trailers to the limit", coded("chunked", b"5\r\nhello\r\n0\r\nx: " + b"a" * (ANSWER_LIMIT - 7) + b"\r\n\r\n")),
    answered("a megabyte of trailers", coded("chunked", b"5\r\nhello\r\n0\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n"), CUT),
    answered("a megabyte of short trailers", coded("chunked", b"5\r\nhello\r\n0\r\n" + b"x: a\r\n" * 160_000 + b"\r\n"), CUT),
    answered("a malformed trailer", coded("chunked", b"5\r\nhello\r\n0\r\nx y: 1\r\n\r\n"), CUT),
    answered_kept("a length in the trailers", coded("chunked", b"5\r\nhello\r\n0\r\ncontent-length: 1\r\n\r\n"), CUT),
    answered("a length named by connection", STATUS + b"connection: content-length\r\ncontent-length: 2\r\n\r\nok"),
    answered("a coding named by connection", STATUS + b"connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO),
    answered_kept("a length with zeros before it", sized("0005"), PASSES),
    answered("101 with a length", b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 5\r\n\r\nhello", Does((502,), open=False), data=get("connection: upgrade", "upgrade: websocket")),
]  # fmt: skip

GROUPS = {
    "framing named by connection": FRAMING_NAMED_BY_CONNECTION,
    "lengths and codings": LENGTHS_AND_CODINGS,
    "chunks and lines": CHUNKS_AND_LINES,
    "upgrades": UPGRADES,
    "limits": LIMITS,
    "answers": ANSWERS,
}
ATTACKS = {f"{group}: {attack.name}": attack for group, attacks in GROUPS.items() for attack in attacks}
