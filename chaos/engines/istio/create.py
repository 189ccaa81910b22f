"""A VirtualService of the run's own, for a host that has none in the mesh: there are no routes then to lay faults over.

Its rules are the file's, each for the run's own requests alone. Everybody else's requests take its last route, which
leads to the host itself, as Istio's default route for a service does: with the port that they came to, the mesh's
retries, no timeout. It is seen in its namespace alone, and its owner is the lease (lease.py)."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.engines.istio.marks import HEADER, Json, Marks
from chaos.engines.istio.patch import Copied, copy_of, probe_of
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import MESH, is_wildcard

KIND = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}


def created(
    marks: Marks, owner: Json, part: str, host: str, routes: Sequence[Json], copied: Sequence[Copied], number: int,
    phase: str,
) -> Json:  # fmt: skip
    """Return the VirtualService of a host, a full name. `routes` are the file's, of which it has those that are
    `copied`; `number` and `phase` are those of the generation."""
    own = [copy_of(routes[each.index], marks, each, number, phase, index) for index, each in enumerate(copied)]
    return {
        **KIND,
        "metadata": marks.metadata(part, owner),
        "spec": {
            "hosts": [host],
            "exportTo": ["."],
            "http": [probe_of(marks, number), *own, _nothing(marks), _default(host)],
        },
    }


def obstacle(spec: VirtualService, namespace: str, host: str, where: str) -> str:
    """Return why the run cannot have a VirtualService of its own for a host, empty if it can. `namespace` is that of
    the file's VirtualService, `where` that of the run."""
    if is_wildcard(host):
        return "it is a wildcard, of which nobody else's requests have one default route"
    if any(gateway != MESH for gateway in spec.gateways):
        return "its rules are a Gateway's, which would then answer for this host to everybody"
    if namespace != where:
        return f"its rules belong to namespace {namespace}, and the run to {where}"
    return ""


def _nothing(marks: Marks) -> Json:
    """Return the route for requests of the run that no rule takes: 404, as without a route."""
    return {
        "name": marks.name("none"),
        "match": [{"headers": {HEADER: {"exact": marks.id}}}],
        "directResponse": {"status": 404},
    }


def _default(host: str) -> Json:
    return {"name": "default", "route": [{"destination": {"host": host}}]}
