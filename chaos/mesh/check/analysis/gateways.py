"""Check the Gateways that a VirtualService names: that they exist and admit its hosts (IST0101, IST0132).

Source: istio analyzers virtualservice/gateways.go."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from chaos.mesh.check.admission.values import overlap
from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.names import MESH, qualified
from chaos.mesh.read.shape import Wording, suggestion

if TYPE_CHECKING:
    from chaos.mesh.model.gateway import Gateway
    from chaos.mesh.model.virtual_service import VirtualService

NOT_FOUND, HOST_NOT_ADMITTED = "IST0101", "IST0132"


def analyze_gateways(at: At, service: Resource[VirtualService], resources: Resources) -> None:
    """Report on one VirtualService; `at` points at its spec."""
    gateways = {f"{gateway.namespace}/{gateway.name}": gateway for gateway in resources.gateways}
    for index, name in enumerate(service.spec.gateways):
        if name == MESH:
            continue
        here, wanted = at.into("gateways", index), qualified(name, service.namespace)
        if wanted not in gateways:
            _unknown(here, wanted, gateways)
            if service.spec.hosts and not at.into("hosts").unread:
                here.warn(f"no Gateway {wanted}, so none admits {', '.join(service.spec.hosts)}", HOST_NOT_ADMITTED)
        elif not _admits(gateways[wanted], service):
            hosts = ", ".join(host for server in gateways[wanted].spec.servers for host in server.hosts)
            message = f"the Gateway {wanted} admits {hosts or 'no host'}: none of {', '.join(service.spec.hosts)}"
            here.warn(message, HOST_NOT_ADMITTED)


def _unknown(here: At, wanted: str, known: Collection[str]) -> None:
    """Report an unknown Gateway.

    Istio's analyzer always calls it an error. Without any Gateway in the files it is a warning here: they are probably
    in another file, and a gateway on a laptop serves the rules without them."""
    if known:
        here.error(_meant(wanted, list(known)).after(f"no Gateway {wanted}"), NOT_FOUND)
    else:
        here.warn(f"the Gateway {wanted} is not here; its hosts and ports are not checked", NOT_FOUND)


def _meant(wanted: str, known: list[str]) -> Wording:
    """Return a suggestion: the Gateway whose name without namespace is nearest."""
    short = {name.rpartition("/")[2]: name for name in known}
    return suggestion(wanted.rpartition("/")[2], short, f"known are {', '.join(known)}")


def _admits(gateway: Resource[Gateway], service: Resource[VirtualService]) -> bool:
    if gateway.gaps.meet(("spec", "servers")) or service.gaps.meet(("spec", "hosts")):
        return True  # as far as can be known
    for server in gateway.spec.servers:
        for host in server.hosts:
            namespace, slash, name = host.rpartition("/")
            owner = gateway.namespace if namespace == "." else namespace
            if slash and owner not in ("*", service.namespace):
                continue
            if any(overlap(name, wanted) for wanted in service.spec.hosts):
                return True
    return not service.spec.hosts
