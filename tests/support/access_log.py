"""Lines of Envoy's access log, with the names of Istio's default format."""

from __future__ import annotations

import json
from typing import Any

from chaos.journal.identity import Identities

CLUSTER = "outbound|80||web.default.svc.cluster.local"
OTHER = "outbound|80||other.default.svc.cluster.local"


def entry(request_id: str, flags: str = "-", **more: Any) -> dict[str, Any]:
    """One request that was answered by upstream."""
    return {
        "request_id": request_id, "route_name": "default", "response_flags": flags, "response_code": 200,
        "response_code_details": "via_upstream", "upstream_request_attempt_count": 1, "upstream_cluster": CLUSTER,
        "upstream_host": "10.0.0.7:8080", "method": "GET", "path": "/", "upstream_service_time": "3", "duration": 4,
        **more,
    }  # fmt: skip


def aborted(request_id: str, flags: str = "FI") -> dict[str, Any]:
    """One that the fault filter ended."""
    return entry(
        request_id, flags, response_code=503, response_code_details="fault_filter_abort", upstream_host=None,
        upstream_service_time=None, upstream_request_attempt_count=0,
    )  # fmt: skip


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def ids(seed: int, count: int) -> list[str]:
    """The ids of a run's first requests."""
    identify = Identities(seed)
    return [identify(number)[0] for number in range(count)]
