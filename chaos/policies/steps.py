"""What a fault does to a response while it passes, as values: a stage gets its bytes and yields steps.

Stages know no clock and no socket. The gateway carries the steps out, one after another (chaos/gateway/exchange): bytes
are written, a pause is waited for, an end is the last thing that happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

Headers = list[tuple[bytes, bytes]]
BODILESS = (204, 304)  # statuses of responses that have no body


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is written for so many seconds."""

    seconds: float


class End(Enum):
    """How a connection ends in the midst of a response, or in place of it; the value is what the client then sees."""

    RESET = "reset"  # TCP RST
    CLOSE = "closed"  # an orderly FIN
    SILENCE = "timeout"  # it stays open, and nothing comes


Step = bytes | Pause | End


def announced_length(headers: Headers) -> int | None:
    """Return the length of the body that a head announces, None for one that comes in chunks."""
    told = dict(headers)
    return None if b"transfer-encoding" in told else int(told.get(b"content-length", 0))


class Stage:
    """What one fault does to one response. The base class lets everything pass."""

    upload: float | None = None
    """Bytes per second at which the request's body is taken, None for as fast as it comes."""

    def head(self, status: int, headers: Headers) -> Headers:
        """Return the response's headers as the client gets them; names are in lower case."""
        return headers

    def before(self) -> Iterator[Step]:
        """Yield what happens before the head is written."""
        return iter(())

    def bodiless(self) -> Iterator[Step]:
        """Yield what else happens before the head of a response that has no body (HEAD, 204, 304, a length of 0)."""
        return iter(())

    def body(self, data: bytes) -> Iterator[Step]:
        """Yield what happens with the next bytes of the body, which are without their framing."""
        yield data

    def after(self) -> Iterator[Step]:
        """Yield what happens after the last byte of the body, before the response's end."""
        return iter(())
