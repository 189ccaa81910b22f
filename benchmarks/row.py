"""A row of the calibration's tables."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import binom


@dataclass(frozen=True)
class Row:
    """`wrong` of `runs` ended with a wrong verdict, where `most` is promised; None where nothing is."""

    what: str
    runs: int
    wrong: int
    most: float | None
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the promise holds, up to what chance explains once in a million."""
        return self.most is None or self.wrong <= binom.isf(1e-6, self.runs, self.most)

    def __str__(self) -> str:
        promise = "" if self.most is None else f"{self.most * 100:g} %"
        return f"| {self.what} | {self.runs:,} | {self.wrong / self.runs * 100:.2f} % | {promise} | {self.note} |"
