"""The short way of reading a head gives llhttp's answer, or none."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chaos.gateway.exchange import plain_heads as heads
from chaos.gateway.exchange.plain_heads import plain_answer, plain_request


class Told:
    """What llhttp makes of some octets."""

    def __init__(self, data: bytes, kind: type):
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = self.body = b""
        self.heads = self.messages = 0
        self.failed = False
        self.parser = kind(self)
        try:
            self.parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.failed = True

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        self.heads += 1
        self.stays = self.parser.should_keep_alive()
        self.version = self.parser.get_http_version()

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.messages += 1


ODD_LINES = (
    b"host: web|Host:web|x-request-id: 1|accept: */*|Connection: keep-alive|connection: close|content-length: 5|"
    b"Content-Length: 2|content-length:|transfer-encoding: chunked|upgrade: websocket|x-empty:|x-pad: \t a b\t |x : 1|"
    b' folded|x: a\rb|x: a\nb|x: a\0b|x: caf\xc3\xa9|: none|novalue|\xe9: 1|x\t: 1|cookie: a=b; c="d"|'
)
LINES = st.one_of(
    st.sampled_from(ODD_LINES.split(b"|")),
    st.binary(max_size=12),
    st.tuples(st.binary(min_size=1, max_size=4), st.binary(max_size=6)).map(b": ".join),
)
STARTS = st.one_of(
    st.sampled_from(
        b"GET / HTTP/1.1|HEAD /a?b HTTP/1.1|OPTIONS * HTTP/1.1|GET http://a/ HTTP/1.1|POST / HTTP/1.1|GET / HTTP/1.0|"
        b"GET  / HTTP/1.1|GET /a b HTTP/1.1|GET /\x7f HTTP/1.1|GET /\xe9 HTTP/1.1|get / HTTP/1.1|GET /#x HTTP/1.1|"
        b'DELETE /%zz HTTP/1.1|GET / HTTP/1.1 |GET /"<>\\^`{|} HTTP/1.1'.split(b"|")
    ),
    st.binary(max_size=8).map(lambda target: b"GET /" + target + b" HTTP/1.1"),
)
STATUSES = st.one_of(
    st.sampled_from(
        b"HTTP/1.1 200 OK|HTTP/1.1 200 |HTTP/1.1 200|HTTP/1.0 200 OK|HTTP/1.1 204 No|HTTP/1.1 304 No|HTTP/1.1 100 C|"
        b"HTTP/1.1 101 S|HTTP/1.1 599 X|HTTP/1.1 600 X|HTTP/1.1 999 X|HTTP/1.1 20 X|HTTP/1.1 2000 X|HTTP/1.1  200 X|"
        b"http/1.1 200 OK|HTTP/1.1 200 caf\xc3\xa9|HTTP/1.1 200 O\rK".split(b"|")
    ),
    st.binary(max_size=8).map(lambda reason: b"HTTP/1.1 200 " + reason),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(STARTS, st.lists(LINES, max_size=5), st.sampled_from([b"", b"", b"", b"x", b"GET / HTTP/1.1\r\n\r\n", b"\r\n"]))
@example(b"GET / HTTP/1.1", [], b"")
def test_a_request_taken_the_short_way_is_what_llhttp_reads(start: bytes, lines: list[bytes], after: bytes) -> None:
    data = b"\r\n".join([start, *lines, b"", b""]) + after
    plain = plain_request(data)
    if plain is None:
        return
    told = Told(data, HttpRequestParser)
    assert not told.failed
    assert (told.heads, told.messages, told.body) == (1, 1, b"")
    assert (told.parser.get_method(), told.url, told.headers) == plain[:3]
    assert (told.version, told.stays) == ("1.1", True)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(STATUSES, st.lists(LINES, max_size=5), st.sampled_from([b"", b"ok", b"ok\r\n\r\n", b"hello"]))
@example(b"HTTP/1.1 200 OK", [b"content-length: 2"], b"ok")
def test_an_answer_taken_the_short_way_is_what_llhttp_reads(start: bytes, lines: list[bytes], body: bytes) -> None:
    data = b"\r\n".join([start, *lines, b"", b""]) + body
    head, _, rest = data.partition(b"\r\n\r\n")
    plain = plain_answer(head, rest)
    if plain is None:
        return
    told = Told(data, HttpResponseParser)
    assert not told.failed
    assert (told.heads, told.messages, told.body) == (1, 1, rest)
    assert (told.parser.get_status_code(), told.headers) == plain
    assert (told.version, told.stays) == ("1.1", True)


def test_ordinary_heads_do_take_the_short_way() -> None:
    """So that the two tests above are about something."""
    request = plain_request(b"GET /a?b HTTP/1.1\r\nHost: web\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n")
    assert request is not None and request[3][b"host"] == b"web"
    assert plain_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2", b"ok") == (200, [(b"content-length", b"2")])


def test_what_is_remembered_is_bounded() -> None:
    """Every request has an id of its own: its line is remembered for a while, and then all are forgotten."""
    for n in range(3 * heads.MEMORY):
        plain = plain_request(b"GET / HTTP/1.1\r\nhost: web\r\nx-request-id: %d\r\n\r\n" % n)
        assert plain is not None and plain[3][b"x-request-id"] == b"%d" % n
    assert heads.remembered() <= heads.MEMORY
