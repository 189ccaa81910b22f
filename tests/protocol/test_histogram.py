"""Latencies are counted in HdrHistogram's own buckets and written in its own text."""

from __future__ import annotations

import base64
import gc
from itertools import pairwise
from math import ceil

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis.strategies import dictionaries, integers, lists

from chaos.protocol.histogram import HIGHEST, Accumulator, Decoder, Histogram, bucket_bounds, bucket_of

LATENCIES = lists(integers(0, HIGHEST), min_size=1, max_size=60)


@given(latencies=LATENCIES)
def test_the_text_is_what_the_library_writes_and_reads(latencies: list[int]) -> None:
    """Another HdrHistogram of these settings, given the same latencies, has the same text, counts and percentiles."""
    theirs = HdrHistogram(1, HIGHEST, 3)
    for latency in latencies:
        assert theirs.record_value(latency)
    ours = Histogram.of(latencies)
    text = ours.encode()
    assert text == theirs.encode().decode()
    assert Histogram.decode(text) == ours
    read = HdrHistogram.decode(text)
    assert read.get_total_count() == ours.total == len(latencies)
    for fraction in (0.25, 0.5, 0.99, 1.0):
        ranked = sorted(latencies)[ceil(fraction * len(latencies)) - 1]
        assert ours.quantile(fraction) == read.get_highest_equivalent_value(ranked) / 1e6


@given(latency=integers(1, HIGHEST))
def test_a_bucket_is_narrower_than_a_thousandth_of_its_values(latency: int) -> None:
    """Three significant digits: what a bucket cannot tell apart differs by less than 0.1 %."""
    low, high = bucket_bounds(bucket_of(latency))
    assert low <= latency <= high
    assert (high - low) / latency <= 1 / 1000


@pytest.mark.parametrize(("latency", "kept"), [(-5, 0), (0, 0), (HIGHEST, HIGHEST), (HIGHEST * 50, HIGHEST)])
def test_latencies_out_of_range_fall_into_the_nearest_bucket(latency: int, kept: int) -> None:
    low, high = bucket_bounds(bucket_of(latency))
    assert low <= kept <= high


@given(a=LATENCIES, b=LATENCIES, c=LATENCIES)
def test_merging_is_the_histogram_of_everything(a: list[int], b: list[int], c: list[int]) -> None:
    """In Python and, from texts, in C; whatever the order."""
    merged = Histogram.of(a)
    merged.merge(Histogram.of(b))
    merged.merge(Histogram.of(c))
    assert merged == Histogram.of(c + a + b)
    assert Histogram.fold(Histogram.of(part).encode() for part in (b, c, a)) == merged
    total = Accumulator()
    for part in (a, b, c):
        total.add(Histogram.of(part).encode())
    fractions = (0.0, 0.25, 0.5, 0.999, 1.0)
    assert total.quantiles(fractions) == merged.quantiles(fractions)


@settings(max_examples=20)
@given(counts=dictionaries(integers(0, HIGHEST), integers(1, 10**12), min_size=1, max_size=5))
def test_counts_beyond_thousands_of_millions_survive(counts: dict[int, int]) -> None:
    made = Histogram()
    for latency, count in counts.items():
        made.add(latency, count)
    assert Histogram.decode(made.encode()) == made


def test_quantiles_and_mean_of_known_latencies() -> None:
    """1 ms to 100 ms in steps of one: quantiles by nearest rank."""
    known = Histogram.of(range(1000, 100_001, 1000))
    assert known.quantile(0.07) == pytest.approx(0.007, rel=1e-3)  # 0.07 * 100 is 7.000000000000001
    assert known.quantiles((0.5, 0.99, 1)) == pytest.approx([0.050, 0.099, 0.100], rel=1e-3)
    assert known.mean == pytest.approx(0.0505, rel=1e-3)
    assert known.maximum == pytest.approx(0.1, rel=1e-3)
    assert sum(count for _, _, count in known.buckets()) == 100


def test_buckets_come_in_ascending_order_without_overlap() -> None:
    edges = list(Histogram.of([5, 5000, 17, 3_000_000, 3_000_001]).buckets())
    assert edges == sorted(edges)
    assert all(before[1] <= after[0] for before, after in pairwise(edges))
    assert edges[-1][2] == 2


def test_encoding_leaves_nothing_for_the_garbage_collector() -> None:
    """188 KB a time add up to a gigabyte in an hour of a load process, which collects seldom on purpose."""
    known = Histogram.of([1, 2, 3])
    known.encode()
    gc.collect()
    gc.disable()
    try:
        known.encode()
        assert not [each for each in gc.get_objects() if isinstance(each, HdrHistogram)]
    finally:
        gc.enable()


def test_an_empty_histogram_has_no_quantile_but_a_text() -> None:
    empty = Histogram()
    assert Histogram.decode(empty.encode()) == empty
    assert (empty.total, empty.mean, empty.maximum) == (0, 0.0, 0.0)
    with pytest.raises(ValueError, match="empty"):
        empty.quantile(0.5)
    with pytest.raises(ValueError, match="empty"):
        Accumulator().quantiles((0.5,))


def test_a_quantile_is_a_fraction() -> None:
    with pytest.raises(ValueError, match="fraction"):
        Histogram.of([1]).quantile(50)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "HISTFAAA",
        Histogram.of([1, 2, 3]).encode()[:-8],
        base64.b64encode(b"\x1c\x84\x93\x14\x00\x00\x00\x04abcd").decode(),
        HdrHistogram(1, 1000, 2).encode().decode(),
    ],
    ids=["empty", "no base64", "short", "cut", "no zlib", "other settings"],
)
def test_damaged_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"[hH]istogram"):
        Histogram.decode(text)


def test_an_accumulator_finds_the_quantiles_of_the_histogram_it_stands_for() -> None:
    """Also when it is used again after it was cleared, with a decoder that has read something larger before."""
    parts = [Histogram.of(range(start, start + 90_000, 7)) for start in (3, 40_000, 2_000_000)]
    total, decoder = Accumulator(), Decoder()
    total.add_cells(decoder.read(Histogram.of([3_000_000_000, 17]).encode()))
    total.clear()
    for part in parts:
        total.add_cells(decoder.read(part.encode()))
    whole = Histogram()
    for part in parts:
        whole.merge(part)
    fractions = [0.0, 0.001, 0.5, 0.9, 0.999, 1.0]
    assert total.histogram() == whole
    assert total.quantiles(fractions) == whole.quantiles(fractions)
