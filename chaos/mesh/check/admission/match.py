"""Admission checks of an HTTPRoute's match entries.

Source: istio pkg/config/validation/virtualservice.go, validateHTTPRouteMatchRequest; oneOf of the API server's
schema."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.mesh.check.admission import values
from chaos.mesh.check.cursor import At
from chaos.mesh.model.message import Message, StringMatch
from chaos.mesh.model.virtual_service import HTTPMatchRequest, L4MatchAttributes, TLSMatchAttributes
from chaos.mesh.read.shape import Wording, one_of, shown


def validate_match(at: At, match: HTTPMatchRequest) -> None:
    string_match(at.into("uri"), match.uri, empty_prefix=True)
    string_match(at.into("scheme"), match.scheme)
    string_match(at.into("method"), match.method)
    string_match(at.into("authority"), match.authority)
    _named(at.into("headers"), match.headers)
    _named(at.into("withoutHeaders"), match.without_headers, star=True)
    for name, condition in match.query_params.items():
        string_match(at.into("queryParams", name), condition)
    validate_selectors(at, match)


def _named(at: At, conditions: Mapping[str, StringMatch], star: bool = False) -> None:
    for name, condition in conditions.items():
        at.into(name).unless(values.matched_header_name(name))
        if not (star and condition.regex == "*"):  # Istio translates it to "absent"; it is not a regex
            string_match(at.into(name), condition)


def validate_selectors(at: At, match: HTTPMatchRequest | TLSMatchAttributes | L4MatchAttributes) -> None:
    """Check what all kinds of match have in common: port, sourceLabels, gateways, sourceNamespace."""
    if match.port:  # 0 is read as absent
        at.into("port").unless(values.port(match.port))
    for name, problem in values.labels(match.source_labels):
        at.into("sourceLabels", name).error(problem)
    gateways = at.into("gateways") if isinstance(match, TLSMatchAttributes) else at.quietly("gateways")
    validate_gateway_names(gateways, match.gateways)
    http = isinstance(match, HTTPMatchRequest)  # Istio looks at no other
    if http and match.source_namespace and not values.is_label(match.source_namespace):
        message = f"{shown(match.source_namespace)} is not a namespace; use letters, digits and -"
        at.into("sourceNamespace").error(message)


def validate_gateway_names(at: At, names: tuple[str, ...]) -> None:
    """Check names of Gateways, up to the first without a slash: Istio looks no further."""
    for index, name in enumerate(names):
        here = at.into(index)
        here.unless(values.gateway_name(name))
        if "/" in name:
            continue
        if "." in name:
            short, namespace, *_ = name.split(".")
            full = f"{namespace}/{short}"
            here.warn(Wording(f"{name} is the old way to name a Gateway; write {full}", full))
        return


def string_match(at: At, match: StringMatch | None, *, empty_prefix: bool = False) -> None:
    """Check a StringMatch: at most one of exact, prefix and regex; no empty prefix unless allowed; a regex that RE2
    accepts."""
    if match is None:
        return
    only_one(at, match, "exact", "prefix", "regex")
    if match.prefix == "" and not empty_prefix:
        at.into("prefix").error("an empty prefix is refused here; write {} to require any value")
    if match.regex is not None:
        at.into("regex").unless(values.regex(match.regex))


def only_one(at: At, message: Message, *names: str) -> None:
    """Check the API server's oneOf: at most one of these fields may be set."""
    given = [type(message).model_fields[name].alias or name for name in names if message.has(name)]
    if len(given) > 1:
        at.error(f"only one of {one_of(given)} can be set", "schema")
