"""The gateway's x-chaos tags in a response's head, and the mark of an abort by a gateway without tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from chaos.protocol.tags import decode_tag

MARK = b"\r\nx-chaos-"
ENVOY_ABORT = b"fault filter abort"  # the body of Envoy's fault filter (FaultFilter::abortWithStatus)


class Tags(NamedTuple):
    """What the gateway did. `phase` is None without a tag for it."""

    route: str = ""
    destination: str = ""
    fault: str = ""
    attempts: int = 1
    phase: str | None = None


UNTAGGED = Tags()


def of_headers(headers: Iterable[tuple[str, str]]) -> Tags:
    """Read the tags from header names and values, whatever their case and order."""
    found = {name.lower(): value.strip() for name, value in headers}
    attempts = found.get("x-chaos-attempts", "1")
    return Tags(
        route=decode_tag(found.get("x-chaos-route", "")),
        destination=decode_tag(found.get("x-chaos-destination", "")),
        fault=found.get("x-chaos-fault", ""),
        attempts=int(attempts) if attempts.isascii() and attempts.isdigit() else 1,
        phase=decode_tag(found["x-chaos-phase"]) if "x-chaos-phase" in found else None,
    )


def of_head(tail: bytes) -> Tags:
    """Read the tags from a response's head, or from the part of it that begins with the first tag."""
    if not tail:
        return UNTAGGED
    lines = tail.decode("latin-1").split("\r\n")
    return of_headers((name, value) for name, colon, value in (line.partition(":") for line in lines) if colon)
