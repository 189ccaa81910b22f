"""Compare what a case of istio-config-validator expects with the rule that takes its request.

As there, each part that a case gives is compared with the same part of the rule: alike with `wantMatch: true`, each of
them different with false. Unlike there, requests are routed as Istio and Envoy route them, hosts are compared by what
they mean, and the weight of an only destination does not count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chaos.experiment.model_config_validator import ValidatorCase
from chaos.mesh.model.message import Message
from chaos.mesh.model.virtual_service import Delegate, HTTPRouteDestination
from chaos.mesh.names import full_name
from chaos.route_tests.answer import Answer, Difference


def differences(case: ValidatorCase, answer: Answer) -> Iterator[Difference]:
    """Yield each part that is not as it should be."""
    for part in case.asserted:
        wanted, came = getattr(case, part), _came(part, answer)
        if _alike(part, wanted, came, answer) != case.want_match:
            shown = _shown(wanted) if case.want_match else f"anything else than {_shown(wanted)}"
            yield Difference(part, shown, _came_shown(came, answer))


def _came(part: str, answer: Answer) -> Any:
    if answer.rule is None:
        return None
    if part == "delegate":
        return _delegate(answer.rule.rule.key)
    return getattr(answer.rule.route, part) or None


def _delegate(key: str) -> Delegate | None:
    """Return the delegate that a rule of this key belongs to, its namespace given."""
    parts = key.split("/")
    return Delegate(name=parts[5], namespace=parts[4]) if len(parts) > 5 else None


def _alike(part: str, wanted: Any, came: Any, answer: Answer) -> bool:
    if came is None or answer.rule is None:
        return False
    if part == "route":
        return _routes(wanted, answer.namespace) == _routes(came, answer.namespace)
    if part == "delegate":
        root = answer.rule.rule.key.split("/")[1]
        return (wanted.namespace or root, wanted.name) == (came.namespace, came.name)
    return bool(wanted == came)


def _routes(route: tuple[HTTPRouteDestination, ...], namespace: str) -> list[tuple[object, ...]]:
    return [
        (
            full_name(each.destination.host, namespace),
            each.destination.subset,
            each.destination.port.number if each.destination.port else 0,
            each.weight if len(route) > 1 else 0,
            each.headers,
        )
        for each in route
    ]


def _came_shown(came: Any, answer: Answer) -> str:
    if answer.rule is None:
        return f"no rule: {answer.end}"
    return f"{_shown(came) if came is not None else 'none'} of {answer.rule.rule.name}"


def _shown(value: Any) -> str:
    """Return a part of a rule on one line, as a VirtualService would have it."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.model_dump(by_alias=True, exclude_defaults=True) if isinstance(value, Message) else value
