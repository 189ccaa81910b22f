"""What `--otel` needs: the packages of the extra, and environment variables that can be followed. Imports none of
them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

from chaos.errors import InvalidInput

OPTION = "--otel"
PROTOCOL = "http/protobuf"
GATEWAY_END, LOAD_END = 5.0, 1.5
"""Seconds that the ends of a gateway and of a load wait for an endpoint that does not answer."""
_SIGNALS = ("OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES", "OTEL_EXPORTER_OTLP_METRICS")


def check() -> None:
    """Raise InvalidInput if spans and metrics cannot be exported as the environment says."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise InvalidInput.of(OPTION, "OpenTelemetry is not installed; pip install 'chaos-harness[otel]' brings it")
    for signal in _SIGNALS:
        protocol, endpoint = os.environ.get(f"{signal}_PROTOCOL", ""), os.environ.get(f"{signal}_ENDPOINT", "")
        if protocol and protocol != PROTOCOL:
            raise InvalidInput.of(OPTION, f"{signal}_PROTOCOL={protocol}: there is only {PROTOCOL}")
        if endpoint and not _is_http(endpoint):
            raise InvalidInput.of(
                OPTION, f"{signal}_ENDPOINT={endpoint}: is no http URL; write it like http://localhost:4318"
            )


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
