"""Small values in the form of Envoy's JSON: durations and percentages."""

from __future__ import annotations

from decimal import Decimal

from chaos.engines.envoy.bootstrap import Message
from chaos.mesh.model.message import Percent


def duration(seconds: float) -> str:
    """Return a google.protobuf.Duration in JSON: seconds with up to nine decimals and an `s`."""
    text = format(Decimal(repr(seconds)).quantize(Decimal("1e-9")), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "s"


def per_million(percentage: Percent) -> Message:
    """Return a FractionalPercent. Istio truncates: `uint32(value * 10000)` parts per million
    (translatePercentToFractionalPercent)."""
    return {"numerator": int((percentage.value or 0.0) * 10000), "denominator": "MILLION"}
