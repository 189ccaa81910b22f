"""Check Sidecars: selectors that no pod has (IST0101), two for one workload (IST0110) or namespace (IST0111), and
egress hosts that import nothing.

Source: istio analyzers sidecar/selector.go. What is imported is ours: Istio says nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chaos.mesh.check.analysis.gateway_workloads import written
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import KnownService, KnownServices
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.sidecar import Sidecar
from chaos.mesh.names import CLUSTER_DOMAIN, ROOT_NAMESPACE
from chaos.mesh.read.shape import suggestion
from chaos.mesh.resolve.sidecars import Imports
from chaos.mesh.resolve.workloads import Workload, selected

NOT_FOUND, SAME_WORKLOAD, SAME_NAMESPACE = "IST0101", "IST0110", "IST0111"

Cursor = Callable[[Resource[Any]], At]


def analyze_sidecars(
    at: Cursor, sidecars: Sequence[Resource[Sidecar]], pods: Sequence[Workload], known: KnownServices
) -> None:
    """Report on all Sidecars together."""
    for sidecar in sidecars:
        labels = _labels(sidecar)
        if labels:
            _selector(at(sidecar).into("workloadSelector"), sidecar, sidecars, pods)
        else:
            _namespace(at(sidecar), sidecar, [each for each in sidecars if not _labels(each)])
        if known:
            _imports(at(sidecar).into("egress"), sidecar, known)


def _labels(sidecar: Resource[Sidecar]) -> dict[str, str]:
    selector = sidecar.spec.workload_selector
    return dict(selector.labels) if selector is not None else {}


def _selector(
    at: At, sidecar: Resource[Sidecar], sidecars: Sequence[Resource[Sidecar]], pods: Sequence[Workload]
) -> None:
    labels = _labels(sidecar)
    found = selected(pods, labels, sidecar.namespace)
    if pods and not found:
        at.error(f"no pod of {sidecar.namespace} here has the labels {written(labels)}", NOT_FOUND)
    for other in sidecars:
        theirs = _labels(other)
        if theirs and other is not sidecar and other.namespace == sidecar.namespace and selected(found, theirs):
            at.error(f"{other} selects some of the same pods; one Sidecar counts for a pod", SAME_WORKLOAD)


def _namespace(at: At, sidecar: Resource[Sidecar], others: Sequence[Resource[Sidecar]]) -> None:
    rivals = [str(each) for each in others if each is not sidecar and each.namespace == sidecar.namespace]
    if rivals:
        message = f"{', '.join(rivals)} has no selector either; only the oldest counts for the namespace"
        at.error(message, SAME_NAMESPACE)


def _imports(at: At, sidecar: Resource[Sidecar], known: KnownServices) -> None:
    """Report egress hosts that import none of the services here; each, or all together."""
    if sidecar.namespace == ROOT_NAMESPACE and any(
        host.startswith("./") for each in sidecar.spec.egress for host in each.hosts
    ):
        return  # it is read for each namespace that has no Sidecar of its own
    seen = known.seen_from(sidecar.namespace)
    every = [host for each in sidecar.spec.egress for host in each.hosts]
    if every and seen and not _takes(every, sidecar.namespace, seen):
        at.warn(_nothing(sidecar.namespace, seen), "hides-all")
        return
    for index, each in enumerate(sidecar.spec.egress):
        for number, host in enumerate(each.hosts):
            name = host.partition("/")[2]
            if name not in ("", "*") and not host.startswith("~") and not _takes([host], sidecar.namespace, seen):
                hint = suggestion(name, known.names(sidecar.namespace))
                at.into(index, "hosts", number).info(
                    hint.after(f"{host} imports none of the services here"), "no-effect"
                )


def _takes(hosts: Sequence[str], namespace: str, seen: Sequence[KnownService]) -> bool:
    imports = Imports.of(hosts, namespace)
    return any(imports.service(each.host, each.namespace) for each in seen)


def _nothing(namespace: str, seen: Sequence[KnownService]) -> str:
    owners = list(dict.fromkeys(each.namespace for each in seen))
    names = [each.host.removesuffix(f".{CLUSTER_DOMAIN}") for each in seen]
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    right = " or ".join("./*" if owner == namespace else f"{owner}/*" for owner in owners[:3])
    return f"hides every service here ({listed}) from its workloads; to see them write {right}"
