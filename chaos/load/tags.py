"""The gateway's x-chaos tags in a response's head, and the mark of an abort by a gateway without tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chaos.faults import FaultKind, tag_of
from chaos.protocol.digest import UNCLEAR
from chaos.protocol.tags import decode_tag, label_of

MARK = b"\r\nx-chaos-"
ENVOY_ABORT = b"fault filter abort"  # the body of Envoy's fault filter (FaultFilter::abortWithStatus)

FLAGS = {"DI": FaultKind.DELAY, "FI": FaultKind.ABORT}
"""Envoy's response flags for the faults that its filter injects (StreamInfo::ResponseFlag)."""

FLAGS_OF_ENDING = frozenset({"FI"})
"""Those of faults after which a request is not forwarded."""


class Tags(NamedTuple):
    """What the gateway did. `phase` is None without a tag for it."""

    route: str = ""
    destination: str = ""
    fault: str = ""
    attempts: int = 1
    phase: str | None = None
    policy: str = ""


UNTAGGED = Tags()


def of_headers(headers: Iterable[tuple[str, str]]) -> Tags:
    """Read the tags from header names and values, whatever their case and order."""
    found = {name.lower(): value.strip() for name, value in headers}
    attempts = found.get("x-chaos-attempts", "1")
    fault, destination = found.get("x-chaos-fault", ""), found.get("x-chaos-destination", "")
    if "x-chaos-flags" in found:
        fault, destination = _of_flags(found["x-chaos-flags"].split(","), destination)
    return Tags(
        route=decode_tag(found.get("x-chaos-route", "")),
        destination=decode_tag(destination),
        fault=fault,
        attempts=max(1, int(attempts)) if attempts.isascii() and attempts.isdigit() else 1,
        phase=decode_tag(found["x-chaos-phase"]) if "x-chaos-phase" in found else None,
        policy=found.get("x-chaos-policy", ""),
    )


def _of_flags(flags: Sequence[str], destination: str) -> tuple[str, str]:
    """Return the faults that an Envoy's response flags say, as `x-chaos-fault` does, and the destination: an Envoy
    writes where its route leads, even if it did not forward the request; in a mesh it is a cluster of Istio's."""
    fault = tag_of(kind for flag, kind in FLAGS.items() if flag in flags)
    if FLAGS_OF_ENDING.intersection(flags) or destination == "-":
        return fault, ""
    return fault, label_of(destination) if destination.startswith("outbound|") else destination


def of_head(tail: bytes) -> Tags:
    """Read the tags from a response's head, or from the part of it that begins with the first tag."""
    if not tail:
        return UNTAGGED
    return of_headers(headers_of(tail))


def of_cut(tail: bytes) -> Tags:
    """Read the tags of a response that was cut short after its head. Those of one that no policy has cut are left out:
    its request is one without a response, of which nothing is known."""
    tags = of_head(tail)
    return tags if tags.policy else UNTAGGED


def headers_of(head: bytes) -> list[tuple[str, str]]:
    """Return the names and values in a head, or in a part of it; what is no header is left out."""
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    return [(name, value) for name, colon, value in lines if colon]


def from_outside(tags: Tags, headers: Iterable[tuple[str, str]], body: bytes | None, without_body: bool) -> Tags:
    """Return the tags of a response from a gateway without tags: Envoy's fault filter marks aborts by their body, for
    gRPC by the message beside the status. `without_body` says that this response has no body, whatever it is."""
    if tags.fault:
        return tags
    if body is not None and body.startswith(ENVOY_ABORT):
        return tags._replace(fault="abort")
    found = {name.lower(): value.strip() for name, value in headers}
    if "grpc-status" in found and found.get("grpc-message") == ENVOY_ABORT.decode():
        return tags._replace(fault="abort")
    return tags._replace(fault=_of_bare_head(found)) if without_body else tags


def bodiless(method: str, status: int) -> bool:
    """Return whether a response has no body, whatever its head says (RFC 9112, 6.3)."""
    return method == "HEAD" or status in (204, 304)


def _of_bare_head(found: dict[str, str]) -> str:
    """Return the fault that the head of a response without a body shows.

    Envoy's own reply (Utility::sendLocalReply) has the length and the type of the body it would have; on what comes
    from upstream its router writes x-envoy-upstream-service-time, but that can be switched off, so that its absence
    alone proves nothing."""
    length = found.get("content-length")
    if "x-envoy-upstream-service-time" in found or length not in (None, str(len(ENVOY_ABORT))):
        return ""
    mine = found.get("server") in ("envoy", "istio-envoy") and found.get("content-type") == "text/plain"
    return "abort" if mine and length is not None else UNCLEAR
