"""Admission checks of a rule's fault, redirect, direct response, rewrite and CORS policy.

Source: istio pkg/config/validation/validation.go; oneOf of the API server's schema."""

from __future__ import annotations

import base64
import binascii

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.match import only_one
from chaos.mesh.check.cursor import At
from chaos.mesh.model.virtual_service import (
    REDIRECT_CODES,
    Abort,
    CorsPolicy,
    Delay,
    HTTPDirectResponse,
    HTTPFaultInjection,
    HTTPMatchRequest,
    HTTPRedirect,
    HTTPRewrite,
)
from chaos.mesh.read.shape import Wording, shown, suggestion
from chaos.statuses import CODES

_GRPC_STATUS = list(CODES)
_CORS_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"]
_CODES = f"{', '.join(map(str, REDIRECT_CODES[:-1]))} or {REDIRECT_CODES[-1]}"
_REFUSES_ALL = "it would refuse every rule of this listener, those of other hosts too; Istio's admission accepts it"
_LARGE_BODY, _MAX_BODY = 100 * 1024, 1024 * 1024


def validate_fault(at: At, fault: HTTPFaultInjection | None) -> None:
    if fault is None:
        return
    if not any(fault.given()):
        at.error("a fault needs a delay, an abort or both")
    for kind, part in fault.given():
        if part.percentage is not None:
            at.into(kind, "percentage", "value").unless(values.percentage(part.percentage.value))
    if fault.abort is not None:
        _abort(at.into("abort"), fault.abort)
    if fault.delay is not None:
        _delay(at.into("delay"), fault.delay)


def _abort(at: At, abort: Abort) -> None:
    only_one(at, abort, "http_status", "grpc_status", "http2_error")
    if abort.http_status is not None:
        _status(at.into("httpStatus"), abort.http_status)
    elif abort.grpc_status is not None:
        at.into("grpcStatus").unless(_grpc_status(abort.grpc_status))
    elif abort.http2_error is not None:
        at.into("http2Error").error("Istio does not implement it; use httpStatus or grpcStatus")
    else:
        at.info("an abort without httpStatus or grpcStatus is ignored", "no-effect")


def _status(at: At, status: int) -> None:
    if status == 600:
        # Istio's check is off by one, and Envoy's is not (`lt: 600` in its protos); tried with both.
        at.error(f"Envoy has no status 600: {_REFUSES_ALL}; use 200 to 599", "status")
    elif not 200 <= status <= 599:
        at.error(f"{status} is not an HTTP status for a response; use 200 to 599")


def _grpc_status(name: str) -> Wording | None:
    if name in _GRPC_STATUS:
        return None
    return suggestion(name, _GRPC_STATUS, "write it like UNAVAILABLE").after(f"{shown(name)} is not a gRPC status")


def _delay(at: At, delay: Delay) -> None:
    only_one(at, delay, "fixed_delay", "exponential_delay")
    if delay.exponential_delay is not None:
        at.into("exponentialDelay").error("Istio does not implement it; use fixedDelay")
    if delay.fixed_delay is not None:
        at.into("fixedDelay").unless(values.duration(delay.fixed_delay))


def validate_redirect(at: At, redirect: HTTPRedirect | None, matches: tuple[HTTPMatchRequest, ...]) -> None:
    if redirect is None:
        return
    only_one(at, redirect, "port", "derive_port")
    if redirect.uri and redirect.prefix_rewrite:
        at.into("prefixRewrite").error("uri and prefixRewrite cannot be used together")
    if redirect.prefix_rewrite and any(match.uri is not None and match.uri.prefix is None for match in matches):
        at.into("prefixRewrite").error("needs a prefix in every uri that the rule matches")
    location = (redirect.uri, redirect.prefix_rewrite, redirect.authority, redirect.scheme)
    if not any(location) and redirect.port is None and redirect.derive_port is None:
        at.error("redirects nowhere; give uri, prefixRewrite, authority, scheme or a port")
    code = redirect.redirect_code
    if code and not 300 <= code <= 399:
        at.into("redirectCode").error(f"{code} is not a redirect status; use {_CODES}")
    elif code and code not in REDIRECT_CODES:
        # Istio's admission accepts it, and istiod sends a route without an action; tried with both and Envoy 1.40.
        at.into("redirectCode").error(f"Envoy has no redirect {code}: {_REFUSES_ALL}; use {_CODES}", "redirect-code")
    if redirect.scheme not in ("", "http", "https"):
        at.into("scheme").error(f"{shown(redirect.scheme)} is refused; use http or https")
    if redirect.port:
        at.into("port").unless(values.port(redirect.port))


def validate_direct_response(at: At, response: HTTPDirectResponse | None) -> None:
    if response is None:
        return
    _status(at.into("status"), response.status)
    body = response.body
    if body is None:
        return
    only_one(at.into("body"), body, "string", "bytes")
    if body.bytes is not None and not _is_base64(body.bytes):
        at.into("body", "bytes").error("is not base64; write text under `string`", values.SCHEMA)
    if len(body.octets) > _MAX_BODY:
        at.into("body").error(f"{len(body.octets)} bytes are too many; the limit is 1 MiB")
    elif len(body.octets) > _LARGE_BODY:
        at.into("body").warn(f"{len(body.octets)} bytes are sent to every proxy; keep it under 100 kB")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def validate_rewrite(at: At, rewrite: HTTPRewrite | None) -> None:
    if rewrite is None:
        return
    regex = rewrite.uri_regex_rewrite
    if rewrite.uri and regex is not None:
        at.into("uriRegexRewrite").error("uri and uriRegexRewrite cannot be used together")
    if not rewrite.uri and not rewrite.authority and regex is None:
        at.error("changes nothing; give uri, uriRegexRewrite or authority")
    if regex is None:
        return
    if not regex.match or not regex.rewrite:
        at.into("uriRegexRewrite").error("needs both match and rewrite")
    else:
        at.into("uriRegexRewrite", "match").unless(values.regex(regex.match))


def validate_cors(at: At, policy: CorsPolicy | None) -> None:
    if policy is None:
        return
    for index, origin in enumerate(policy.allow_origins):
        only_one(at.into("allowOrigins", index), origin, "exact", "prefix", "regex")
        if not (origin.exact or origin.prefix or origin.regex):
            at.into("allowOrigins", index).error("an origin needs a text to compare with; exact: '*' allows any")
        elif origin.regex is not None:
            at.into("allowOrigins", index, "regex").unless(values.regex(origin.regex))
    for index, method in enumerate(policy.allow_methods):
        if method not in _CORS_METHODS:
            message, upper = f"{shown(method)} is not a method that CORS can allow", method.upper()
            meant = Wording(f"; write {upper}", upper) if upper in _CORS_METHODS else Wording("")
            at.into("allowMethods", index).error(meant.after(message))
    for field, names in (("allowHeaders", policy.allow_headers), ("exposeHeaders", policy.expose_headers)):
        for index, name in enumerate(names):
            at.into(field, index).unless(values.cors_header_name(name))
    if policy.max_age is not None:
        at.into("maxAge").unless(_max_age(policy.max_age))


def _max_age(seconds: float) -> str | Wording | None:
    if problem := values.duration(seconds):
        return problem
    return None if seconds == int(seconds) else "must be whole seconds"
