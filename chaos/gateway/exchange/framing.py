"""Where a message ends: the one place that writes `content-length` and `transfer-encoding`.

Both lines are written from the body that is going to be sent and never passed on from the message that came in. So
whatever removed a received line (a client's `connection: content-length`) or varied it (`Chunked`, two lines), the head
that we write and the bytes behind it cannot disagree about where the message ends."""

from __future__ import annotations

from chaos.mesh.decision import Headers
from chaos.mesh.headers.operations import FRAMING, WITHOUT_BODY

CHUNKED = b"transfer-encoding: chunked\r\n"


def content_length(size: int) -> bytes:
    return b"content-length: %d\r\n" % size


def unframed(headers: Headers) -> Headers:
    """Return the headers without those that say where a message ends."""
    return [header for header in headers if header[0] not in FRAMING]


def frame_request(headers: Headers, method: bytes, has_body: bool, length: int | None) -> tuple[Headers, bytes]:
    """Return a request's headers without framing, and the framing line for the body that follows.

    `length` is what the client announced, None for chunks. A body whose length did not stay among the headers goes out
    in chunks, as from Envoy, and a request without a body says so where its method could have one."""
    kept = unframed(headers)
    announced = any(name == b"content-length" for name, _ in headers)
    if has_body:
        return kept, content_length(length) if announced and length is not None else CHUNKED
    return kept, content_length(0) if announced or method not in WITHOUT_BODY else b""


def answer_line(status: int, length: int | None) -> bytes:
    """Return the framing line of a response; `length` is what upstream announced, None for chunks or nothing.

    A response to HEAD says what the one to GET would say (RFC 9110 8.6), 304 may name a length, 204 names none."""
    if status == 204:
        return b""
    if length is not None:
        return content_length(length)
    return b"" if status == 304 else CHUNKED
