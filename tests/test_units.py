"""Percentages and durations at the border."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.units import Percent, format_duration, parse_duration


@pytest.mark.parametrize(
    ("value", "per_million"),
    [(0, 0), (0.00005, 0), (0.0001, 1), (0.57, 5699), (1, 10_000), (50, 500_000), (99.9999, 999_999), (100, 1_000_000)],
)
def test_percentages_are_truncated_to_parts_per_million(value: float, per_million: int) -> None:
    """Istio casts value * 10000 to an unsigned integer, so digits are cut, not rounded."""
    assert Percent.of(value).per_million == per_million


@given(draw=st.floats(0, 1, exclude_max=True))
def test_0_percent_never_and_100_percent_always(draw: float) -> None:
    assert not Percent.of(0).covers(draw)
    assert Percent.of(100).covers(draw)


@given(per_million=st.integers(0, 1_000_000), slot=st.integers(0, 999_999))
def test_a_percentage_covers_exactly_its_share_of_a_million_slots(per_million: int, slot: int) -> None:
    """Envoy fires when `random mod 1e6 < numerator`."""
    assert Percent(per_million).covers((slot + 0.5) / 1e6) == (slot < per_million)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("100ms", 0.1),
        ("1h2m3.5s", 3723.5),
        ("1m30s", 90),
        (".5s", 0.5),
        ("-1s", -1),
        ("0", 0),
        ("250us", 0.00025),
    ],
)
def test_durations_have_the_syntax_of_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "1d", "1s5", "--1s", "five"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@given(milliseconds=st.integers(0, 59_999))
def test_formatting_and_parsing_agree_below_a_minute(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-3)


@pytest.mark.parametrize(("seconds", "text"), [(90, "1m30s"), (3600, "1h"), (0, "0s"), (0.1, "100ms"), (5, "5s")])
def test_durations_are_written_as_people_write_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
