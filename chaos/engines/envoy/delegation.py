"""A root VirtualService with its delegates merged in (MergeHTTPRoutes in pilot/pkg/model/virtualservice.go).

Works on the models alone: which delegate a rule refers to, and whether it may, is settled by the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.virtual_service import Delegate, HTTPMatchRequest, HTTPRoute

# What a delegate's rule takes over from the root's when it has none of its own, each as a whole.
_INHERITED = (
    "rewrite", "direct_response", "timeout", "retries", "fault", "mirror", "mirrors", "mirror_percent",
    "mirror_percentage", "cors_policy", "headers",
)  # fmt: skip


Find = Callable[[Delegate], Sequence[HTTPRoute] | None]


def with_delegates(rules: Sequence[HTTPRoute], find: Find) -> list[HTTPRoute]:
    """`find` gives a delegate's rules, or None when it is missing or not to be seen: that root rule is left out."""
    merged: list[HTTPRoute] = []
    for rule in rules:
        if rule.delegate is None:
            merged.append(rule)
            continue
        found = [_merge(rule, below) for below in find(rule.delegate) or ()]
        merged += [below for below in found if below is not None]
    return merged


def _merge(root: HTTPRoute, rule: HTTPRoute) -> HTTPRoute | None:
    matches = _merge_matches(root.match, rule.match)
    if matches is None:
        return None
    changes: dict[str, object] = {"match": matches, "name": _joined(root.name, rule.name)}
    for name in _INHERITED:
        if getattr(rule, name) in (None, ()):
            changes[name] = getattr(root, name)
    return rule.model_copy(update=changes)


def _merge_matches(
    root: tuple[HTTPMatchRequest, ...], below: tuple[HTTPMatchRequest, ...]
) -> tuple[HTTPMatchRequest, ...] | None:
    """Every pair that does not conflict; None when some entry of the delegate conflicts with all of the root's."""
    if not root or not below:
        return root or below
    merged: list[HTTPMatchRequest] = []
    for entry in below:
        pairs = [_merge_match(above, entry) for above in root if not _conflict(above, entry)]
        if not pairs:
            return None
        merged += pairs
    return tuple(merged)


def _merge_match(root: HTTPMatchRequest, entry: HTTPMatchRequest) -> HTTPMatchRequest:
    changes: dict[str, object] = {"name": _joined(root.name, entry.name)}
    for name in ("uri", "scheme", "method", "authority"):
        changes[name] = getattr(root, name) if getattr(entry, name) is None else getattr(entry, name)
    for name in ("headers", "without_headers", "query_params", "source_labels"):
        changes[name] = {**getattr(root, name), **getattr(entry, name)}
    for name in ("port", "source_namespace", "gateways", "stat_prefix"):
        changes[name] = getattr(entry, name) or getattr(root, name)
    return entry.model_copy(update=changes)


def _conflict(root: HTTPMatchRequest, entry: HTTPMatchRequest) -> bool:
    texts = [(getattr(root, name), getattr(entry, name)) for name in ("uri", "scheme", "method", "authority")]
    for name in ("headers", "without_headers", "query_params"):
        above = getattr(root, name)
        texts += [(above.get(key), match) for key, match in getattr(entry, name).items()]
    return (
        any(_texts_conflict(above, below) for above, below in texts)
        or root.ignore_uri_case != entry.ignore_uri_case
        or (root.port > 0 and entry.port > 0 and root.port != entry.port)
        or (root.source_namespace != "" and entry.source_namespace != root.source_namespace)
        or any(root.source_labels.get(key, value) != value for key, value in entry.source_labels.items())
        or _gateways_conflict(root.gateways, entry.gateways)
    )


def _texts_conflict(root: StringMatch | None, below: StringMatch | None) -> bool:
    """Whether `below` could match what `root` does not. Empty texts count as not given, as in Go."""
    if root is None or below is None:
        return False
    if root.exact and not root.regex and not below.regex:
        return bool(below.prefix) or (below.exact or "") != root.exact
    if root.prefix and not below.regex and (below.prefix or below.exact):
        return not (below.prefix or below.exact or "").startswith(root.prefix)
    return True


def _gateways_conflict(root: Sequence[str], below: Sequence[str]) -> bool:
    return bool(root) and bool(below) and (len(root) < len(below) or not set(below) <= set(root))


def _joined(root: str, below: str) -> str:
    return f"{root}-{below}" if root and below else root or below
