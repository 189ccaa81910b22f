"""Find tasks and proxies that miss the mesh's listeners, because no service speaks HTTP on their port.

A sidecar has a listener for each port on which some service speaks HTTP; the port in a URL selects the listener."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from chaos.errors import Problem
from chaos.experiment.read import Reading
from chaos.experiment.tasks import LoadTask
from chaos.mesh.compile.rules import Rules
from chaos.mesh.explain.asking import no_listener, nothing_here, service_called


def listener_problems(reading: Reading, rules: Rules, tasks: Iterable[LoadTask]) -> list[Problem]:
    """Return a problem for a proxy.port without a listener, else for each task that calls a known service on a port
    where it does not speak HTTP."""
    found = _proxy_port(reading, rules)
    for index, task in enumerate(tasks):
        authority = urlsplit(task.url).netloc.rpartition("@")[2].encode()
        if task.direct or found or rules.table(authority) is not None or service_called(rules, authority) is None:
            continue
        message = f"in a mesh nothing responds to {task.url}: {nothing_here(rules, authority)}"
        found.append(reading.problem(("spec", "load", "tasks", index), message, code="no-listener"))
    return found


def _proxy_port(reading: Reading, rules: Rules) -> list[Problem]:
    port = reading.experiment.spec.proxy.port
    if port is None or rules.proxy.is_gateway:
        return []
    ports = rules.mesh.http_ports
    if port in ports or not ports:
        return []
    return [reading.problem(("spec", "proxy", "port"), no_listener(port, ports), code="no-listener")]
