"""What `spec.listeners` means: which listeners cannot be, what the certificate of the run is for, and which variables
tell programs of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from chaos.errors import Problem
from chaos.experiment.model_listener import Listener
from chaos.experiment.read import Reading
from chaos.experiment.safety import known_hosts
from chaos.experiment.services import ServicePlan
from chaos.mesh.names import is_wildcard

ENVOY = "chaos run --engine envoy (pip install 'chaos-harness[envoy]')"


def further_listeners(reading: Reading) -> tuple[Listener, ...]:
    """Return the experiment's listeners."""
    return reading.experiment.spec.listeners


def secure_listener(reading: Reading) -> Listener | None:
    """Return the listener that https requests of the load go to: the first of HTTPS, None without any."""
    return next((each for each in further_listeners(reading) if each.protocol == "HTTPS"), None)


def twice(reading: Reading) -> Iterator[Problem]:
    """Yield a problem for each listener that has the name or the port of an earlier one."""
    found = further_listeners(reading)
    for index, each in enumerate(found):
        path, before = ("spec", "listeners", index), found[:index]
        if each.name in [other.name for other in before]:
            yield reading.problem((*path, "name"), f"a second listener called {each.name}", code="listener")
        if each.port is not None and each.port in [other.port for other in before]:
            yield reading.problem((*path, "port"), f"a second listener at port {each.port}", code="listener")


def need_envoy(reading: Reading) -> Iterator[Problem]:
    """Yield a problem for each listener, which the gateway of ours does not have."""
    for index, each in enumerate(further_listeners(reading)):
        message = f"{each.protocol}: our own gateway has no further listeners; a real Envoy has them: {ENVOY}"
        yield reading.problem(("spec", "listeners", index, "protocol"), message, code="listener")


def certified_hosts(reading: Reading, services: ServicePlan) -> tuple[str, ...]:
    """Return the names that the certificate of the run is for: this machine, the hosts of the mesh with their short
    names, and those of tasks. A certificate has wildcards like `*.example.com`, and no others."""
    tasks = (urlsplit(task.target[1]).hostname or "" for task in reading.experiment.spec.load.tasks)
    found = dict.fromkeys(["localhost", "127.0.0.1", *known_hosts(reading, services), *map(str.lower, tasks)])
    return tuple(host for host in found if host and (not is_wildcard(host) or host[1:2] == "."))


def listener_variables(listeners: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell programs of the listeners, from their addresses by name."""
    return {f"CHAOS_LISTENER_{name.upper().replace('-', '_')}": where for name, where in listeners.items()}
