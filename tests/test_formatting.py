"""Numbers as people read them (chaos/formatting.py), and findings in them (chaos/claims/shown.py)."""

from __future__ import annotations

import pytest

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding, Tally
from chaos.verify.verdict import Verdict


def plain(text: str) -> str:
    return text.replace(words.THIN, " ").replace("\u2212", "-").replace("\u00b5", "u")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 s"),
        (85e-6, "85 us"),
        (999.4e-6, "999 us"),
        (999.6e-6, "1 ms"),
        (0.00124, "1.24 ms"),
        (0.9996, "0.9996 s"),
        (5, "5 s"),
        (5.0034, "5.003 s"),
        (119.9, "119.9 s"),
        (120, "2 min"),
        (150, "2 min 30 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (-0.5, "-500 ms"),
    ],
)
def test_times_have_the_unit_that_fits(value: float, text: str) -> None:
    assert plain(words.seconds(value)) == text


def test_a_measured_time_keeps_its_zeros() -> None:
    """1.20 ms has been measured to three digits, and says so."""
    assert plain(words.measured(0.0012)) == "1.20 ms" and plain(words.seconds(0.0012)) == "1.2 ms"


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (0.501, 0.037, "50.1 %"),
        (0.501, 0.0004, "50.100 %"),
        (0.0039, 0.004, "0.39 %"),
        (1.0, 0.001, "100 %"),
        (0.0, None, "0 %"),
        (0.99996, 0.01, "99.996 %"),
        (0.9998, None, "99.98 %"),
        (0.9996, None, "99.96 %"),
        (0.00004, None, "0.004 %"),
        (1e-9, None, "0.0000001 %"),
        (None, None, "\u2013"),
    ],
)
def test_a_share_has_the_digits_that_its_interval_carries(value: float | None, width: float | None, text: str) -> None:
    """And only all of them are "100 %", only none "0 %"."""
    assert plain(words.share(value, width)) == text


@pytest.mark.parametrize(
    ("bounds", "unit", "text"),
    [
        ((0.482, 0.519), "share", "48.2 .. 51.9 %"),
        ((0.99957, 1.0), "share", "99.957 .. 100 %"),
        ((None, 0.05), "share", "at most 5.0 %"),
        ((0.05, None), "share", "at least 5.0 %"),
        ((0.0123, 0.0127), "seconds", "12.3 ms .. 12.7 ms"),
        (None, "share", "\u2013"),
        ((None, None), "share", "\u2013"),
    ],
)
def test_an_interval_may_be_open(bounds: tuple[float | None, float | None] | None, unit: str, text: str) -> None:
    assert plain(words.interval(bounds, unit)) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("configured", "sense", "unit", "text"),
    [
        (0.5, "within", "share", "50 %"),
        (0.005699, "within", "share", "0.5699 %"),
        (0.999999, "within", "share", "99.9999 %"),
        (0.05, "below", "share", "below 5 %"),
        (0.9, "above", "share", "above 90 %"),
        (5.0, "within", "seconds", "5 s"),
        (1.5, "below", "ratio", "below 1.5 \u00d7"),
        (None, "within", "share", "\u2013"),
    ],
)
def test_what_was_configured_is_shown_as_it_was_written(
    configured: float | None, sense: str, unit: str, text: str
) -> None:
    finding = Finding("id", "abort", "abort", Verdict.VERIFIED, configured=configured, sense=sense, unit=unit)  # type: ignore[arg-type]
    assert plain(shown.configured(finding)) == text


def test_a_target_that_was_computed_has_as_many_digits_as_its_tolerance() -> None:
    """A quarter of the tries failing four times in a row: 0.39 %, give or take 0.2."""
    finding = Finding("id", "residual", "retries", Verdict.VERIFIED, configured=0.00390625, tolerance=0.00195)
    assert plain(shown.configured(finding)) == "0.39 %"
    assert plain(shown.tolerance(finding)) == "\u00b1 0.195 points"


def test_counts_are_read_in_thousands() -> None:
    assert plain(words.count(100_037_617)) == "100 037 617"
    assert plain(shown.tally(Tally(7012, 14000))) == "7 012 of 14 000"
    assert [plain(words.short_count(value)) for value in (99.5, 9999, 14_900, 1.2e6, 2e9)] == [
        "99.5",
        "9 999",
        "14.9 k",
        "1.2 M",
        "2 G",
    ]


def test_lists_and_numbers_read_like_sentences() -> None:
    assert words.listed(["a"]) == "a" and words.listed(["a", "b", "c"]) == "a, b and c"
    assert plain(words.plural(1, "run")) == "1 run" and plain(words.plural(2000, "run")) == "2 000 runs"
    assert words.when("2026-11-22T21:46:05+00:00") == "22 November 2026, 21:46:05 UTC"
    assert words.when("20261122-x") == "20261122-x"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (999, "999"), (1000, "1 000"), (14000, "14 000"), (1234567, "1 234 567")]
)
def test_a_plain_count_has_thousands_set_apart(value: int, text: str) -> None:
    assert words.plain_count(value) == text


PERCENTS = [(None, "-"), (0.0, "0 %"), (1.0, "100 %"), (0.501, "50.1 %"), (-0.05, "-5.0 %")]


@pytest.mark.parametrize(("share", "text"), PERCENTS)
def test_a_plain_share_is_in_percent_and_none_a_dash(share: float | None, text: str) -> None:
    assert words.plain_share(share) == text


def test_a_plain_share_has_the_digits_that_its_interval_supports() -> None:
    assert (words.plain_share(0.50123, 0.05), words.plain_share(0.50123, 0.0003)) == ("50.1 %", "50.123 %")
