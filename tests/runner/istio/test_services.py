"""Which services of a mesh take the rules of a wildcard."""

from __future__ import annotations

from typing import Any

from chaos.runner.istio.services import Live


def rules(*hosts: str) -> dict[str, Any]:
    return {"metadata": {"name": hosts[0], "namespace": "shop"}, "spec": {"hosts": list(hosts)}}


def test_a_service_takes_the_rules_of_the_most_specific_host() -> None:
    services = frozenset((f"{name}.shop.example", 80) for name in ("a", "x.deep", "own", "*"))
    live = Live([rules("*.shop.example"), rules("*.deep.shop.example"), rules("own.shop.example")], services)
    assert live.served() == {
        "*.shop.example": {("a.shop.example", 80)},
        "*.deep.shop.example": {("x.deep.shop.example", 80)},
    }
    above = live.above("a.shop.example")
    assert above is not None and above["metadata"]["name"] == "*.shop.example" and live.above("web.example") is None
    assert live.is_service("A.shop.example") and not live.is_service("b.shop.example") and live.has("b.shop.example")
