"""Find rewrites that make another path than they seem to: infos.

Slashes are never adjusted: what is written takes the place of the matched prefix, and of `/` where no uri is matched.
Source: Istio's translation of a rewrite, Envoy's prefix_rewrite."""

from __future__ import annotations

from chaos.mesh.check.cursor import At
from chaos.mesh.model.virtual_service import HTTPMatchRequest, HTTPRoute
from chaos.mesh.read.shape import Wording


def rewrite_pitfalls(at: At, route: HTTPRoute) -> None:
    """Report on one HTTPRoute; `at` points at it."""
    if route.rewrite is None or not route.rewrite.uri or at.into("match").unread:
        return
    here, new = at.into("rewrite", "uri"), route.rewrite.uri
    prefixes = [_prefix(match) for match in route.match] or ["/"]
    for prefix in dict.fromkeys(each for each in prefixes if each is not None):
        _slashes(here, prefix, new, matched=bool(route.match))


def _prefix(match: HTTPMatchRequest) -> str | None:
    """Return what is replaced; None for an exact path or a regex, where it is the whole path."""
    if match.uri is None:
        return "/"
    return match.uri.prefix


def _slashes(at: At, prefix: str, new: str, *, matched: bool) -> None:
    if not prefix.startswith("/"):
        return
    asked = prefix if prefix.endswith("/") else f"{prefix}/"
    made = new + f"{asked}x"[len(prefix) :]
    becomes = f"{asked}x becomes {made}"
    if prefix == new == "/":
        at.info("changes nothing: it puts / in the place of /", "no-effect")
    elif prefix.endswith("/") and not new.endswith("/"):
        why = f"the prefix {prefix} is replaced" if matched else "the rule has no match, so / is replaced"
        at.info(Wording(f"{why}: {becomes}; did you mean {new}/?", f"{new}/"), "rewrite-slash")
    elif new.endswith("/") and not prefix.endswith("/"):
        at.info(f"the prefix {prefix} is replaced: {becomes}; match {prefix}/ for a single slash", "rewrite-slash")
