"""Parse the expressions of `spec.verify.expect`, safeguards and searches: `recovery: p99 < 200ms within 5s`.

    expression  = [ phase ":" ] measure ( "<" | "<=" | ">" | ">=" ) limit [ "within" duration ]
    limit       = value | [ number "*" ] measure
    measure     = [ phase "." ] [ task "." ] metric            names with spaces are quoted: "GET /cart".p95
    metric      = failures | errors | successes | aborted | delayed | status "(" 503 | 5xx | UNAVAILABLE ")"
                | median | p50 ... p99.99 | masked "(" host ")" | amplification "(" host ")"

A text that cannot be parsed raises ExpressionError, which marks the place with a caret and suggests the nearest name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chaos.claims.hypotheses.measure import Expression, Measure
from chaos.claims.hypotheses.measures import METRICS, QUANTILE, metric_of
from chaos.claims.hypotheses.measures.metric import Metric
from chaos.claims.hypotheses.tokens import ExpressionError, Token, listed, tokens, unknown
from chaos.statuses import CODES
from chaos.units import Unit, parse_duration

_WORDS: Mapping[Unit, str] = {
    "share": "a share; compare it with a percentage like 5%",
    "seconds": "a latency; compare it with a duration like 200ms",
    "ratio": "a number of calls per request; compare it with a number like 3",
}


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression may use. `hosts` are in their short form. `tasks` is None if they are known only
    when the load runs (a locustfile's), so that any name may be one."""

    phases: tuple[str, ...] = ()
    tasks: tuple[str, ...] | None = ()
    hosts: tuple[str, ...] = ()


def parse_expression(text: str, names: Names | None = None) -> Expression:
    """Parse one expression; with `names`, its phases, tasks and hosts must be among them. Raises ExpressionError."""
    return _Parser(text, names).expression()


