"""How the path changes on the way upstream: prefix, whole path, or regex; slashes are never adjusted.

Source: istio translateRoute (which action a match leads to), Envoy RouteEntryImplBase::rewritePathHeader."""

from __future__ import annotations

from collections.abc import Callable

from chaos.mesh.compile.match import UriCondition
from chaos.mesh.model.virtual_service import HTTPRewrite
from chaos.mesh.regex import substitute

PathRewrite = Callable[[bytes], bytes]  # of a path without its query


def replace_matched(uri: UriCondition | None, text: str) -> PathRewrite:
    """Return a rewrite that puts `text` in place of the matched prefix, or of the whole path for an exact or regex
    match.

    Without a uri match the prefix is `/`. So `/nosl` -> `/` turns `/nosl/x` into `//x`, and `/old` -> `/new` turns
    `/older` into `/newer`."""
    new = text.encode()
    if uri is not None and uri.kind != "prefix":
        return lambda path: new
    length = len(uri.octets) if uri else 1
    return lambda path: new + path[length:]


def compile_path_rewrite(rewrite: HTTPRewrite | None, uri: UriCondition | None) -> PathRewrite | None:
    """Return the rewrite of the path; None when it stays."""
    if rewrite is None:
        return None
    if rewrite.uri_regex_rewrite is not None:
        return substitute(rewrite.uri_regex_rewrite.match, rewrite.uri_regex_rewrite.rewrite)
    return replace_matched(uri, rewrite.uri) if rewrite.uri else None
