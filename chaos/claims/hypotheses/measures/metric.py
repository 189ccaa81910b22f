"""The base class of measures: a name, a unit, and how it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from chaos.claims.finding import Finding
from chaos.claims.hypotheses.hypothesis import Hypothesis, Known
from chaos.units import Unit

Argument = Literal["", "status", "host"]


@dataclass(frozen=True, slots=True)
class Metric(ABC):
    """A metric. `name` is its name in expressions, `argument` what it needs in brackets, `level` a quantile's in
    (0, 1)."""

    name: str
    argument: Argument = ""
    level: float = 0.0

    unit: ClassVar[Unit] = "share"
    comparable: ClassVar[bool] = True
    """Whether it can be compared with another measure."""
    each_second: ClassVar[bool] = True
    """Whether it has a value per second, so that a safeguard can use it."""
    followed: ClassVar[bool] = False
    """Whether single requests have to be followed from user to fault."""
    kind: ClassVar[str] = "hypothesis"
    """The kind of its findings in journals and `result.json`."""

    @property
    def hidden(self) -> str:
        """Why the clients of a gateway that sends no tags and has no counters cannot see it; empty if they can."""
        return ""

    @abstractmethod
    def judge(self, finding: Finding, hypothesis: Hypothesis, known: Known) -> Finding:
        """Return the finding with estimate, interval, verdict and sentence as known so far."""
