"""What a run may have to do in a namespace, and the smallest Role that lets it.

The one table of verbs and resources: the preflight asks for each (SelfSubjectAccessReview), and `chaos export rbac`
prints them. Never a ClusterRole: a run has no business outside of its namespace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaos.engines.istio.marks import MANAGED_BY, MANAGER, Json

NAME = "chaos-run"


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource, and `why` a run needs it. A right to `patch` is needed by a run that writes
    VirtualServices: with `--patch`, or where a host has none."""

    verb: str
    group: str
    resource: str
    why: str
    patch: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


_NETWORKING = "networking.istio.io"

RIGHTS = (
    Right("get", _NETWORKING, "virtualservices", "compares the live rules with the file's"),
    Right("list", _NETWORKING, "virtualservices", "finds the VirtualService of each host"),
    Right("watch", _NETWORKING, "virtualservices", "ends the run when somebody changes them"),
    Right("list", "", "services", "finds hosts that no VirtualService has, and what wildcards stand for"),
    Right("list", _NETWORKING, "serviceentries", "finds hosts that are no Service's"),
    Right("list", _NETWORKING, "envoyfilters", "finds what other runs have there"),
    Right("watch", _NETWORKING, "envoyfilters", "ends the run when somebody takes them away"),
    Right("create", _NETWORKING, "envoyfilters", "puts the faults there"),
    Right("patch", _NETWORKING, "envoyfilters", "changes them with each phase"),
    Right("delete", _NETWORKING, "envoyfilters", "takes them away"),
    Right("create", "batch", "jobs", "makes the lease, with which the faults end"),
    Right("get", "batch", "jobs", "sees that the lease is there"),
    Right("list", "batch", "jobs", "finds what other runs left behind"),
    Right("patch", "batch", "jobs", "renews the lease"),
    Right("delete", "batch", "jobs", "ends the lease"),
    Right("create", _NETWORKING, "virtualservices", "gives a host without rules some of its own", patch=True),
    Right("patch", _NETWORKING, "virtualservices", "puts its routes in front, and takes them away", patch=True),
    Right("delete", _NETWORKING, "virtualservices", "takes those of its own away", patch=True),
)


def rights(*, patch: bool = False) -> tuple[Right, ...]:
    """Return what a run needs; with `patch` also to write VirtualServices."""
    return tuple(each for each in RIGHTS if patch or not each.patch)


def role(namespace: str, wanted: Iterable[Right]) -> Json:
    """Return the Role that gives these rights in a namespace."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in wanted:
        verbs.setdefault((right.group, right.resource), []).append(right.verb)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _metadata(namespace),
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": found}
            for (group, resource), found in verbs.items()
        ],
    }


def account(namespace: str) -> Json:
    """Return a ServiceAccount for runs."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(namespace)}


def binding(namespace: str) -> Json:
    """Return the RoleBinding that gives the Role to the ServiceAccount."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
    }


def _metadata(namespace: str) -> Json:
    return {"name": NAME, "namespace": namespace, "labels": {MANAGED_BY: MANAGER}}
