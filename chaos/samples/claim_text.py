"""Parse a claim about a share: `abort 503 50% ± 2`, `checkout.delay 5s 10% +- 1`, `status(503) 50%`.

    claim  = what share [ ("±" | "+-" | "+/-") points ]
    what   = [ phase ":" ] [ task "." ] ( "abort" [ status ] | "delay" [ duration ] | a metric of an expression )
    share  = number "%"

Where counts come with the claim, `what` may be any words: nothing has to be found in samples."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chaos.claims.hypotheses.expression import parse_expression
from chaos.claims.hypotheses.measure import Measure
from chaos.claims.hypotheses.tokens import ExpressionError, quoting
from chaos.units import parse_duration

_CLAIM = re.compile(
    r"\s*(?P<what>.*?\S)\s+(?P<share>\d+\.?\d*|\.\d+)\s*%"
    r"\s*(?:(?:±|\+/-|\+-)\s*(?P<points>\d+\.?\d*|\.\d+)\s*(?:%|pp|points?)?\s*)?$"
)
_FAULT = re.compile(r"(?P<scope>(?:.*[:.])?\s*)(?P<kind>abort|delay)(?:ed)?(?:\s+(?P<argument>\S+))?$")
_LIKE = "write it like `abort 50% ± 2`"


class ClaimError(ValueError):
    """A claim that cannot be parsed."""


@dataclass(frozen=True, slots=True)
class ShareText:
    """A claim as it was written. `share` and `tolerance` (None: the run's) are fractions; `kind` is abort, delay or
    share; `status` is an abort's (0: any), `seconds` a delay's (0.0: any).

    `measure` says which requests are counted; None if `what` is words that only counts can stand for."""

    text: str
    what: str
    share: float
    tolerance: float | None
    kind: str = "share"
    status: int = 0
    seconds: float = 0.0
    measure: Measure | None = None


def parse_claim(text: str, *, counted: bool = False) -> ShareText:
    """Return the claim. With `counted`, its words may be any. Raises ClaimError."""
    match = _CLAIM.match(text)
    if match is None:
        raise ClaimError(f"{text!r} has no share; {_LIKE}" if "%" not in text else f"{text!r} is no claim; {_LIKE}")
    share, points = float(match["share"]) / 100, match["points"]
    if share > 1:
        raise ClaimError(f"{match['share']} % in {text!r} is not between 0 and 100")
    tolerance = None if points is None else float(points) / 100
    if tolerance is not None and not 0 < tolerance <= 0.5:
        raise ClaimError(f"a tolerance of {points} points in {text!r} is not between 0 and 50")
    what = match["what"]
    fault = _FAULT.match(what)
    if fault is not None:
        return _of_fault(text, what, share, tolerance, fault, counted)
    return ShareText(text, what, share, tolerance, measure=None if counted else _measure(what, text))


def _of_fault(
    text: str, what: str, share: float, tolerance: float | None, fault: re.Match[str], counted: bool
) -> ShareText:
    kind, argument = fault["kind"], fault["argument"] or ""
    status, seconds = 0, 0.0
    if kind == "abort" and argument:
        if not re.fullmatch(r"[1-5]\d\d", argument):
            raise ClaimError(f"{argument!r} in {text!r} is no status; write it like `abort 503 50%`")
        status = int(argument)
    elif argument:
        try:
            seconds = parse_duration(argument)
        except ValueError as error:
            raise ClaimError(f"{error}, in {text!r}") from None
    happened = "aborted" if kind == "abort" else "delayed"
    measure = None if counted and fault["scope"].strip() else _measure(f"{fault['scope']}{happened}", text)
    return ShareText(text, what, share, tolerance, kind, status, seconds, measure)


def _measure(what: str, text: str) -> Measure:
    """Return the measure that the words name, as an expression does. Raises ClaimError."""
    try:
        measure = parse_expression(f"{what} < 50%").left
    except ExpressionError as error:
        raise ClaimError(quoting(error.message, repr(text))) from None
    if measure.unit != "share" or measure.metric == "masked":
        raise ClaimError(f"{measure} is no share of the samples, in {text!r}")
    return measure
