"""Responses that come in pieces: the stage by itself, and over real sockets."""

from __future__ import annotations

import pytest
from support.clock import Clock
from support.mesh import virtual_service
from support.policies import others_take, policy, reading, rules
from support.scripted import always, gateway, get, upstream

from chaos.policies.kinds.dribble import InPieces
from chaos.policies.steps import Headers, Pause, Step

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def steps(pieces: int, headers: Headers, *data: bytes) -> list[Step]:
    stage = InPieces(pieces, 12.0)
    assert stage.head(200, headers) == headers
    return [*(step for each in data for step in stage.body(each)), *stage.after()]


@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 7, 10])
@pytest.mark.parametrize("reads", [(b"0123456789",), (b"0", b"123", b"456789"), tuple(b"%d" % n for n in range(10))])
def test_a_body_of_known_length_comes_in_equal_pieces(pieces: int, reads: tuple[bytes, ...]):
    found, told = [b""], steps(pieces, [(b"content-length", b"10")], *reads)
    for step in told:
        if isinstance(step, Pause):
            assert step.seconds == 12.0 / pieces
            found.append(b"")
        else:
            assert isinstance(step, bytes)
            found[-1] += step
    assert found[0] == b"" and b"".join(found) == b"0123456789" and len(found) == pieces + 1
    sizes = {len(piece) for piece in found[1:]}
    assert max(sizes) - min(sizes) <= 1


def test_there_are_no_more_pieces_than_bytes():
    assert steps(100, [(b"content-length", b"2")], b"ab") == [Pause(6.0), b"a", Pause(6.0), b"b"]
    assert steps(100, [(b"content-length", b"0")]) == []


def test_without_a_length_each_piece_is_what_comes():
    assert steps(2, [], b"a", b"b", b"c") == [Pause(6.0), b"a", Pause(6.0), b"b", b"c"]
    assert steps(3, [], b"a") == [Pause(4.0), b"a", Pause(8.0)]


@pytest.mark.parametrize(
    ("method", "said", "body"),
    [("GET", LONG, b"0123456789"), ("GET", CHUNKS, b"0123456789"), ("HEAD", LONG, b""), ("GET", EMPTY, b"")],
)
async def test_a_response_takes_its_time(method: str, said: bytes, body: bytes):
    clock = Clock()
    if method == "HEAD":
        said = said.partition(b"0123")[0]
    written = policy("{dribble: {chunks: 5, over: 10s}}")
    async with upstream(always(said)) as web, gateway(rules(ROUTE, written, port=web.port), clock=clock) as proxy:
        client = await proxy.open()
        for _ in range(2):
            began = clock.seconds
            answer = await clock.play(client.ask(get(method=method)))
            assert (answer.body, answer.first("x-chaos-policy")) == (body, "p")
            assert clock.seconds - began == pytest.approx(10 if body else 0)


async def test_aiohttp_and_curl_get_the_pieces():
    written = policy("{dribble: {chunks: 5, over: 50ms}}")
    async with upstream(always(CHUNKS)) as web, gateway(rules(ROUTE, written, port=web.port)) as proxy:
        await others_take(proxy.port, b"0123456789", 0.049)


@pytest.mark.parametrize(
    ("written", "field", "said"),
    [
        ("{chunks: 0, over: 2s}", ".chunks", "0 is less than 1"),
        ("{chunks: 3, over: 0s}", ".over", "'0s' is not longer than 0s"),
        ("{chunks: 3}", ".over", "required, but missing"),
    ],
)
def test_what_is_refused_is_located(written: str, field: str, said: str):
    (problem,) = reading(policy(f"{{dribble: {written}}}")).problems
    assert (problem.path, problem.location.line, problem.message) == (f"spec.fault.dribble{field}", 7, said)
