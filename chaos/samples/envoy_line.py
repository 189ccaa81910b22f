"""One line of Envoy's access log in JSON, with the names of Istio's default format (accessLogEncoding: JSON).

Source: pilot/pkg/model/telemetry_logging.go (`EnvoyJSONLogFormatIstio`). That format has no attempts; a field with
%UPSTREAM_REQUEST_ATTEMPT_COUNT% is taken under any of the names in `ATTEMPTS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chaos.mesh.headers.grpc import is_grpc_type
from chaos.statuses import of_grpc

ATTEMPTS = ("upstream_request_attempt_count", "request_attempt_count", "attempt_count", "attempts")

STATUS = "response_code"
"""The field that tells a line of an access log from what else a proxy logs."""

FORMAT = {
    "request_id": "%REQ(X-REQUEST-ID)%",
    "route_name": "%ROUTE_NAME%",
    "response_flags": "%RESPONSE_FLAGS%",
    STATUS: "%RESPONSE_CODE%",
    "grpc_status_number": "%GRPC_STATUS_NUMBER%",
    "content_type": "%REQ(CONTENT-TYPE)%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    ATTEMPTS[0]: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_host": "%UPSTREAM_HOST%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "duration": "%DURATION%",
}
"""What of a line is read, as a format for Envoy."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that is over. `flags` are Envoy's response flags, `details` its word for how the response came about,
    `cluster` is None for what is not forwarded, `time` the milliseconds that upstream took, None without an answer from
    there, and `duration` those of the whole request, None if the line does not say it. `status` is 0 if the client left
    before its response; that of a gRPC call is its own (chaos/statuses.py), if the line says it. `attempts` is None if
    the line does not say how many there were; `host` is the endpoint that the last of them went to, empty without
    any."""

    id: str
    route: str
    flags: frozenset[str]
    status: int
    details: str
    attempts: int | None
    cluster: str | None
    method: str
    path: str
    time: float | None
    duration: float | None = None
    host: str = ""

    @property
    def aborted(self) -> bool:
        return "FI" in self.flags

    @property
    def delayed(self) -> bool:
        return "DI" in self.flags

    @property
    def left(self) -> bool:
        """Whether the client left before its response."""
        return self.status == 0


def ended(said: Mapping[str, Any]) -> Ended:
    """Return what a line says. Raises ValueError for numbers that are none. Runs for every request."""
    get = said.get
    try:
        status = int(said[STATUS] or 0)
        grpc, time, duration = get("grpc_status_number"), get("upstream_service_time"), get("duration")
        return Ended(
            id=_text(get("request_id")),
            route=_text(get("route_name")),
            flags=_flags(get("response_flags")),
            status=status if grpc is None else _status(status, grpc, get("content_type")),
            details=_text(get("response_code_details")),
            attempts=_attempts(said),
            cluster=_text(get("upstream_cluster")) or None,
            method=_text(get("method")),
            path=_text(get("path")),
            time=None if time is None else _number(time),
            duration=None if duration is None else _number(duration),
            host=_text(get("upstream_host")),
        )
    except TypeError as error:
        raise ValueError(str(error)) from None


def _text(value: Any) -> str:
    """Return a text; empty for the dash and the null that stand for nothing."""
    return value if isinstance(value, str) and value != "-" else ""


@lru_cache(1000)
def _flags(value: Any) -> frozenset[str]:
    return frozenset(_text(value).split(",")) - {""}


def _status(status: int, grpc: Any, kind: Any) -> int:
    """Return the status of a response as its client has it. Envoy gives a gRPC status for responses to HTTP, too."""
    number = _number(grpc) if status and is_grpc_type(_text(kind)) else None
    return status if number is None else of_grpc(int(number))


def _attempts(said: Mapping[str, Any]) -> int | None:
    for name in ATTEMPTS:
        if name in said:
            return int(_number(said[name]) or 0)
    return None


def _number(value: Any) -> float | None:
    return None if value in (None, "", "-") else float(value)
