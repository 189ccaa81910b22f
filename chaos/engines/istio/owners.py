"""Who keeps a live object as it is: a controller that would undo a patch of ours, or be confused by it.

An object that Argo CD, Flux, Helm or a progressive delivery controller keeps is theirs: they compare it with what they
were told, and put it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MANAGERS = {
    "argocd-application-controller": "Argo CD",
    "argocd-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "flagger": "Flagger",
    "rollouts-controller": "Argo Rollouts",
}
"""Controllers by the name under which they write (`metadata.managedFields[].manager`)."""

SIGNS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
    "rollouts.argoproj.io/managed-by-rollouts": "Argo Rollouts",
}
"""Controllers by their labels and annotations."""


def owner_of(live: Mapping[str, Any]) -> str:
    """Return who keeps the object, with how that is known: `Argo CD (annotation argocd.argoproj.io/tracking-id)`.
    Empty if nobody is known to."""
    metadata = live.get("metadata") or {}
    for entry in metadata.get("managedFields") or ():
        manager = str(entry.get("manager", ""))
        for name, title in MANAGERS.items():
            if manager == name or manager.startswith(f"{name}-"):
                return f"{title} (field manager {manager})"
    for where in ("labels", "annotations"):
        for sign, title in SIGNS.items():
            if sign in (metadata.get(where) or {}):
                return f"{title} ({where[:-1]} {sign})"
    controller = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    if controller is not None:
        return f"{controller.get('kind')} {controller.get('name')} (its controller)"
    return ""


def last_writer(live: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> str:
    """Return the manager who wrote last, by its own account; empty if that is not known. Times are whole seconds: of
    several in one, only a comparison with the object as it was `before` tells who it was."""
    entries, known = _entries(live), _entries(before or {})
    changed = [each for each in entries if each not in known] or entries
    return str(max(changed, key=lambda each: str(each["time"])).get("manager", "")) if changed else ""


def _entries(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in (live.get("metadata") or {}).get("managedFields") or () if each.get("time")]
