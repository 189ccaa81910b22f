"""Delegation: replace a root's rule by the rules of its delegate, with matches and defaults merged.

Source: istio mergeVirtualServicesIfNeeded, mergeHTTPRoutes, hasConflict (pilot/pkg/model/virtualservice.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from chaos.errors import Location, Problem
from chaos.mesh.decision import Rule
from chaos.mesh.model.message import Destination, StringMatch
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import HTTPMatchRequest, HTTPRoute, VirtualService
from chaos.mesh.names import exported, full_name, qualified
from chaos.mesh.source.document import one_line

VirtualServices = Mapping[tuple[str, str], Resource[VirtualService]]

# Fields that a delegate's rule inherits from the root's when it lacks them, each as a whole. Not redirect, not route.
_INHERITED = (
    "rewrite", "direct_response", "timeout", "retries", "fault", "mirror", "mirrors", "mirror_percent",
    "mirror_percentage", "cors_policy", "headers",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveRule:
    """An HTTPRoute as it counts, a delegate's merged with its root's.

    `namespace` completes short destinations; `entries` has the location of each match entry."""

    rule: Rule
    route: HTTPRoute
    namespace: str
    virtual_service: Resource[VirtualService]
    entries: tuple[Location, ...] = ()


def effective_rules(
    root: Resource[VirtualService], known: VirtualServices
) -> tuple[list[EffectiveRule], list[Problem]]:
    """Return the HTTP rules of a VirtualService in order, and the problems.

    A rule whose delegate is missing or hidden is skipped, with a problem."""
    rules: list[EffectiveRule] = []
    problems: list[Problem] = []
    for index, route in enumerate(root.spec.http):
        if route.delegate is None:
            rules.append(_own(root, index, route))
            continue
        delegate = known.get((route.delegate.namespace or root.namespace, route.delegate.name))
        trouble = _unusable(route, delegate, root)
        if delegate is None or trouble:
            path = ("spec", "http", index, "delegate")
            problems.append(Problem(root.locate(path), root.path(path), trouble, "warning", "delegate"))
            continue
        for inner, below in enumerate(delegate.spec.http):
            merged = _delegated(root, index, route, delegate, inner, below)
            if merged is None:
                problems.append(_dropped(root, delegate, inner))
            else:
                rules.append(merged)
    return rules, problems


def _dropped(root: Resource[VirtualService], delegate: Resource[VirtualService], inner: int) -> Problem:
    path = ("spec", "http", inner)
    text = f"never used below {root.namespace}/{root.name}: a match entry conflicts with all of the root's rule"
    return Problem(delegate.locate(path), delegate.path(path), text, "warning", "delegate")


def _unusable(route: HTTPRoute, delegate: Resource[VirtualService] | None, root: Resource[VirtualService]) -> str:
    assert route.delegate is not None
    name = f"{route.delegate.namespace or root.namespace}/{route.delegate.name}"
    if delegate is None:
        return f"no VirtualService {name}; the rule is skipped"
    if delegate.spec.hosts:
        return f"{name} has hosts and cannot be a delegate; the rule is skipped"
    if not exported(delegate.spec.export_to, delegate.namespace, root.namespace):
        return f"{name} is not exported to namespace {root.namespace}; the rule is skipped"
    return ""


def _own(root: Resource[VirtualService], index: int, route: HTTPRoute) -> EffectiveRule:
    rule = Rule(
        f"virtualservice/{root.namespace}/{root.name}/{index}",
        shown_name(route.name) or f"{root.name}[{index}]",
        root.locate(("spec", "http", index)),
    )
    return EffectiveRule(rule, route, root.namespace, root, _places(root, index, route))


LONGEST_NAME = 200


def shown_name(name: str) -> str:
    """Return a rule's name for tags, tables and terminals: control characters spelt out, and cut at LONGEST_NAME
    characters, followed by a digest of the whole that tells it from others."""
    text = one_line(name)
    if len(text) <= LONGEST_NAME:
        return text
    return f"{text[:LONGEST_NAME]}…{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"


def _places(owner: Resource[VirtualService], index: int, route: HTTPRoute) -> tuple[Location, ...]:
    return tuple(owner.locate(("spec", "http", index, "match", entry)) for entry in range(len(route.match)))


def _delegated(
    root: Resource[VirtualService],
    index: int,
    above: HTTPRoute,
    delegate: Resource[VirtualService],
    inner: int,
    below: HTTPRoute,
) -> EffectiveRule | None:
    """Return the delegate's rule merged with the root's; None when one of its entries conflicts with all of the
    root's."""
    if below.delegate is not None:
        return None  # one level only; validation refuses it
    matches = _merge_matches(_placed(root, index, above), _placed(delegate, inner, below))
    if matches is None:
        return None
    above = _resolved(above, root.namespace)
    inherited = {name: getattr(above, name) for name in _INHERITED if getattr(below, name) in (None, ())}
    name = "-".join(part for part in (above.name, below.name) if part)
    route = below.model_copy(update={**inherited, "name": name, "match": tuple(match for match, _ in matches)})
    rule = Rule(
        f"virtualservice/{root.namespace}/{root.name}/{index}/{delegate.namespace}/{delegate.name}/{inner}",
        shown_name(name) or f"{delegate.name}[{inner}]",
        delegate.locate(("spec", "http", inner)),
    )
    return EffectiveRule(rule, route, delegate.namespace, delegate, tuple(place for _, place in matches))


