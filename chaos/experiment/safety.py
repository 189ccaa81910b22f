"""Keep traffic on this machine: addresses and hosts beyond loopback must be named in `spec.allowHosts`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from chaos.errors import Problem
from chaos.experiment.read import Reading
from chaos.experiment.services import Place, ServicePlan, proxy_of
from chaos.experiment.tasks import LoadTask
from chaos.loopback import is_loopback
from chaos.mesh.names import aliases, covers, full_name, is_wildcard, namespace_of
from chaos.mesh.read.shape import suggestion
from chaos.mesh.source.document import field_path


def allowed(host: str, allow_hosts: Iterable[str]) -> bool:
    """Return whether a host is loopback or named; `*.example.com` names all hosts below it."""
    return is_loopback(host) or any(covers(name.lower(), host.lower().strip("[]")) for name in allow_hosts)


def safety_problems(reading: Reading, services: ServicePlan) -> list[Problem]:
    """Return a problem for each listed endpoint that is neither on this machine nor allowed."""
    return list(_listed_endpoints(reading))


def _listed_endpoints(reading: Reading) -> Iterator[Problem]:
    spec = reading.experiment.spec
    for key, service in (spec.services or {}).items():
        for index, endpoint in enumerate(service.endpoints or ()):
            host = endpoint.address[0]
            if not allowed(host, spec.allow_hosts):
                path = ("spec", "services", key, "endpoints", index, "address")
                yield reading.problem(path, _beyond(host), code="beyond-loopback")


def entry_problems(reading: Reading, services: ServicePlan) -> Iterator[Problem]:
    """Yield the endpoints of ServiceEntries that are not on this machine and were not allowed, where `services` does
    not say where the entry really is.

    A cluster takes them, and so does `chaos validate`; what would send requests there does not."""
    for entry in reading.resources.service_entries:
        places = [Place(host.lower(), port.number) for host in entry.spec.hosts for port in entry.spec.ports]
        if all(services.places.get(place) for place in places):
            continue
        for index, endpoint in enumerate(entry.spec.endpoints):
            host = endpoint.address
            if host and not host.startswith("unix:") and not allowed(host, reading.experiment.spec.allow_hosts):
                path = ("spec", "endpoints", index, "address")
                yield Problem(
                    entry.locate(path), field_path((*entry.prefix, *path)), _beyond(host), "error", "beyond-loopback"
                )


def _beyond(host: str) -> str:
    return f"{host} is not on this machine; name it in the Experiment's spec.allowHosts to allow it"


def task_problems(reading: Reading, services: ServicePlan, tasks: Iterable[LoadTask]) -> list[Problem]:
    """Return a problem for each task whose host no rule or service knows, and for each direct one whose host is neither
    on this machine nor allowed."""
    known_in_order = list(known_hosts(reading, services))
    known = set(known_in_order)
    allow = reading.experiment.spec.allow_hosts
    applications, namespace = services.applications(), proxy_of(reading).namespace
    problems = []
    for index, task in enumerate(tasks):
        path = ("spec", "load", "tasks", index)
        if task.direct:
            if not allowed(task.host, allow) and full_name(task.host, namespace) not in applications:
                problems.append(reading.problem(path, _beyond(task.host), code="beyond-loopback"))
        elif not any(covers(name, task.host.lower()) or name == "*" for name in known):
            problems.append(reading.problem(path, _unknown(task.host, known_in_order, namespace), code="unknown-host"))
    return problems


def directed(task: LoadTask, reading: Reading, services: ServicePlan) -> LoadTask:
    """Return the task, with `direct` set if its requests do not go through the gateway: to an application under test
    that no VirtualService names, or to an unknown host that is on this machine or in spec.allowHosts."""
    namespace = proxy_of(reading).namespace
    host = full_name(task.host, namespace)
    if host in services.applications():
        ruled = (
            full_name(name, each.namespace) for each in reading.resources.virtual_services for name in each.spec.hosts
        )
        return replace(task, direct=host not in ruled)
    known = any(covers(name, task.host.lower()) or name == "*" for name in known_hosts(reading, services))
    outside = not known and allowed(task.host, reading.experiment.spec.allow_hosts)
    return replace(task, direct=outside)


def _unknown(host: str, known: Iterable[str], namespace: str) -> str:
    """Return that nobody is called so, with the nearest name, and those that would do from this namespace."""
    known = list(dict.fromkeys(known))
    names, whole = _as_called_from(namespace, known), full_name(host, namespace)
    if whole in known:
        advice = "a service of this name in spec.services has the short name, too"
        return f"a rule has the host {host}, but there is no such service, so it is known only as {whole}; {advice}"
    said = f"no rule and no service is called {host}{suggestion(host, names)}; known: {', '.join(names[:8]) or 'none'}"
    return f"{said}. To send load beyond this machine, name the host in spec.allowHosts"


def _as_called_from(namespace: str, known: Sequence[str]) -> list[str]:
    """Return the shortest name of each host for a client in this namespace: `web`, `web.shop`, `api.example.com`."""
    services = [host for host in known if namespace_of(host) is not None]
    others = {alias for host in services for alias in aliases(host, namespace)} - set(services)
    called = ((host, _short(host, namespace) if host in services else host) for host in known if host not in others)
    return [short if short in known else host for host, short in called]


def _short(host: str, namespace: str) -> str:
    name, owner, _ = host.split(".", 2)
    return name if owner == namespace else f"{name}.{owner}"


def known_hosts(reading: Reading, services: ServicePlan) -> Iterator[str]:
    """Yield every host that the gateway knows: services and their aliases, hosts of VirtualServices, ServiceEntries."""
    proxy = proxy_of(reading)
    for place in services.places:
        yield from (name.lower() for name in aliases(place.host, proxy.namespace) if name)
    for resource in reading.resources.virtual_services:
        for host in resource.spec.hosts:
            yield host.lower() if is_wildcard(host) else full_name(host, resource.namespace)
            if proxy.is_gateway:
                yield host.lower()
    for entry in reading.resources.service_entries:
        yield from (host.lower() for host in entry.spec.hosts)
