"""Find a VirtualService's destinations, mirrors and delegates that do not exist: IST0101, IST0112.

Source: istio analyzers virtualservice/{destinationhosts,destinationrules}.go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from chaos.mesh.check.admission.values import covers
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import KnownServices
from chaos.mesh.model.message import Destination
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import TCPRoute, TLSRoute, VirtualService
from chaos.mesh.names import exported, full_name
from chaos.mesh.read.shape import Wording, suggestion

if TYPE_CHECKING:
    from chaos.mesh.model.destination_rule import DestinationRule

NOT_FOUND, PORT_NEEDED = "IST0101", "IST0112"


class Subsets:
    """The subset names of each host, from all DestinationRules; those of a wildcard host belong to every host it
    covers."""

    def __init__(self, rules: Iterable[Resource[DestinationRule]]):
        self.by_host: dict[str, list[str]] = {}
        self._unsure: set[str] = set()
        for rule in rules:
            if not rule.spec.host:  # it is missing
                continue
            if rule.gaps.meet(("spec", "subsets")):
                self._unsure.add(full_name(rule.spec.host, rule.namespace))
            names = self.by_host.setdefault(full_name(rule.spec.host, rule.namespace), [])
            names += [subset.name for subset in rule.spec.subsets]
        self._wide = [host for host in self.by_host if host.startswith("*")]

    def unsure(self, host: str) -> bool:
        """Return whether a rule for the host could not be read as far as its subsets go."""
        return any(covers(each, host) for each in self._unsure)

    def of(self, host: str) -> list[str]:
        wide = [name for each in self._wide if covers(each, host) for name in self.by_host[each]]
        return [*self.by_host.get(host, ()), *wide]


def analyze_destinations(
    at: At, service: Resource[VirtualService], resources: Resources, known: KnownServices, subsets: Subsets
) -> None:
    """Report on one VirtualService; `at` points at its spec."""
    for here, destination in _destinations(at, service.spec):
        if known:
            _host(here, destination, service.namespace, known)
        if destination.subset:
            _subset(here, destination, service.namespace, subsets)
    for index, route in enumerate(service.spec.http):
        if route.delegate is not None:
            _delegate(
                at.into("http", index, "delegate"), service, resources, route.delegate.name, route.delegate.namespace
            )


def _destinations(at: At, service: VirtualService) -> Iterator[tuple[At, Destination]]:
    for index, http in enumerate(service.http):
        here = at.into("http", index)
        for number, weighted in enumerate(http.route):
            yield here.into("route", number, "destination"), weighted.destination
        if http.mirror is not None:
            yield here.into("mirror"), http.mirror
        for number, mirror in enumerate(http.mirrors):
            yield here.into("mirrors", number, "destination"), mirror.destination
    plain: tuple[tuple[str, tuple[TLSRoute | TCPRoute, ...]], ...] = (("tls", service.tls), ("tcp", service.tcp))
    for kind, routes in plain:
        for index, route in enumerate(routes):
            for number, share in enumerate(route.route):
                yield at.into(kind, index, "route", number, "destination"), share.destination


def _host(at: At, destination: Destination, namespace: str, known: KnownServices) -> None:
    host = destination.host
    service = known.find(host, namespace)
    if service is None:
        message = unexported(host, namespace, known) or _meant(host, namespace, known).after(
            f"no service {host} is known"
        )
        at.into("host").error(message, NOT_FOUND)
    elif destination.port is None:
        if len(service.ports) > 1:
            ports = ", ".join(map(str, service.ports))
            at.into("host").error(
                f"{host} has several ports ({ports}); say which with port: {{number: ...}}", PORT_NEEDED
            )
    elif service.ports and destination.port.number not in service.ports:
        ports = ", ".join(map(str, service.ports))
        message = f"{host} has no port {destination.port.number}; it has {ports}"
        at.into("port", "number").error(message, NOT_FOUND)


def unexported(host: str, namespace: str, known: KnownServices) -> str | None:
    """Return the message for a service that exists, but not for this namespace; None for any other."""
    hidden = known.hidden(host, namespace)
    if hidden is None:
        return None
    reach = ", ".join({".": hidden.namespace, "~": "nobody"}.get(each, each) for each in hidden.export_to)
    return f"{host} belongs to the namespace {hidden.namespace} and is exported to {reach}, not to {namespace}"


def _meant(host: str, namespace: str, known: KnownServices) -> Wording:
    parts, names = host.split("."), known.names(namespace)
    otherwise = f"known are {_some(names)}" if names else ""
    if 1 < len(parts) < 5 and known.find(f"{parts[0]}.{parts[1]}.svc.cluster.local", namespace):
        name = f"{parts[0]}.{parts[1]}.svc.cluster.local"
        return Wording(f": a name with a dot is taken as it is; write {name}", name)
    if len(parts) == 1:
        elsewhere = [name for name in names if name.split(".")[0] == host and name.count(".") == 4]
        if elsewhere:
            return Wording(f" in the namespace {namespace}; did you mean {elsewhere[0]}?", elsewhere[0])
        return suggestion(host, {name.split(".")[0]: _short(name, namespace) for name in names}, otherwise)
    return suggestion(host, names, otherwise)


def _short(name: str, namespace: str) -> str:
    return name.removesuffix(f".{namespace}.svc.cluster.local")


def _some(names: list[str]) -> str:
    short = [name.removesuffix(".default.svc.cluster.local") for name in names]
    return ", ".join(short[:5]) + (", ..." if len(short) > 5 else "")


def _subset(at: At, destination: Destination, namespace: str, subsets: Subsets) -> None:
    host = full_name(destination.host, namespace)
    defined = subsets.of(host)
    if destination.subset in defined or subsets.unsure(host):
        return
    what = f"no DestinationRule for {destination.host} has a subset {destination.subset}"
    if not subsets.by_host:
        at.into("subset").info(f"{what} here; without one the response is 503", NOT_FOUND)
        return
    otherwise = f"it has {', '.join(defined)}" if defined else "the response will be 503"
    at.into("subset").error(suggestion(destination.subset, defined, otherwise).after(what), NOT_FOUND)


def _delegate(at: At, root: Resource[VirtualService], resources: Resources, name: str, namespace: str) -> None:
    """Report a root rule whose delegate cannot be used. Istio drops it without a warning."""
    wanted = namespace or root.namespace
    found = next((item for item in resources.virtual_services if (item.namespace, item.name) == (wanted, name)), None)
    if found is None:
        at.info(f"the delegate {wanted}/{name} is not here; without it this rule is left out", "delegate")
    elif found is root:
        at.info("a VirtualService cannot delegate to itself; this rule is left out", "delegate")
    elif found.spec.hosts:
        at.info(f"{wanted}/{name} has hosts, so it is not a delegate; this rule is left out", "delegate")
    elif not exported(found.spec.export_to, found.namespace, root.namespace):
        at.info(f"{wanted}/{name} is not exported to the namespace {root.namespace}; this rule is left out", "delegate")
