"""Hypotheses in short texts: what is understood, and how mistakes are shown."""

from __future__ import annotations

import pytest

from chaos.claims.hypotheses.expression import Expression, Measure, Names, parse_expression
from chaos.claims.hypotheses.tokens import ExpressionError

NAMES = Names(("baseline", "fault", "recovery"), ("checkout", "GET /cart"), ("webserver", "payments.shop"))


@pytest.mark.parametrize(
    ("text", "left", "sense", "limit"),
    [
        ("failures < 5%", Measure("failures"), "below", 0.05),
        ("failures < 0.05", Measure("failures"), "below", 0.05),
        ("fault: failures <= 5 %", Measure("failures", "fault"), "below", 0.05),
        ("successes >= 99.9%", Measure("successes"), "above", 0.999),
        ("p99 < 200ms", Measure("p99", level=0.99), "below", 0.2),
        ("p99.9 < 1m30s", Measure("p99.9", level=0.999), "below", 90.0),
        ("median < 1.5s", Measure("median", level=0.5), "below", 1.5),
        ("fault: checkout.p95 < 1s", Measure("p95", "fault", "checkout", 0.95), "below", 1.0),
        ("fault.checkout.p95 < 1s", Measure("p95", "fault", "checkout", 0.95), "below", 1.0),
        ('"GET /cart".errors < 1%', Measure("errors", None, "GET /cart"), "below", 0.01),
        ("status(503) < 1%", Measure("status", argument="503"), "below", 0.01),
        ("status(5xx) < 1%", Measure("status", argument="5xx"), "below", 0.01),
        ("masked(webserver) > 90%", Measure("masked", argument="webserver"), "above", 0.9),
        ("amplification(payments.shop) < 3", Measure("amplification", argument="payments.shop"), "below", 3.0),
    ],
)
def test_what_is_understood(text: str, left: Measure, sense: str, limit: float) -> None:
    found = parse_expression(text, NAMES)
    assert (found.left, found.sense, found.limit) == (left, sense, pytest.approx(limit))
    assert found.text == text


def test_within_starts_the_clock_with_the_phase() -> None:
    found = parse_expression("recovery: p99 < 200ms within 5s", NAMES)
    assert (found.phase, found.within) == ("recovery", 5.0)


def test_a_measure_may_be_compared_with_another() -> None:
    found = parse_expression("checkout.p95 < 1.5 * baseline.p95", NAMES)
    assert found.left == Measure("p95", None, "checkout", 0.95)
    assert (found.factor, found.right) == (1.5, Measure("p95", "baseline", None, 0.95))
    assert found.shown_limit == "1.5 * baseline.p95"
    assert parse_expression("fault: failures < baseline.failures", NAMES).right == Measure("failures", "baseline")


@pytest.mark.parametrize(
    ("text", "shown"), [("failures < 5%", "5%"), ("p99 < 0.2s", "200ms"), ("amplification(webserver) < 3", "3")]
)
def test_limits_are_shown_as_people_write_them(text: str, shown: str) -> None:
    assert parse_expression(text).shown_limit == shown


@pytest.mark.parametrize(
    ("text", "message", "underlined"),
    [
        ("recovry: p99 < 1s", "did you mean 'recovery'?", "recovry"),
        ("failurs < 5%", "did you mean 'failures'?", "failurs"),
        ("chekout.p95 < 1s", "did you mean 'checkout'?", "chekout"),
        ("masked(webservr) > 90%", "did you mean 'webserver'?", "webservr"),
        ("nothing.p95 < 1s", "there are baseline, fault, recovery, checkout and 'GET /cart'", "nothing"),
        ("p0 < 5s", "p0 is the quickest request", "p0"),
        ("p99 < 5%", "p99 is a latency; compare it with a duration like 200ms", "5%"),
        ("failures < 200ms", "failures is a share; compare it with a percentage", "200ms"),
        ("failures < 150%", "150% is not a share", "150%"),
        ("amplification(webserver) < 3s", "a number of calls per request", "3s"),
        ("failures = 5%", "'=' has no meaning here", "="),
        ("failures 5%", "a comparison is expected", "5%"),
        ("< 5%", "a metric is expected", "<"),
        ("failures <", "a metric is expected", "^"),
        ("", "a metric is expected", "^"),
        ("failures < 5% please", "nothing is expected here", "please"),
        ("status(banana) < 5%", "'banana' is not a status", "banana"),
        ("status < 5%", "status needs an argument in brackets, for example status(503)", "<"),
        ("masked(webserver > 90%", "the bracket is not closed", "^"),
        ("p99 < 1s within 5s", "within counts from the beginning of a phase", "within"),
        ("fault: p99 < 1s within soon", "a duration is expected", "soon"),
        ("p99 < failures", "p99 is a latency, failures is not", "failures"),
        ("p99 < 5s * p50", "'5s' is not a factor", "5s"),
        ("masked(webserver) > masked(webserver)", "is compared with a value", "masked"),
    ],
)
def test_mistakes_are_shown_with_a_caret(text: str, message: str, underlined: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, NAMES)
    error = caught.value
    assert message in error.message
    line, said, caret = str(error).split("\n")
    assert said == f"  {text}" and line == error.message
    if underlined != "^":
        assert text[error.column : error.column + error.length] == underlined
    assert caret.strip("^ ") == "" and caret.index("^") == error.column + 2


def test_a_name_that_is_phase_and_task_must_be_told_apart() -> None:
    with pytest.raises(ExpressionError, match="both a phase and a task"):
        parse_expression("load.p95 < 1s", Names(("load",), ("load",)))


def test_without_names_only_the_form_is_checked() -> None:
    found = parse_expression("shop: cart.p95 < 1s")
    assert isinstance(found, Expression) and found.left == Measure("p95", "shop", "cart", 0.95)


def test_the_tasks_of_a_locustfile_are_taken_at_their_word() -> None:
    found = parse_expression("baseline.anything.p95 < 1s", Names(("baseline",), None))
    assert found.left == Measure("p95", "baseline", "anything", 0.95)
