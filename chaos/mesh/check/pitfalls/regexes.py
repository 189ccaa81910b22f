"""Find regexes that are written as in JavaScript, `/.../gi`: slashes and flags are part of the pattern here. Infos."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chaos.mesh.check.cursor import At
from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.virtual_service import HTTPMatchRequest, HTTPRoute
from chaos.mesh.read.shape import Wording

_LITERAL = re.compile(r"/(?P<inside>.+)/(?P<flags>[dgimsuvy]+)", re.DOTALL)


def regex_pitfalls(at: At, route: HTTPRoute) -> None:
    """Report on one HTTPRoute; `at` points at it."""
    for here, pattern, is_path in _patterns(at, route):
        found = _LITERAL.fullmatch(pattern)
        if found is None or (is_path and not _surely(found["inside"], found["flags"])):
            continue
        meant = ("(?i)" if "i" in found["flags"] else "") + found["inside"].replace(r"\/", "/")
        message = f"slashes and flags are part of a regex here, which must match the whole text; did you mean {meant}?"
        here.info(Wording(message, meant), "regex-literal")


def _surely(inside: str, flags: str) -> bool:
    """Return whether a pattern of a path is no path: `/api/i` may well be one."""
    return len(flags) > 1 or inside.startswith("^") or inside.endswith("$") or r"\/" in inside


def _patterns(at: At, route: HTTPRoute) -> Iterator[tuple[At, str, bool]]:
    for index, match in enumerate(route.match):
        yield from _of_match(at.into("match", index), match)
    regex = route.rewrite.uri_regex_rewrite if route.rewrite is not None else None
    if regex is not None:
        yield at.into("rewrite", "uriRegexRewrite", "match"), regex.match, True
    for index, origin in enumerate(route.cors_policy.allow_origins if route.cors_policy is not None else ()):
        if origin.regex:
            yield at.into("corsPolicy", "allowOrigins", index, "regex"), origin.regex, False


def _of_match(at: At, match: HTTPMatchRequest) -> Iterator[tuple[At, str, bool]]:
    single = {"uri": match.uri, "scheme": match.scheme, "method": match.method, "authority": match.authority}
    for field, condition in single.items():
        if condition is not None and condition.regex:
            yield at.into(field, "regex"), condition.regex, field == "uri"
    several: dict[str, Mapping[str, StringMatch]] = {
        "headers": match.headers,
        "withoutHeaders": match.without_headers,
        "queryParams": match.query_params,
    }
    for field, conditions in several.items():
        for name, condition in conditions.items():
            if condition.regex:
                yield at.into(field, name, "regex"), condition.regex, False
