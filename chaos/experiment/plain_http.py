"""Find URLs with `https://` that nothing here would send as TLS: they would be plain HTTP without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chaos.errors import Problem
from chaos.experiment.further_listeners import secure_listener
from chaos.experiment.model import METHODS
from chaos.experiment.read import Reading
from chaos.experiment.tasks import LoadTask
from chaos.mesh.source.document import Path

_THROUGH = (
    "https: a request through the gateway is plain HTTP, as an application sends it to its sidecar, which sees only "
    "bytes of TLS; write http://, and the header x-forwarded-proto: https for a match on the scheme; or give "
    "spec.listeners one of HTTPS, which a real Envoy has (--engine envoy)"
)
_LEAN = "https: the lean client speaks plain HTTP; set spec.load.client: locust"
_PROXY = "https: the built-in proxy speaks plain HTTP; write http://"


def https_problems(reading: Reading, tasks: Iterable[LoadTask]) -> Iterator[Problem]:
    """Yield a problem for each https URL of a task through the gateway without an HTTPS listener, of one with the lean
    client, and of a built-in proxy."""
    load, door = reading.experiment.spec.load, secure_listener(reading)
    lean = load.client == "lean" and (door is None or "client" in load.model_fields_set)
    for index, task in enumerate(tasks):
        if not task.url.lower().startswith("https:"):
            continue
        if not task.direct and door is None:
            yield reading.problem(_place(reading, index), _THROUGH, code="https")
        elif lean and task.call is None:
            yield reading.problem(_place(reading, index), _LEAN, code="https")
    for key, service in (reading.experiment.spec.services or {}).items():
        if service.url is not None and service.url.lower().startswith("https:"):
            yield reading.problem(("spec", "services", key, "url"), _PROXY, code="https")


def _place(reading: Reading, index: int) -> Path:
    """Return the path of a task's URL."""
    task = reading.experiment.spec.load.tasks[index]
    name = next((each for each in (*METHODS, "url") if getattr(task, each) is not None), "url")
    return ("spec", "load", "tasks", index, name)
