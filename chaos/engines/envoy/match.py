"""HTTPMatchRequest as Envoy's RouteMatch (istio TranslateRouteMatch, pilot/pkg/networking/core/route/route.go).

Static selectors (port, source labels, gateways) are not here: they decide whether a match is translated at all."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.engines.envoy.bootstrap import Message
from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.virtual_service import HTTPMatchRequest


def route_match(match: HTTPMatchRequest | None) -> Message:
    """Return the match; for None the prefix `/`, which takes every request."""
    if match is None:
        return {"prefix": "/"}
    translated: Message = {**_path(match.uri), "case_sensitive": not match.ignore_uri_case}
    headers = header_matchers(match)
    if headers:
        translated["headers"] = headers
    if match.query_params:
        translated["query_parameters"] = [_named(name, value) for name, value in sorted(match.query_params.items())]
    return translated


def string_matcher(match: StringMatch) -> Message:
    """Return Envoy's StringMatcher. Not for a match that tests presence only."""
    if match.exact is not None:
        return {"exact": match.exact}
    if match.prefix is not None:
        return {"prefix": match.prefix}
    return {"safe_regex": {"regex": match.regex}}


def means_present(match: StringMatch | None) -> bool:
    """Return whether a match only tests presence: `{}`, null, and the regex `*`, which is not a valid regex."""
    if match is None or match.regex == "*":
        return True
    return match.exact is None and match.prefix is None and match.regex is None


def _path(uri: StringMatch | None) -> Message:
    if uri is None or (uri.exact is None and uri.prefix is None and uri.regex is None):
        return {"prefix": "/"}
    if uri.exact is not None:
        return {"path": uri.exact}
    if uri.prefix is not None:
        return {"prefix": uri.prefix}
    return {"safe_regex": {"regex": uri.regex}}


def header_matchers(match: HTTPMatchRequest) -> list[Message]:
    """Return the matchers of headers, method, authority and scheme."""
    wanted = [_named(name, value) for name, value in _pairs(match.headers)]
    unwanted = [_inverted(name, value) for name, value in _pairs(match.without_headers)]
    ordered = sorted(wanted + unwanted, key=lambda header: str(header["name"]))
    pseudo = ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme))
    return ordered + [_named(name, value) for name, value in pseudo if value is not None]


def _pairs(headers: Mapping[str, StringMatch | None] | None) -> list[tuple[str, StringMatch | None]]:
    return sorted((headers or {}).items())


def _named(name: str, match: StringMatch | None) -> Message:
    """Return a matcher of a header or query parameter."""
    if match is None or means_present(match):
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_matcher(match)}


def _inverted(name: str, match: StringMatch | None) -> Message:
    """Return the matcher of `withoutHeaders`: an absent header counts as the empty string, unless presence itself is
    tested."""
    matcher = {**_named(name, match), "invert_match": True}
    if not means_present(match):
        matcher["treat_missing_header_as_empty"] = True
    return matcher
