"""A parsed expression: a measure, and the limit that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chaos.units import Unit, format_duration


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that can be measured. `phase` and `task` are None for all of them; `level` is a quantile's, in (0, 1);
    `argument` is the host or status in brackets; `unit` is the metric's."""

    metric: str
    phase: str | None = None
    task: str | None = None
    level: float = 0.0
    argument: str = ""
    unit: Unit = field(default="share", compare=False)

    def __str__(self) -> str:
        name = f"{self.metric}({self.argument})" if self.argument else self.metric
        return ".".join(part for part in (self.phase, self.task, name) if part)


@dataclass(frozen=True, slots=True)
class Expression:
    """The hypothesis that `left` is below or above `factor` times `right`; without `right`, below or above `limit` (a
    fraction, seconds or a plain number).

    With `within`, only requests count that come so many seconds after the phase began."""

    text: str
    left: Measure
    sense: Literal["below", "above"]
    limit: float
    right: Measure | None = None
    factor: float = 1.0
    within: float | None = None

    @property
    def phase(self) -> str | None:
        return self.left.phase

    @property
    def shown_limit(self) -> str:
        """The right side of the comparison, as users write it."""
        if self.right is not None:
            return f"{self.factor:g} * {self.right}" if self.factor != 1 else str(self.right)
        if self.left.unit == "share":
            return f"{self.limit * 100:g}%"
        return format_duration(self.limit) if self.left.unit == "seconds" else f"{self.limit:g}"
