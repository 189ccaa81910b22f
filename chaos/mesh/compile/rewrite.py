"""How the path and Host change on the way upstream: prefix, whole path, or regex; never with care for slashes.

Source: istio translateRoute (which action a match leads to), Envoy RouteEntryImplBase::rewritePathHeader."""

from __future__ import annotations

from collections.abc import Callable

from chaos.mesh.compile.match import UriCondition
from chaos.mesh.model.virtual_service import HTTPRewrite
from chaos.mesh.regex import substitute

PathRewrite = Callable[[bytes], bytes]  # of a path without its query


def replace_matched(uri: UriCondition | None, text: str) -> PathRewrite:
    """The matched prefix is cut by its length and the text put in front; an exact or regex match replaces all of it.

    Without a uri match the prefix is `/`. So `/nosl` -> `/` turns `/nosl/x` into `//x`, and `/old` -> `/new` turns
    `/older` into `/newer`."""
    new = text.encode()
    if uri is not None and uri.kind != "prefix":
        return lambda path: new
    length = len(uri.octets) if uri else 1
    return lambda path: new + path[length:]


def compile_path_rewrite(rewrite: HTTPRewrite | None, uri: UriCondition | None) -> PathRewrite | None:
    """None when the path stays."""
    if rewrite is None:
        return None
    if rewrite.uri_regex_rewrite is not None:
        return substitute(rewrite.uri_regex_rewrite.match, rewrite.uri_regex_rewrite.rewrite)
    return replace_matched(uri, rewrite.uri) if rewrite.uri else None
