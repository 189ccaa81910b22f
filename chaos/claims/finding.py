"""A finding: one claim, the counts of both ledgers, and the verdict, as one plain record.

The journal stores findings, the terminal and the report show them, and other tools read them from `result.json`. Shares
are fractions in [0, 1] and times are seconds; percent signs appear only where a finding is printed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Literal

from chaos.units import Unit
from chaos.verify.verdict import Verdict

Sense = Literal["within", "below", "above"]
Ledger = Literal["configured", "drawn", "observed"]
"""configured: the rule; drawn: the gateway's counters; observed: the client's digests."""


@dataclass(frozen=True, slots=True)
class Tally:
    """`k` of `n` requests."""

    k: int
    n: int

    @property
    def share(self) -> float | None:
        """k / n; None if n is 0."""
        return self.k / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of one claim.

    `rule` is the rule's key in the gateway's counters (empty for a hypothesis), `where` is `file:line:column` or
    empty. `kind` is one of abort, delay, added-delay, destination, connections, mirror, redirect, direct-response,
    route, residual, no-route, lost, failures, hypothesis, masking, amplification, independence, drift, safeguard,
    search. `sense` says on which side of `configured` the claim lies: `within` is configured ± tolerance. `estimate`
    and `interval` belong to the observed ledger; an interval may be unbounded on a side (None). `unknown` requests
    had no response and no count by the gateway; the verdict holds whatever happened to them. `left` of the observed
    requests are known from the gateway alone, because their clients left first. `confidence` is the run's, `alpha`
    this finding's part of 1 - confidence. `needed` estimates how many more requests would decide an inconclusive
    finding. `cause` is a short word for what is wrong, empty if nothing is: dice, hidden, count, per-connection,
    per-task, by-turns, in-bursts, coupled, drift, drawn-twice, tagged-only, delay, routing, upstream, starved,
    traffic, lost, unseen."""

    id: str
    kind: str
    title: str
    verdict: Verdict
    sentence: str = ""
    rule: str = ""
    rule_name: str = ""
    where: str = ""
    phase: str = ""
    task: str = ""
    unit: Unit = "share"
    sense: Sense = "within"
    configured: float | None = None
    tolerance: float | None = None
    drawn: Tally | None = None
    observed: Tally | None = None
    unknown: int = 0
    left: int = 0
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    confidence: float = 0.99
    alpha: float = 0.01
    ledgers: tuple[Ledger, ...] = ()
    needed: int | None = None
    cause: str = ""

    @property
    def name(self) -> str:
        """Its rule or task, and its title: `web[0] abort 503`."""
        return f"{self.rule_name or self.task} {self.title}".strip()

    @property
    def open(self) -> bool:
        """Whether more requests may still decide it."""
        return not self.verdict.decided and self.verdict is not Verdict.NOT_JUDGED

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain values for JSON, which `from_dict` reads back."""
        return asdict(self) | {
            "verdict": self.verdict.value,
            "ledgers": list(self.ledgers),
            "interval": _pair(self.interval),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Finding:
        """Return the finding of a record written by this or a later version: unknown keys are ignored.

        Raises KeyError without id, kind, title or verdict, ValueError for an unknown verdict."""
        known = {field.name: record[field.name] for field in fields(cls) if field.name in record}
        for name in ("id", "kind", "title", "verdict"):
            known[name] = record[name]
        interval = record.get("interval")
        return cls(
            **known
            | {
                "verdict": Verdict(record["verdict"]),
                "drawn": _tally(record.get("drawn")),
                "observed": _tally(record.get("observed")),
                "interval": (interval[0], interval[1]) if interval else None,
                "ledgers": tuple(record.get("ledgers", ())),
            }
        )


def _tally(record: dict[str, int] | None) -> Tally | None:
    return Tally(record["k"], record["n"]) if record else None


def _pair(interval: tuple[float | None, float | None] | None) -> list[float | None] | None:
    """Return an interval's ends, None for one at infinity, which JSON cannot write."""
    return [end if end is not None and isfinite(end) else None for end in interval] if interval else None
