"""CORS of one rule: preflights that the proxy answers, and the headers that responses get.

Origins are compared case-sensitively and echoed, never answered with `*`; the requested method and headers are not
checked. Source: istio translateCORSPolicy, Envoy source/extensions/filters/http/cors/cors_filter.cc."""

from __future__ import annotations

from chaos.mesh.compile.match import is_presence, text_test
from chaos.mesh.decision import Headers, Reply, Request
from chaos.mesh.headers.local_reply import render
from chaos.mesh.headers.names import value_of
from chaos.mesh.model.virtual_service import CorsPolicy

_ORIGIN = b"access-control-allow-origin"
_CREDENTIALS = b"access-control-allow-credentials"
_METHODS = b"access-control-allow-methods"
_HEADERS = b"access-control-allow-headers"
_EXPOSE = b"access-control-expose-headers"
_MAX_AGE = b"access-control-max-age"


def compile_cors(policy: CorsPolicy | None, server: bytes) -> Cors | None:
    """Return the compiled policy; None without allowed origins, when it has no effect, unless it answers preflights of
    all others."""
    if policy is None:
        return None
    if not (policy.allow_origins or policy.allow_origin) and policy.unmatched_preflights != "IGNORE":
        return None
    return Cors(policy, server)


class Cors:
    """A compiled CORS policy."""

    def __init__(self, policy: CorsPolicy, server: bytes):
        self._server = server
        deprecated = [origin.encode() for origin in policy.allow_origin] if not policy.allow_origins else []
        matches = [match for match in policy.allow_origins if not is_presence(match)]
        self._any = b"*" in deprecated or any(match.exact == "*" for match in matches)
        self._tests = [origin.__eq__ for origin in deprecated] + [text_test(match) for match in matches]
        self._credentials = policy.allow_credentials is True
        self._methods = ",".join(policy.allow_methods).encode()
        self._headers = ",".join(policy.allow_headers).encode()
        self._expose = ",".join(policy.expose_headers).encode()
        self._max_age = b"" if policy.max_age is None else b"%d" % int(policy.max_age)
        self._answers_unmatched = policy.unmatched_preflights == "IGNORE"

    def allows(self, origin: bytes | None) -> bool:
        return bool(origin and (self._any or any(test(origin) for test in self._tests)))

    def preflight(self, request: Request) -> Reply | None:
        """Return the preflight response; None if the request is not a preflight or its origin is not allowed (it is
        then forwarded, unless the policy answers such requests)."""
        origin = value_of(request.headers, b"origin")
        method = value_of(request.headers, b"access-control-request-method")
        if not origin or not method:
            return None
        if self.allows(origin):
            return self._reply(request, method, [(_ORIGIN, origin)], expose=True)
        return self._reply(request, method, [], expose=False) if self._answers_unmatched else None

    def _reply(self, request: Request, method: bytes, headers: Headers, *, expose: bool) -> Reply:
        wanted = value_of(request.headers, b"access-control-request-headers") or b""
        if self._credentials:
            headers.append((_CREDENTIALS, b"true"))
        if self._methods:
            headers.append((_METHODS, method if self._methods == b"*" else self._methods))
        if self._headers:  # `*` echoes even nothing, as an empty header
            headers.append((_HEADERS, wanted if self._headers == b"*" else self._headers))
        if self._max_age:
            headers.append((_MAX_AGE, self._max_age))
        if self._expose and expose:
            headers.append((_EXPOSE, self._expose))
        return render(200, b"", headers, self._server)

    def answered(self, request: Request, headers: Headers) -> Headers:
        """Return the response headers of a request that is not a preflight; for an allowed origin the policy's headers
        replace upstream's."""
        origin = value_of(request.headers, b"origin")
        if origin is None or not self.allows(origin):
            return headers
        own = [(_ORIGIN, origin)]
        if self._credentials:
            own.append((_CREDENTIALS, b"true"))
        if self._expose:
            own.append((_EXPOSE, self._expose))
        names = {name for name, _ in own}
        return [pair for pair in headers if pair[0] not in names] + own
