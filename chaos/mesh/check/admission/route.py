"""Admission checks of an HTTPRoute: which fields exclude each other, destinations, timeouts and retries.

What a route does instead of forwarding is in `actions.py`, its conditions in `match.py`. Source: istio
pkg/config/validation/virtualservice.go, validateHTTPRoute; agent/validation.go, ValidateHTTPRetry."""

from __future__ import annotations

from chaos.mesh.check.admission import values
from chaos.mesh.check.admission.actions import (
    validate_cors,
    validate_direct_response,
    validate_fault,
    validate_redirect,
    validate_rewrite,
)
from chaos.mesh.check.admission.headers import validate_authority_once, validate_headers
from chaos.mesh.check.admission.match import validate_match
from chaos.mesh.check.cursor import At
from chaos.mesh.model.message import Destination
from chaos.mesh.model.virtual_service import HTTPRetry, HTTPRoute, HTTPRouteDestination, RouteDestination
from chaos.mesh.read.shape import Wording, shown, suggestion
from chaos.mesh.upstream.retry import status_of

RETRY_ON = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
]


def validate_route(at: At, route: HTTPRoute, *, delegate: bool) -> None:
    _together(at, route, delegate)
    for index, match in enumerate(route.match):
        validate_match(at.into("match", index), match)
    validate_headers(at.into("headers"), route.headers)
    validate_cors(at.into("corsPolicy"), route.cors_policy)
    validate_fault(at.into("fault"), route.fault)
    _mirrors(at, route)
    validate_redirect(at.into("redirect"), route.redirect, route.match)
    validate_direct_response(at.into("directResponse"), route.direct_response)
    _retries(at.into("retries"), route.retries)
    validate_rewrite(at.into("rewrite"), route.rewrite)
    validate_authority_once(at, route.rewrite, route.headers)
    _destinations(at.into("route"), route.route)
    if route.timeout is not None:
        at.into("timeout").unless(values.duration(route.timeout))


def _together(at: At, route: HTTPRoute, delegate: bool) -> None:
    """Check which actions exclude each other. A route that delegates has rules of its own."""
    if route.delegate is not None and not delegate:
        for field in ("redirect", "route"):
            if getattr(route, field):
                at.into(field).error("a rule that delegates cannot have it; the delegate decides")
        return
    if route.delegate is not None:
        at.into("delegate").error("a delegate (a VirtualService without hosts) cannot delegate further")
    if route.redirect is not None:
        _without(at, route, "redirect", "route", "fault", "rewrite", "directResponse")
    elif route.direct_response is not None:
        _without(at, route, "directResponse", "route", "fault", "rewrite")
    elif not route.route:
        at.error("nothing to do: a rule needs one of route, redirect, directResponse and delegate")
    if route.mirror is not None and route.mirrors:
        at.into("mirrors").error("mirror and mirrors cannot be used together; move the mirror into the list")


def _without(at: At, route: HTTPRoute, action: str, *others: str) -> None:
    given = {
        "route": route.route,
        "fault": route.fault,
        "rewrite": route.rewrite,
        "directResponse": route.direct_response,
    }
    for other in others:
        if given[other]:
            at.into(other).error(f"cannot be used with {action} in one rule")


def _mirrors(at: At, route: HTTPRoute) -> None:
    if route.mirror_percent is not None:
        at.into("mirrorPercent").unless(values.share(route.mirror_percent))
        instead = f"mirrorPercentage: {{value: {route.mirror_percent}}}"
        at.into("mirrorPercent").warn(Wording(f"deprecated; write {instead}", instead))
    if route.mirror_percentage is not None:
        at.into("mirrorPercentage", "value").unless(values.share(route.mirror_percentage.value))
    if route.mirror is not None:
        validate_destination(at.into("mirror"), route.mirror)
    for index, mirror in enumerate(route.mirrors):
        validate_destination(at.into("mirrors", index, "destination"), mirror.destination)
        if mirror.percentage is not None:
            at.into("mirrors", index, "percentage", "value").unless(values.share(mirror.percentage.value))


def _destinations(at: At, destinations: tuple[HTTPRouteDestination, ...]) -> None:
    for index, destination in enumerate(destinations):
        validate_headers(at.into(index, "headers"), destination.headers)
    validate_destinations(at, destinations)


def validate_destinations(at: At, destinations: tuple[HTTPRouteDestination | RouteDestination, ...]) -> None:
    for index, destination in enumerate(destinations):
        validate_destination(at.into(index, "destination"), destination.destination)
        if destination.weight < 0:
            at.into(index, "weight").error(f"{destination.weight} is less than 0")
    if len(destinations) > 1 and sum(destination.weight for destination in destinations) == 0:
        at.error(
            f"the weights of {len(destinations)} destinations sum to 0 (an absent weight is 0); give each its share"
        )


def validate_destination(at: At, destination: Destination) -> None:
    if destination.host == "*":
        at.into("host").error("`*` is not a destination; name a service")
    else:
        at.into("host").unless(values.wildcard_domain(destination.host))
    if destination.subset and not values.is_label(destination.subset):
        at.into("subset").error(f"{shown(destination.subset)} is not a subset name; use letters, digits and -")
    if destination.port is not None:
        at.into("port", "number").unless(values.port(destination.port.number))


def _retries(at: At, retries: HTTPRetry | None) -> None:
    if retries is None:
        return
    if retries.attempts < 0:
        at.into("attempts").error(f"{retries.attempts} is less than 0")
    if retries.attempts == 0:
        for attribute, field in (
            ("per_try_timeout", "perTryTimeout"),
            ("retry_on", "retryOn"),
            ("retry_remote_localities", "retryRemoteLocalities"),
        ):
            if getattr(retries, attribute) not in (None, ""):
                at.into(field).error("has no meaning with 0 attempts (no retries); set attempts, or leave it out")
    if retries.per_try_timeout is not None:
        at.into("perTryTimeout").unless(values.duration(retries.per_try_timeout))
    if retries.backoff is not None:
        at.into("backoff").unless(values.duration(retries.backoff))
    for word in retries.retry_on.split(",") if retries.retry_on else ():
        at.into("retryOn").unless(_retry_word(word))


def _retry_word(word: str) -> str | Wording | None:
    if word in RETRY_ON or status_of(word) is not None:
        return None
    if word != word.strip():
        return f"{shown(word)} has a space; separate the words by commas alone, like 5xx,reset,503"
    if not word:
        return "an empty word; separate the words by single commas, like 5xx,reset,503"
    if _is_number(word):
        return f"{word} is not an HTTP status with a reason phrase, and Istio accepts no other"
    return suggestion(word, RETRY_ON).after(f"{shown(word)} is not known to retryOn")


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 9
