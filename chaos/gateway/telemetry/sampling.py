"""Which requests a sampled access log has: by their ids, so that the logs of all hops have the same ones.

Which ids are taken is what Envoy's runtime filter of access logs says with a percentage as its default: the first eight
hexadecimal digits of the id, modulo the denominator, are below the numerator (UUIDRequestIDExtension::getInteger,
AccessLogFilter). An id that begins otherwise is taken by its CRC."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

_DENOMINATORS = (100, 10_000, 1_000_000)  # FractionalPercent's


@dataclass(frozen=True, slots=True)
class Sample:
    """`numerator` of `denominator` requests."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, percent: float) -> Sample | None:
        """Return the sample of so many percent, as exactly as Envoy can say it; None if that is all requests."""
        if percent >= 100:
            return None
        for denominator in _DENOMINATORS:
            numerator = percent * denominator / 100
            if math.isclose(numerator, round(numerator), abs_tol=1e-9):
                break
        return cls(round(numerator), denominator)

    def takes(self, request_id: bytes) -> bool:
        """Return whether a request with this id is among them."""
        try:
            number = int(request_id[:8], 16)
        except ValueError:
            number = zlib.crc32(request_id)
        return number % self.denominator < self.numerator
