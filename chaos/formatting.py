"""Format numbers for people: shares, times, counts and intervals. The terminal, sentences and reports all use these.

Digits follow the evidence: a share of 14 000 requests gets one decimal, one of 1e8 gets four. Only exactly 0 and 1 are
written as `0 %` and `100 %`: everything in between gets as many decimals as it takes to tell it from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from chaos.units import Unit

THIN = "\u202f"  # narrow no-break space: between thousands, and between a number and its unit
NONE = "\u2013"
MOST_DECIMALS = 12
"""Of a percentage. The smallest share that can be configured, a millionth, has four."""


def count(value: int | float) -> str:
    """Return `14 000`: thousands apart, no digit dropped."""
    return f"{value:,.0f}".replace(",", THIN)


def short_count(value: float) -> str:
    """Return `14 k` or `1.2 M`, for axes and tiles."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            divisor = 1e3 if unit == "k" else size
            return f"{value / divisor:.3g}{THIN}{unit}"
    return f"{value:.4g}" if value < 100 else count(value)


def share(value: float | None, spread: float | None = None) -> str:
    """Return a fraction as `50.1 %`. `spread`, the width of its interval as a fraction, sets the decimals."""
    return NONE if value is None else f"{_percent(value, _decimals(spread))}{THIN}%"


def _percent(value: float, decimals: int) -> str:
    """Write a fraction in per cent with at least so many decimals: one that is not 0 or 1 never looks like it."""
    if value in (0, 1):
        return "100" if value else "0"
    rest = min(abs(value), abs(1 - value))
    if rest < 0.5 * 10.0 ** -(decimals + 2):
        decimals = min(MOST_DECIMALS, -math.floor(math.log10(rest * 100)))
    return fixed(value * 100, decimals)


def whole_share(value: float) -> str:
    """Return `73 %`, where decimals would be too precise."""
    return f"{value * 100:.0f}{THIN}%"


def points(value: float, spread: float | None = None) -> str:
    """Return `+1.2 points` for a difference of two shares; `spread` sets the decimals as in `share`."""
    return f"{_signed(value * 100, _decimals(spread))} points"


def later(value: float) -> str:
    """Return `+340 µs` for a difference of two times."""
    return ("+" if value >= 0 else "") + measured(value)


def seconds(value: float | None) -> str:
    """Return `5 s`, `1.24 ms`, `85 µs` or `2 min 30 s`, for a time that was written down, or a mark on an axis."""
    return _seconds(value, significant)


def measured(value: float | None) -> str:
    """Return `5.003 s` or `1.20 ms`, for a time that was measured, with all its digits."""
    return _seconds(value, _all_digits)


def _seconds(value: float | None, digits: Callable[[float, int], str]) -> str:
    if value is None:
        return NONE
    if value == 0:
        return f"0{THIN}s"
    size = abs(value)
    if size >= 120:
        return ("\u2212" if value < 0 else "") + _minutes(round(size))
    if size >= 0.9995:  # what would be rounded to 1000 of the smaller unit is written in the larger
        return f"{digits(value, 4)}{THIN}s"
    if size >= 0.9995e-3:
        return f"{digits(value * 1e3, 3)}{THIN}ms"
    return f"{digits(value * 1e6, 3)}{THIN}\u00b5s"


def _minutes(whole: int) -> str:
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = (
        f"{hours}{THIN}h" if hours else "",
        f"{minutes}{THIN}min" if minutes else "",
        f"{rest}{THIN}s" if rest and not hours else "",
    )
    return " ".join(part for part in parts if part)


def significant(value: float, digits: int) -> str:
    """Return plain decimals with that many significant digits and no zeros at the end: 0.1 -> `0.1`, 4.9981 ->
    `4.998`."""
    text = _all_digits(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _all_digits(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}".replace("-", "\u2212")


def fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    if text.strip("-0.") == "":  # never `-0.0`
        text = text.lstrip("-")
    return text.replace("-", "\u2212")


def ratio(value: float | None) -> str:
    return NONE if value is None else f"{significant(value, 4)}{THIN}\u00d7"


def quantity(value: float | None, unit: Unit, spread: float | None = None) -> str:
    """Return a finding's number in its own unit."""
    if value is None:
        return NONE
    if unit == "share":
        return share(value, spread)
    if unit == "seconds":
        return measured(value)
    if unit == "ratio":
        return ratio(value)
    return significant(value, 4) if abs(value) < 1000 else count(value)


def edge(value: float, tolerance: float | None, unit: Unit) -> str:
    """Return where a claim's band ends, with as many decimals as two digits of its tolerance have."""
    if unit != "share" or not tolerance:
        return exact(value, unit)
    decimals = max(0, 1 - math.floor(math.log10(tolerance * 100)))
    text = fixed(value * 100, decimals)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{THIN}%"


def confidence(alpha: float) -> str:
    """Return `99.67 %` for the alpha of one finding."""
    return f"{significant((1 - alpha) * 100, 4)}{THIN}%"


def exact(value: float, unit: Unit) -> str:
    """Return a number that somebody wrote down, without padding or rounding: `0.57 %`, not `0.6 %`."""
    if unit == "share":
        return f"{significant(value * 100, 6)}{THIN}%"
    return seconds(value) if unit == "seconds" else quantity(value, unit)


def interval(bounds: tuple[float | None, float | None] | None, unit: Unit) -> str:
    """Return `48.2 .. 51.9 %`; an interval with an open side as an inequality."""
    if bounds is None or bounds == (None, None):
        return NONE
    low, high = bounds
    if low is None:
        return f"at most {quantity(high, unit)}"
    if high is None:
        return f"at least {quantity(low, unit)}"
    if unit == "share":
        decimals = _decimals(high - low)
        return f"{_percent(low, decimals)} .. {_percent(high, decimals)}{THIN}%"
    return f"{quantity(low, unit)} .. {quantity(high, unit)}"


def spread(bounds: tuple[float | None, float | None] | None) -> float | None:
    """Return the width of an interval, None when a side is open."""
    if bounds is None or bounds[0] is None or bounds[1] is None:
        return None
    return bounds[1] - bounds[0]


def when(started: str) -> str:
    """Return `22 November 2026, 21:46:05 UTC` for an ISO time; text that is not one unchanged."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    zone = moment.tzname() or ""
    return f"{moment.day} {moment:%B %Y, %H:%M:%S} {zone}".strip()


def plural(number: int, noun: str, plural_noun: str = "") -> str:
    """Return `1 rule` or `3 rules`."""
    return f"{count(number)} {noun if number == 1 else plural_noun or noun + 's'}"


def listed(words: list[str]) -> str:
    """Return `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _signed(value: float, decimals: int) -> str:
    text = fixed(value, decimals)
    return text if text.startswith("\u2212") else f"+{text}"


def _decimals(width: float | None) -> int:
    """Return the decimals of a percentage at which its interval's width shows two digits; one without an interval."""
    if width is None or width <= 0:
        return 1
    return min(6, max(1, 1 - math.floor(math.log10(width * 100))))


def plain(text: str) -> str:
    """Return the text with ordinary spaces and minus signs, for a terminal."""
    return text.replace(THIN, " ").replace("\u2212", "-")


def plain_count(value: int) -> str:
    """Return `14 000` as `count` does, with ordinary spaces."""
    return plain(count(value))


def plain_share(value: float | None, spread: float | None = None) -> str:
    """Return `50.1 %` as `share` does, with an ordinary space; `-` for None."""
    return "-" if value is None else plain(share(value, spread))
