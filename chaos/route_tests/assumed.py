"""What the files under test may lack, because it belongs to somebody else: a Gateway, a delegate, a service's ports.

Without it nothing would be routed, and there would be nothing to test. Each is noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from chaos.experiment.services import Place, ServicePlan
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.names import Proxy, full_name
from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents

_GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: "{name}", namespace: "{namespace}"}}
spec:
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ["*/*"]}}]
"""

_DELEGATE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: "{name}", namespace: "{namespace}"}}
spec:
  http: [{{directResponse: {{status: 503}}}}]
"""


def with_gateway(resources: Resources, proxy: Proxy) -> tuple[Resources, tuple[str, ...]]:
    """Return the resources with the proxy's Gateway, and a note if the files do not have it."""
    if not proxy.is_gateway or proxy.gateway_name in {f"{each.namespace}/{each.name}" for each in resources.gateways}:
        return resources, ()
    added = _read([_GATEWAY], [proxy.gateway_name])
    note = f"Gateway {proxy.gateway_name} is not in the files: taken as one with every host on port 80"
    return _joined(resources, added), (note,)


def with_delegates(resources: Resources) -> tuple[Resources, tuple[str, ...]]:
    """Return the resources with the delegates that rules name, and a note for each that the files do not have."""
    there = {(each.namespace, each.name) for each in resources.virtual_services}
    named = [
        (route.delegate.namespace or each.namespace, route.delegate.name)
        for each in resources.virtual_services
        for route in each.spec.http
        if route.delegate is not None
    ]
    missing = [f"{namespace}/{name}" for namespace, name in dict.fromkeys(named) if (namespace, name) not in there]
    notes = tuple(f"the delegate {each} is not in the files: taken as one that has every request" for each in missing)
    return _joined(resources, _read([_DELEGATE] * len(missing), missing)), notes


def with_ports(plan: ServicePlan, resources: Resources, ports: Iterable[int]) -> tuple[ServicePlan, tuple[str, ...]]:
    """Return the plan in which services that only the rules name have these ports, too, unless a file says which ports
    they have; and a note for each port."""
    if not plan.implied:
        return plan, ()
    told = {full_name(each.name, each.namespace) for each in resources.services} | _with_explicit_ports(resources)
    places = dict(plan.places)
    added = set()
    for place, instances in plan.places.items():
        for port in ports:
            if place.host not in told and Place(place.host, port) not in places:
                places[Place(place.host, port)] = instances
                added.add(port)
    notes = tuple(f"services whose ports no file has are taken to have port {port}, too" for port in sorted(added))
    return replace(plan, places=places), notes


def _with_explicit_ports(resources: Resources) -> set[str]:
    """Return the hosts of which a destination says the port."""
    return {
        full_name(each.destination.host, owner.namespace)
        for owner in resources.virtual_services
        for route in owner.spec.http
        for each in route.route
        if each.destination.port is not None
    }


def _read(templates: Sequence[str], names: Iterable[str]) -> list[Resource[Any]]:
    texts = []
    for template, name in zip(templates, names, strict=True):
        namespace, _, short = name.partition("/")
        texts.append(template.format(name=short, namespace=namespace))
    if not texts:
        return []
    read, problems = read_resources(read_documents("---\n".join(texts), "(not in the files)"))
    assert not problems, problems
    return list(read)


def _joined(resources: Resources, added: list[Resource[Any]]) -> Resources:
    return Resources.of([*resources, *resources.services, *resources.workloads, *added]) if added else resources
