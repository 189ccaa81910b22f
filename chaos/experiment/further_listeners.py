"""What `spec.listeners` means: which listeners cannot be, what the certificate of the run is for, and which variables
tell programs of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from chaos.errors import Problem
from chaos.experiment.model_listener import Listener
from chaos.experiment.read import Reading
from chaos.experiment.safety import known_hosts
from chaos.experiment.services import ServicePlan, entry_hosts, proxy_of, short_name_shown
from chaos.mesh.names import full_name, is_wildcard
from chaos.mesh.resolve.connections import TLS, tls_ports
from chaos.mesh.resolve.mesh import ResolvedMesh
from chaos.mesh.upstream.protocols import may_be_http

ENVOY = "chaos run --engine envoy (pip install 'chaos-harness[envoy]')"


def further_listeners(reading: Reading) -> tuple[Listener, ...]:
    """Return the experiment's listeners."""
    return reading.experiment.spec.listeners


def secure_listener(reading: Reading) -> Listener | None:
    """Return the listener that https requests of the load go to: the first of HTTPS, None without any."""
    return next((each for each in further_listeners(reading) if each.protocol == "HTTPS"), None)


def stands_for(listener: Listener, reading: Reading) -> tuple[str, int]:
    """Return the mesh host, in full, and the port that a listener of TCP stands for; nothing for another one."""
    if listener.host is None:
        return "", 0
    name, _, port = listener.host.lower().rpartition(":")
    known = entry_hosts(reading.resources)
    return name if name in known else full_name(name, proxy_of(reading).namespace), int(port)


def connection_problems(reading: Reading, mesh: ResolvedMesh) -> Iterator[Problem]:
    """Yield a problem for each listener for connections to which a mesh would not apply any `tcp` or `tls` route."""
    for index, each in enumerate(further_listeners(reading)):
        if each.protocol in ("TCP", "TLS") and (wrong := _without_routes(each, reading, mesh)):
            field = "host" if each.protocol == "TCP" and not mesh.proxy.is_gateway else "protocol"
            yield reading.problem(("spec", "listeners", index, field), wrong, code="listener")


def _without_routes(listener: Listener, reading: Reading, mesh: ResolvedMesh) -> str | None:
    """Return why no route of connections applies to a listener; None if some may."""
    if mesh.proxy.is_gateway:
        return f"{listener.protocol}: only a sidecar has it here; leave spec.proxy.gateway out"
    if listener.protocol == "TLS":
        way = "give a service protocol: TLS"
        return None if tls_ports(mesh) else f"no port of any service speaks TLS, so no name leads anywhere; {way}"
    host, port = stands_for(listener, reading)
    service = mesh.registry.get(host)
    if service is None or port not in service.ports:
        return f"no service is {listener.host}{_hint(mesh)}; give spec.services {listener.host} with protocol: TCP"
    protocol = service.ports[port].protocol
    if may_be_http(protocol):
        return f"{listener.host} speaks {protocol or 'HTTP'}, to which no tcp route applies; give it protocol: TCP"
    if protocol in TLS:
        return f"{listener.host} speaks {protocol}, to which no tcp route applies; a listener of TLS leads there"
    return None


def _hint(mesh: ResolvedMesh) -> str:
    services = mesh.registry.services.values()
    found = [
        f"{short_name_shown(each.host)}:{number}"
        for each in services
        for number, port in each.ports.items()
        if not may_be_http(port.protocol) and port.protocol not in TLS
    ]
    return f" (known: {', '.join(found[:8])})" if found else ""


def twice(reading: Reading, services: ServicePlan) -> Iterator[Problem]:
    """Yield a problem for each listener that has the name or the port of an earlier one, or the port of a service."""
    found = further_listeners(reading)
    served = {each.port: each.name for each in services.instances() if each.port is not None}
    for index, each in enumerate(found):
        path, before = ("spec", "listeners", index), found[:index]
        if each.name in [other.name for other in before]:
            yield reading.problem((*path, "name"), f"a second listener called {each.name}", code="listener")
        if each.port is not None and each.port in [other.port for other in before]:
            yield reading.problem((*path, "port"), f"a second listener at port {each.port}", code="listener")
        elif each.port in served:
            message = f"port {each.port} is that of {served[each.port]} in spec.services"
            yield reading.problem((*path, "port"), message, code="listener")


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
