"""Redirects and direct responses: the `location` header.

Source: istio applyRedirect / applyDirectResponse; Envoy RouteEntryImplBase::newUri and processRequestHost."""

from __future__ import annotations

import re
from collections.abc import Callable

from chaos.mesh.compile.match import UriCondition
from chaos.mesh.compile.rewrite import replace_matched
from chaos.mesh.decision import Request
from chaos.mesh.headers.proxy import ProxyHeaders
from chaos.mesh.model.virtual_service import HTTPRedirect

DEFAULT_CODE = 301
_DEFAULT_PORTS = {"http": 80, "https": 443}

_PORT_AT_END = re.compile(r":\d+$")
Locate = Callable[[Request, bytes, bytes], bytes]  # request, normalised path, `?query` or nothing


def compile_location(redirect: HTTPRedirect, uri: UriCondition | None, headers: ProxyHeaders, listener: int) -> Locate:
    """Return a function to the `location` of a redirect, which is always absolute."""
    scheme = redirect.scheme.encode()
    port = _port(redirect, listener)
    authority = redirect.authority.encode()
    path_of = _path(redirect, uri)

    def location(request: Request, path: bytes, query: bytes) -> bytes:
        to = scheme or headers.scheme(request)
        host = authority or _request_host(request, to, port, headers)
        return to + b"://" + host + port + path_of(path, query)

    return location


def own_location(headers: ProxyHeaders) -> Locate:
    """Return a function to the `location` that Envoy itself gives a direct response of 201 or 3xx: the request's own
    URL."""

    def location(request: Request, path: bytes, query: bytes) -> bytes:
        scheme = headers.scheme(request)
        return scheme + b"://" + _request_host(request, scheme, b"", headers) + path + query

    return location


def _port(redirect: HTTPRedirect, listener: int) -> bytes:
    """Return `:port` to set in the location, or b"".

    An authority's own port wins. The default port of the rule's scheme, or of http without one, is not set at all."""
    if _PORT_AT_END.search(redirect.authority):
        return b""
    if redirect.derive_port == "FROM_REQUEST_PORT":
        number = listener
    elif redirect.port is not None:
        number = redirect.port
    else:
        return b""  # FROM_PROTOCOL_DEFAULT too: Host's port stays
    if number == _DEFAULT_PORTS.get(redirect.scheme or "http"):
        return b""
    return b":%d" % number


def _path(redirect: HTTPRedirect, uri: UriCondition | None) -> Callable[[bytes, bytes], bytes]:
    if redirect.uri:
        fixed = redirect.uri.encode()
        if not fixed.startswith(b"/"):
            fixed = b"/" + fixed
        if b"?" in fixed:
            return lambda path, query: fixed
        return lambda path, query: fixed + query
    if redirect.prefix_rewrite:
        rewrite = replace_matched(uri, redirect.prefix_rewrite)
        return lambda path, query: _rooted(rewrite(path)) + query
    return lambda path, query: path + query


def _rooted(path: bytes) -> bytes:
    """Return the path with a slash in front; Envoy adds it where a prefix rewrite leaves none."""
    return path if path.startswith(b"/") else b"/" + path


def _request_host(request: Request, scheme: bytes, port: bytes, headers: ProxyHeaders) -> bytes:
    """Return Host as received, without its port if the redirect sets one, or if it is the default port of a scheme that
    the redirect changes."""
    authority = request.authority
    at = authority.rfind(b"]:") + 1 if authority.startswith(b"[") else authority.rfind(b":")
    if at <= 0:
        return authority
    came_by = headers.forwarded_proto(request)
    default = (came_by.lower(), authority[at:]) in ((b"http", b":80"), (b"https", b":443"))
    leaves_default = default and scheme != came_by  # compared with case, as Envoy does
    return authority[:at] if port or leaves_default else authority
