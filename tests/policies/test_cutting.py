"""Responses that never come whole: what three clients are left with."""

from __future__ import annotations

import pytest
from support.mesh import virtual_service
from support.policies import policy, rules
from support.scripted import always, gateway, upstream
from support.three_clients import CLIENTS, Outcome

ROUTE = virtual_service("- route: [{destination: {host: web}}]")
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
NO_BODY = b"HTTP/1.1 204 No Content\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n"

ROWS = [
    ("{close: {}}", LENGTH, Outcome(0, b"", "closed")),
    ("{close: {bytes: 4}}", LENGTH, Outcome(200, b"0123", "closed")),
    ("{close: {bytes: 4}}", CHUNKS, Outcome(200, b"0123", "closed")),
    ("{close: {bytes: 400}}", LENGTH, Outcome(200, b"012345678", "closed")),
    ("{close: {bytes: 400}}", CHUNKS, Outcome(200, b"0123456789", "closed")),
    ("{stall: {}}", LENGTH, Outcome(200, b"", "timeout")),
    ("{stall: {}}", CHUNKS, Outcome(200, b"", "timeout")),
    ("{stall: {bytes: 5}}", LENGTH, Outcome(200, b"01234", "timeout")),
    ("{stall: {bytes: 10}}", CHUNKS, Outcome(200, b"0123456789", "timeout")),
    ("{truncate: {bytes: 3}}", LENGTH, Outcome(200, b"012", "closed")),
    ("{truncate: {bytes: 0}}", CHUNKS, Outcome(200, b"", "closed")),
    ("{truncate: {share: 50%}}", LENGTH, Outcome(200, b"01234", "closed")),
    ("{truncate: {share: 50%}}", CHUNKS, Outcome(200, b"01234", "closed")),
    ("{truncate: {share: 99.9%}}", LENGTH, Outcome(200, b"012345678", "closed")),
    ("{truncate: {bytes: 3}}", EMPTY, Outcome(0, b"", "closed")),
    ("{truncate: {share: 1%}}", NO_BODY, Outcome(0, b"", "closed")),
    ("{stall: {}}", NO_BODY, Outcome(0, b"", "timeout")),
    ("{reset: {}}", LENGTH, Outcome(0, b"", "reset")),
    ("{reset: {bytes: 4}}", LENGTH, Outcome(200, b"0123", "reset")),
    ("{reset: {bytes: 4}}", CHUNKS, Outcome(200, b"0123", "reset")),
    ("{reset: {bytes: 4}}", NOT_MODIFIED, Outcome(0, b"", "reset")),
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("fault", "answer", "outcome"), ROWS)
async def test_what_is_cut_never_comes_whole(client: str, fault: str, answer: bytes, outcome: Outcome):
    async with upstream(always(answer)) as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        assert await CLIENTS[client](proxy.port) == outcome


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("fault", "error"), [("{truncate: {bytes: 3}}", "closed"), ("{stall: {}}", "timeout"), ("{reset: {}}", "reset")]
)
@pytest.mark.parametrize("answer", [LENGTH, CHUNKS])
async def test_a_head_without_its_body_does_not_come_at_all(client: str, fault: str, error: str, answer: bytes):
    head = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    async with upstream(always(head)) as web, gateway(rules(ROUTE, policy(fault), port=web.port)) as proxy:
        assert await CLIENTS[client](proxy.port, "HEAD") == Outcome(0, b"", error)
