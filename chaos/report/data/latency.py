"""Latency distributions as arrays: densities on a log axis, quantiles with their bands, and mixtures of shifted
distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from chaos.protocol.histogram import HALF_BITS, Histogram

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """A distribution as weights on points of time: `at` in seconds, ascending; `weight` adds up to the number of
    requests that it stands for."""

    at: Floats
    weight: Floats

    @classmethod
    def of(cls, histogram: Histogram) -> Shape:
        """Return the middle of each bucket, weighted with its count. Vectorised, because a long run has ten thousand
        buckets."""
        number = np.fromiter(histogram.counts.keys(), dtype=np.int64)
        weight = np.fromiter(histogram.counts.values(), dtype=float)
        order = np.argsort(number)
        shift = np.maximum((number >> HALF_BITS) - 1, 0)
        low = (number - (shift << HALF_BITS)) << shift
        return cls(((low + np.left_shift(1, shift) / 2) / 1e6)[order], weight[order])

    @property
    def total(self) -> float:
        return float(self.weight.sum())

    def moved(self, seconds: float, total: float) -> Shape:
        """Return the same distribution, later by `seconds`, scaled to `total`."""
        scale = total / self.total if self.total else 0.0
        return Shape(self.at + seconds, self.weight * scale)


def mix(shapes: Sequence[Shape]) -> Shape:
    """Return the sum of the distributions. Equal moments are not merged, which nothing here needs."""
    at = np.concatenate([shape.at for shape in shapes]) if shapes else np.empty(0)
    weight = np.concatenate([shape.weight for shape in shapes]) if shapes else np.empty(0)
    order = np.argsort(at, kind="stable")
    return Shape(at[order], weight[order])


def log_edges(shapes: Sequence[Shape], bins: int) -> Floats:
    """Return the edges of `bins` bins, equally wide on a log axis, around all points, with a twentieth of a decade of
    room on either side."""
    low = min(float(shape.at[0]) for shape in shapes)
    high = max(float(shape.at[-1]) for shape in shapes)
    return np.logspace(np.log10(max(low, 1e-6)) - 0.05, np.log10(max(high, 1e-6)) + 0.05, bins + 1)


def binned(shape: Shape, edges: Floats) -> Floats:
    """Return the weight that falls into each bin."""
    return np.histogram(shape.at, bins=edges, weights=shape.weight)[0].astype(float)


def quantiles(shape: Shape, fractions: Floats) -> Floats:
    """Return the seconds at each fraction (nearest rank)."""
    running = np.cumsum(shape.weight)
    index = np.searchsorted(running, fractions * running[-1] * (1 - 1e-12))
    found: Floats = shape.at[np.minimum(index, len(shape.at) - 1)]
    return found


def quantile_band(shape: Shape, fractions: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return two bounds, in seconds, between which each true quantile lies with that confidence, pointwise.

    They are order statistics, whose ranks are binomial (normal approximation; clipped to the sample's ends)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    reach = z * np.sqrt(fractions * (1 - fractions) / shape.total)
    return quantiles(shape, np.clip(fractions - reach, 0, 1)), quantiles(shape, np.clip(fractions + reach, 0, 1))
