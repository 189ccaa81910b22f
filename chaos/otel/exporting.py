"""The SDK of one process, which reads its own environment variables: where spans go, which are sampled, what the
service is called. Each process has its own and is an instance of the service.

Export happens in the SDK's thread. What cannot be exported is said once, in one line, and lost."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from chaos.version import __version__

SCOPE = "chaos"


def resource_of(service: str) -> Resource:
    """Return what this process is: the service that OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name, else
    `service`."""
    own = {SERVICE_VERSION: __version__, SERVICE_INSTANCE_ID: str(uuid.uuid4())}
    found = Resource.create(own)
    if os.environ.get(OTEL_SERVICE_NAME) or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        return found
    return found.merge(Resource({SERVICE_NAME: service}))


def wanted(signal: str) -> bool:
    """Return whether the environment wants a signal, `TRACES` or `METRICS`, to be exported."""
    return os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip() != "none"


def provider_of(resource: Resource, *, ids: IdGenerator | None = None, batch: int | None = None) -> TracerProvider:
    """Return where spans come from. `batch` is how many are exported at once, if the environment does not say it."""
    speak_in_lines()
    provider = TracerProvider(resource=resource, id_generator=ids or RandomIdGenerator(), shutdown_on_exit=False)
    if wanted("TRACES"):
        given = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in os.environ
        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(), max_export_batch_size=None if given else batch)
        )
    return provider


class _OneLine(logging.Handler):
    """Says each kind of message once, in one line."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[object] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg not in self._said:
            self._said.add(record.msg)
            text = record.getMessage().splitlines()[0]
            print(f"OpenTelemetry: {text[:300]}", file=sys.stderr, flush=True)


def speak_in_lines() -> None:
    """Let what the SDK has to say be one line on stderr, once, instead of a traceback for each batch."""
    logger = logging.getLogger("opentelemetry")
    if not any(isinstance(each, _OneLine) for each in logger.handlers):
        logger.addHandler(_OneLine())
        logger.propagate = False


Attributes = Mapping[str, str | int | float | bool]