class _Parser:
    """Recursive descent over a list of tokens; the last one is always `end`."""

    def __init__(self, text: str, names: Names | None):
        self.text, self.names = text, names
        self.tokens = list(tokens(text))
        self.at = 0

    def expression(self) -> Expression:
        scope = self._scope()
        left = self._measure(scope)
        sense = self._comparison()
        factor, right, limit = self._limit(left, scope)
        within = self._within(left)
        if self._peek().kind != "end":
            raise self._error("nothing is expected here", self._peek())
        return Expression(self.text, left, sense, limit, right, factor, within)

    # ------------------------------------------------------------------ parts

    def _scope(self) -> str | None:
        """Read `phase:` at the beginning; None if there is none."""
        if self._peek().kind not in ("name", "quoted", "quantile") or self.tokens[self.at + 1].text != ":":
            return None
        token = self._next()
        self._next()
        self._known(token, self.names.phases if self.names else None, "phase")
        return token.word

    def _measure(self, scope: str | None) -> Measure:
        parts = [self._part()]
        while self._peek().text == ".":
            self._next()
            parts.append(self._part())
        return self._resolve(parts, scope)

    def _part(self) -> Token:
        token = self._next()
        if token.kind not in ("name", "quoted", "quantile"):
            raise self._error(f"a metric is expected: {listed(_metric_names())}", token)
        return token

    def _resolve(self, parts: list[Token], scope: str | None) -> Measure:
        *owners, metric = parts
        phase, task = self._owners(owners, scope)
        if metric.kind == "quantile":
            return Measure(metric.text, phase, task, self._level(metric), unit=QUANTILE.unit)
        found = METRICS.get(metric.text)
        if found is None:
            raise self._error(unknown("metric", metric.word, _metric_names()), metric)
        argument = self._argument(metric, found) if found.argument else ""
        return Measure(metric.text, phase, task, found.level, argument, found.unit)

    def _level(self, metric: Token) -> float:
        level = round(float(metric.text[1:]) / 100, 8)
        if level == 0:
            raise self._error("p0 is the quickest request, not a quantile; write it like p50 or p99.9", metric)
        return level

    def _owners(self, owners: list[Token], scope: str | None) -> tuple[str | None, str | None]:
        """Return phase and task in front of a metric; the phase is the scope's unless another one is named."""
        phase, task = scope, None
        for token in owners:
            if self._is_phase(token, task is not None or (len(owners) > 1 and token is owners[0])):
                phase = token.word
            else:
                task = token.word
        return phase, task

    def _is_phase(self, token: Token, expected: bool) -> bool:
        if self.names is None:
            return expected
        phase, tasks = token.word in self.names.phases, self.names.tasks
        if tasks is None:
            return phase
        task = token.word in tasks
        if phase and task and not expected:
            raise self._error(
                f"{token.word!r} is both a phase and a task; write `{token.word}: ...` for the phase", token
            )
        if not phase and not task:
            known = (*self.names.phases, *tasks)
            raise self._error(unknown("phase or task", token.word, known), token)
        return phase

    def _argument(self, metric: Token, found: Metric) -> str:
        if self._peek().text != "(":
            example = f"{metric.text}({'503' if found.argument == 'status' else 'webserver'})"
            raise self._error(f"{metric.text} needs an argument in brackets, for example {example}", self._peek())
        self._next()
        first = self._peek()
        said = ""
        while self._peek().text != ")":
            if self._peek().kind == "end":
                raise self._error("the bracket is not closed", self._peek())
            said += self._next().word
        self._next()
        self._check_argument(found, first, said)
        return said

    def _check_argument(self, found: Metric, first: Token, said: str) -> None:
        if found.argument == "status":
            if not re.fullmatch(r"[1-5](?:xx|\d\d)", said) and said not in CODES:
                right = f"{said!r} is not a status; write it like 503, 5xx or, of gRPC, UNAVAILABLE"
                raise ExpressionError(self.text, right, first.column, len(said))
        elif self.names is not None and said not in self.names.hosts:
            raise ExpressionError(self.text, unknown("host", said, self.names.hosts), first.column, len(said))

    def _comparison(self) -> Literal["below", "above"]:
        token = self._next()
        if token.text not in ("<", "<=", ">", ">="):
            raise self._error("a comparison is expected: <, <=, > or >=", token)
        return "below" if token.text[0] == "<" else "above"

    def _limit(self, left: Measure, scope: str | None) -> tuple[float, Measure | None, float]:
        token = self._peek()
        if token.kind == "value":
            self._next()
            if self._peek().text != "*":
                return 1.0, None, self._value(token, left)
            self._next()
            return self._number(token), self._other(left, scope), 0.0
        return 1.0, self._other(left, scope), 0.0

    def _other(self, left: Measure, scope: str | None) -> Measure:
        first = self._peek()
        other = self._measure(scope)
        if other.unit != left.unit:
            raise self._error(f"{left} is {_WORDS[left.unit].split(';')[0]}, {other} is not", first)
        if not all(metric_of(each).comparable for each in (left, other)):
            raise self._error(f"{left.metric} is compared with a value, like 90% or 3", first)
        return other

    def _value(self, token: Token, left: Measure) -> float:
        text = token.text
        try:
            if left.unit == "seconds":
                return parse_duration(text)
            value = float(text.removesuffix("%"))
        except ValueError:
            raise self._error(f"{left} is {_WORDS[left.unit]}", token) from None
        if left.unit == "ratio" and text.endswith("%"):
            raise self._error(f"{left} is {_WORDS[left.unit]}", token)
        if left.unit == "ratio":
            return value
        value = value / 100 if text.endswith("%") else value
        if not 0 <= value <= 1:
            raise self._error(f"{text} is not a share; write it like 5% or 0.05", token)
        return value

    def _number(self, token: Token) -> float:
        try:
            return float(token.text)
        except ValueError:
            raise self._error(f"{token.text!r} is not a factor; write it like 1.5", token) from None

    def _within(self, left: Measure) -> float | None:
        if self._peek().text != "within":
            return None
        word, token = self._next(), self._next()
        if left.phase is None and (self.names is None or self.names.phases):
            raise self._error("within counts from the beginning of a phase; name it, like `recovery: ...`", word)
        try:
            return parse_duration(token.text)
        except ValueError:
            raise self._error("a duration is expected, like 5s", token) from None

    # ------------------------------------------------------------------ tokens

    def _peek(self) -> Token:
        return self.tokens[self.at]

    def _next(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def _known(self, token: Token, known: tuple[str, ...] | None, what: str) -> None:
        if known is not None and token.word not in known:
            raise self._error(unknown(what, token.word, known), token)

    def _error(self, message: str, token: Token) -> ExpressionError:
        return ExpressionError(self.text, message, token.column, len(token.text))


def _metric_names() -> tuple[str, ...]:
    return (*METRICS, "p50", "p95", "p99")
