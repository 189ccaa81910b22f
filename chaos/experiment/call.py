"""What a gRPC task calls, and how rules know a call."""

from __future__ import annotations

from dataclasses import dataclass

GRPC = {"content-type": "application/grpc", "te": "trailers"}
"""Headers that every client of gRPC sends, and that no task can change."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a service. `proto` is the name of its file as written; `descriptors` is what describes the service (a
    FileDescriptorSet, in base64), empty before that is known."""

    service: str
    method: str
    proto: str | None = None
    descriptors: str = ""
