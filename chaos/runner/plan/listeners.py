"""Whether a run can have the listeners of its experiment: its engine, what makes certificates, and free ports."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from chaos.errors import EnvironmentFailed, InvalidInput, Problem
from chaos.experiment.further_listeners import further_listeners, need_envoy, secure_listener
from chaos.experiment.read import Reading
from chaos.runner.plan.engines import ANY
from chaos.runner.plan.options import RunOptions
from chaos.runner.processes.ports import LOOPBACK, listening_socket

_CERTIFICATES = "trustme"


def require_listeners(reading: Reading, options: RunOptions) -> None:
    """Raise InvalidInput for listeners that the engine does not have, or that need a package which is not there."""
    found = further_listeners(reading)
    if found and options.gateway is not None:
        message = "a gateway that already runs has the listeners that it has; leave these out with --gateway"
        raise InvalidInput([reading.problem(("spec", "listeners"), message, code="listener")])
    if not options.engine.listens and not options.program and (lacking := list(need_envoy(reading))):
        raise InvalidInput(lacking)
    secure = secure_listener(reading) if options.engine is not ANY else None
    if secure is not None and importlib.util.find_spec(_CERTIFICATES) is None:
        message = f"HTTPS needs the package {_CERTIFICATES}, which is not here: pip install 'chaos-harness[envoy]'"
        path = ("spec", "listeners", found.index(secure), "protocol")
        raise InvalidInput([reading.problem(path, message, code="listener")])


def require_free_ports(reading: Reading) -> None:
    """Raise InvalidInput for listeners whose ports are taken now."""
    if taken := list(_taken(reading)):
        raise InvalidInput(taken)


def _taken(reading: Reading) -> Iterator[Problem]:
    for index, each in enumerate(further_listeners(reading)):
        if each.port is None:
            continue
        try:
            listening_socket(LOOPBACK, each.port).close()
        except EnvironmentFailed as error:
            message = f"{error}; give another port, or leave it out for a free one"
            yield reading.problem(("spec", "listeners", index, "port"), message, code="listener")
