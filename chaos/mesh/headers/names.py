"""Which headers Envoy keeps merged: a repeated line is joined to the first with a comma, on arrival and when added.

Envoy's header map has O(1) slots for these (header_map.h and the custom inline headers of the filters built into it);
every other header keeps its lines. Observed on Envoy 1.40."""

from __future__ import annotations

from collections.abc import Iterable

from chaos.mesh.decision import Headers

MERGED_REQUEST = frozenset(
    b"accept accept-encoding access-control-request-headers access-control-request-method authorization "
    b"cache-control connection content-encoding content-type expect grpc-accept-encoding grpc-timeout if-match "
    b"if-modified-since if-none-match if-range if-unmodified-since keep-alive origin pragma proxy-connection referer "
    b"te upgrade user-agent via x-client-trace-id x-envoy-attempt-count x-envoy-decorator-operation "
    b"x-envoy-downstream-service-cluster x-envoy-downstream-service-node x-envoy-external-address "
    b"x-envoy-original-host x-envoy-original-path x-forwarded-for x-forwarded-host x-forwarded-port "
    b"x-forwarded-proto x-request-id".split()
)
MERGED_RESPONSE = frozenset(
    b"access-control-allow-credentials access-control-allow-headers access-control-allow-methods "
    b"access-control-allow-origin access-control-expose-headers access-control-max-age age cache-control connection "
    b"content-encoding content-length content-type date etag expires grpc-message grpc-status keep-alive "
    b"last-modified location proxy-connection proxy-status server upgrade vary via x-envoy-attempt-count "
    b"x-envoy-decorator-operation x-envoy-degraded x-envoy-immediate-health-check-fail x-envoy-ratelimited "
    b"x-envoy-upstream-service-time x-request-id".split()
)


def values_of(headers: Headers, name: bytes) -> list[bytes]:
    """Return the values of a request header as Envoy holds them: one per line, or a single one when it is kept
    merged."""
    values = [value for key, value in headers if key == name]
    return [joined(values)] if len(values) > 1 and name in MERGED_REQUEST else values


def joined(values: Iterable[bytes]) -> bytes:
    """Join lines with commas, without the empty ones (Envoy's HeaderMapImpl::appendToHeader)."""
    return b",".join(filter(None, values))


def value_of(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of a request header (all of it if it is kept merged); None when it is absent."""
    values = values_of(headers, name)
    return values[0] if values else None


def merge(headers: Headers, merged: frozenset[bytes]) -> Headers:
    """Return the headers with the lines of each merged header joined at the place of its first."""
    if len(dict(headers)) == len(headers):
        return headers
    kept: Headers = []
    place: dict[bytes, int] = {}
    for name, value in headers:
        at = place.get(name) if name in merged else None
        if at is None:
            place[name] = len(kept)
            kept.append((name, value))
        else:
            kept[at] = (name, joined((kept[at][1], value)))
    return kept
