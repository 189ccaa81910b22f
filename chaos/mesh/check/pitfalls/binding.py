"""Find VirtualServices that the gateway's proxy never sees: bound to other gateways, not exported to its namespace, or
not imported by its Sidecar.

The gateway plays a sidecar (`mesh`) in the namespace default unless an Experiment's `spec.proxy` says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import MESH, Proxy, exported, full_name, qualified
from chaos.mesh.resolve.sidecars import Imports
from chaos.mesh.source.document import Document

if TYPE_CHECKING:
    from chaos.mesh.model.sidecar import Sidecar


def proxy_played(documents: Iterable[Document]) -> Proxy:
    """Return the proxy of the first Experiment, by default a sidecar. Errors in the document are reported elsewhere."""
    for document in documents:
        value = document.value
        if isinstance(value, dict) and value.get("kind") == "Experiment":
            spec = value.get("spec")
            proxy = spec.get("proxy") if isinstance(spec, dict) else None
            given: dict[str, Any] = proxy if isinstance(proxy, dict) else {}
            labels = given.get("labels")
            written = {key: str(each) for key, each in labels.items()} if isinstance(labels, dict) else {}
            return Proxy(_text(given.get("gateway"), MESH), _text(given.get("namespace"), "default"), written)
    return Proxy()


def _text(value: Any, default: str) -> str:
    return value if isinstance(value, str) and value else default


def binding_pitfalls(
    at: At, service: Resource[VirtualService], proxy: Proxy, sidecar: Resource[Sidecar] | None
) -> None:
    """Report a VirtualService that the proxy, with this Sidecar, never sees; `at` points at its spec."""
    if not service.spec.hosts:
        return
    bound = [qualified(name, service.namespace) for name in service.spec.gateways] or [MESH]
    played = f"the Gateway {proxy.gateway_name}" if proxy.is_gateway else "a sidecar (mesh)"
    if proxy.gateway_name not in bound:
        other = next((name for name in bound if name != MESH), MESH)
        message = (
            f"not for {played}, which is what the gateway plays here; in an Experiment, spec.proxy.gateway: {other}"
        )
        (at.into("gateways") if service.spec.gateways else at).info(message, "not-bound")
    elif not exported(service.spec.export_to, service.namespace, proxy.namespace):
        message = f"not exported to the namespace {proxy.namespace}, in which the gateway plays {played}"
        at.into("exportTo").info(message, "not-exported")
    elif sidecar is not None and not _imported(service, proxy, sidecar):
        place = sidecar.locate(("spec", "egress"))
        at.into("hosts").info(f"not imported by {sidecar} ({place}), so it is not seen here", "not-imported")


def _imported(service: Resource[VirtualService], proxy: Proxy, sidecar: Resource[Sidecar]) -> bool:
    hosts = [full_name(host, service.namespace) for host in service.spec.hosts]
    return not sidecar.spec.egress or any(
        Imports.of(each.hosts, proxy.namespace).rules(hosts, service.namespace) for each in sidecar.spec.egress
    )