Placed = list[tuple[HTTPMatchRequest, Location]]


def _placed(owner: Resource[VirtualService], index: int, route: HTTPRoute) -> Placed:
    """Return a rule's match entries and their locations; names of gateways are completed with the namespace of their
    own VirtualService."""
    entries = []
    for entry in route.match:
        gateways = tuple(qualified(gateway, owner.namespace) for gateway in entry.gateways)
        entries.append(entry.model_copy(update={"gateways": gateways}) if gateways else entry)
    return list(zip(entries, _places(owner, index, route), strict=True))


def _resolved(root: HTTPRoute, namespace: str) -> HTTPRoute:
    """Return the root's rule with its mirrors' hosts in full: they keep the root's namespace when a delegate inherits
    them."""
    mirrors = tuple(
        mirror.model_copy(update={"destination": _in_full(mirror.destination, namespace)}) for mirror in root.mirrors
    )
    mirror = _in_full(root.mirror, namespace) if root.mirror else None
    return root.model_copy(update={"mirror": mirror, "mirrors": mirrors})


def _in_full(destination: Destination, namespace: str) -> Destination:
    return destination.model_copy(update={"host": full_name(destination.host, namespace)})


def _merge_matches(root: Placed, delegate: Placed) -> Placed | None:
    """Merge each of the delegate's entries with each of the root's that it does not conflict with; None if one of them
    conflicts with all."""
    if not root:
        return delegate
    if not delegate:
        return root
    merged: Placed = []
    for below, place in delegate:
        pairs = [(_merge_entry(above, below), place) for above, _ in root if not has_conflict(above, below)]
        if not pairs:
            return None
        merged += pairs
    return merged


def _merge_entry(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> HTTPMatchRequest:
    """Merge two entries: maps are unions in which the delegate wins; other fields are the delegate's, or else the
    root's."""
    update: dict[str, object] = {"name": "-".join(part for part in (root.name, delegate.name) if part)}
    for name in ("headers", "without_headers", "query_params", "source_labels"):
        update[name] = {**getattr(root, name), **getattr(delegate, name)}
    for name in ("uri", "scheme", "method", "authority", "port", "gateways", "source_namespace", "ignore_uri_case"):
        update[name] = getattr(delegate, name) or getattr(root, name)
    return delegate.model_copy(update=update)


def has_conflict(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> bool:
    """Return whether the delegate's entry cannot lie within the root's."""
    texts = [(getattr(root, name), getattr(delegate, name)) for name in ("uri", "scheme", "method", "authority")]
    for name in ("headers", "without_headers", "query_params"):
        below: Mapping[str, StringMatch] = getattr(delegate, name)
        texts += [(getattr(root, name).get(key), match) for key, match in below.items()]
    return (
        any(_text_conflict(above, below) for above, below in texts)
        or root.ignore_uri_case != delegate.ignore_uri_case
        or bool(root.port and delegate.port and root.port != delegate.port)
        or bool(root.source_namespace and root.source_namespace != delegate.source_namespace)
        or any(root.source_labels.get(key, value) != value for key, value in delegate.source_labels.items())
        or bool(root.gateways and delegate.gateways and not set(delegate.gateways) <= set(root.gateways))
    )


def _text_conflict(root: StringMatch | None, delegate: StringMatch | None) -> bool:
    """Return whether two conditions on one field conflict.

    If both sides set the field, they do unless the delegate's text is inside the root's; a regex or a presence match
    always conflicts (stringMatchConflict)."""
    if root is None or delegate is None:
        return False
    if root.regex or delegate.regex:
        return True
    if root.exact:
        return bool(delegate.prefix) or delegate.exact != root.exact
    narrower = delegate.prefix or delegate.exact
    return not (root.prefix and narrower and narrower.startswith(root.prefix))
