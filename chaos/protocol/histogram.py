"""Latency distributions that merge: HdrHistogram's buckets, kept sparsely, and its text form.

They cover one microsecond to one hour at three significant digits (relative error below 0.1 %). `hdrhistogram` owns the
format; its object is dense (188 KB, 0.2 ms to make) and takes 1.5 us to record one value, so counting happens here, in
a dict with its bucket numbers (0.3 us), and texts are summed in its C code (25 us each) without ever becoming an
object."""

from __future__ import annotations

from base64 import b64decode
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from ctypes import addressof, c_uint64, memset
from itertools import accumulate
from math import ceil
from struct import unpack_from
from zlib import decompressobj

from hdrh.codec import ext_header_size, get_compression_cookie, get_encoding_cookie, payload_header_size
from hdrh.histogram import HdrHistogram
from pyhdrh import add_array, decode

LOWEST, HIGHEST, DIGITS = 1, 3_600_000_000, 3  # microseconds; three significant digits

# HdrHistogram's layout for these settings: 2048 buckets of 1 us, then 1024 for every doubling.
HALF_BITS = 10
LENGTH = HdrHistogram(LOWEST, HIGHEST, DIGITS).counts_len
_Cells = c_uint64 * LENGTH
CHUNK = 256
LARGEST = payload_header_size + 9 * LENGTH
"""Greatest size in bytes of an uncompressed histogram: a count has at most nine bytes."""


def bucket_of(microseconds: int) -> int:
    """Return the number of the bucket that holds a latency; one out of range falls into the first or the last."""
    if microseconds > HIGHEST:
        microseconds = HIGHEST
    shift = microseconds.bit_length() - HALF_BITS - 1
    if shift > 0:
        return (shift << HALF_BITS) + (microseconds >> shift)
    return microseconds if microseconds > 0 else 0


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """Return the lowest and the highest whole microseconds that fall into a bucket."""
    shift = max((bucket >> HALF_BITS) - 1, 0)
    low = (bucket - (shift << HALF_BITS)) << shift
    return low, low + (1 << shift) - 1


class Histogram:
    """How often each latency was seen. `counts` maps HdrHistogram's bucket numbers to counts; empty ones are absent."""

    __slots__ = ("counts",)

    def __init__(self, counts: dict[int, int] | None = None):
        self.counts = {} if counts is None else counts

    @classmethod
    def of(cls, latencies: Iterable[int]) -> Histogram:
        """Count latencies in whole microseconds."""
        made = cls()
        for latency in latencies:
            made.add(latency)
        return made

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """Read HdrHistogram's compressed base64 text. Raises ValueError when it is malformed or has other settings than
        ours."""
        return cls.fold((text,))

    @classmethod
    def fold(cls, texts: Iterable[str]) -> Histogram:
        """Return the sum of many texts, added up in C. Raises ValueError as `decode` does."""
        total, decoder = Accumulator(), Decoder()
        for text in texts:
            total.add_cells(decoder.read(text))
        return total.histogram()

    def add(self, microseconds: int, count: int = 1) -> None:
        bucket, counts = bucket_of(microseconds), self.counts
        counts[bucket] = counts.get(bucket, 0) + count

    def merge(self, other: Histogram) -> None:
        counts = self.counts
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def buckets(self) -> Iterator[tuple[float, float, int]]:
        """Yield (from, to, count) in seconds, ascending; `to` is exclusive."""
        for bucket, count in sorted(self.counts.items()):
            low, high = bucket_bounds(bucket)
            yield low / 1e6, (high + 1) / 1e6, count

    def quantile(self, fraction: float) -> float:
        """Return the seconds that `fraction` of all requests did not exceed (nearest rank, upper edge of its bucket, as
        in HdrHistogram).

        Raises ValueError when nothing was recorded."""
        return self.quantiles((fraction,))[0]

    def quantiles(self, fractions: Iterable[float]) -> list[float]:
        """Return several quantiles in one pass; see `quantile`."""
        items = sorted(self.counts.items())
        if not items:
            raise ValueError("no quantile of an empty histogram")
        running = list(accumulate(count for _, count in items))
        return [
            bucket_bounds(items[bisect_left(running, _rank(running[-1], fraction))][0])[1] / 1e6
            for fraction in fractions
        ]

    @property
    def mean(self) -> float:
        """The mean in seconds, from the middle of each bucket; 0.0 when empty."""
        total = self.total
        weighted = sum(count * sum(bucket_bounds(bucket)) / 2 for bucket, count in self.counts.items())
        return weighted / total / 1e6 if total else 0.0

    @property
    def maximum(self) -> float:
        """The upper edge of the highest bucket, in seconds; 0.0 when empty."""
        return bucket_bounds(max(self.counts))[1] / 1e6 if self.counts else 0.0

    def encode(self) -> str:
        """Return HdrHistogram's own compressed base64 text (V2), readable by every HdrHistogram library."""
        dense = HdrHistogram(LOWEST, HIGHEST, DIGITS)
        cells = dense.counts
        for bucket, count in self.counts.items():
            cells[bucket] = count
        dense.total_count = self.total
        dense.max_value = bucket_bounds(max(self.counts))[0] if self.counts else 0
        text = str(dense.encode(), "ascii")
        del dense.encoder  # it refers back: a cycle of 188 KB that only the garbage collector would free
        return text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if not self.counts:
            return "Histogram()"
        return f"Histogram({self.total} values, median {self.quantile(0.5):.6g} s)"


def _rank(total: int, fraction: float) -> int:
    """Return the rank of the quantile: how many of the smallest values make up `fraction` of all, at least 1."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"a quantile's fraction must be in 0..1, not {fraction}")
    return max(1, ceil(round(fraction * total, 6)))  # rounded, because 0.07 * 100 is a little more than 7


class Accumulator:
    """Sums of encoded histograms, in dense cells. It is meant to be cleared and used again."""

    __slots__ = ("_cells", "_highest", "_lowest", "_where")

    def __init__(self) -> None:
        self._cells = _Cells()
        self._where = addressof(self._cells)
        self._lowest, self._highest = LENGTH, -1

    def add(self, text: str) -> None:
        """Add one encoded histogram. Raises ValueError when the text is damaged or has other settings than ours."""
        decoder = Decoder()  # held until its cells have been added
        self.add_cells(decoder.read(text))

    def add_cells(self, decoded: Decoded | None) -> None:
        """Add the histogram that a decoder has just read."""
        if decoded is None:
            return
        where, low, high = decoded
        offset = 8 * low
        add_array(self._where + offset, where + offset, high - low + 1, 8)
        self._lowest, self._highest = min(self._lowest, low), max(self._highest, high)

    def clear(self) -> None:
        """Empty the sum; only the cells that were used are touched."""
        if self._highest >= 0:
            memset(self._where + 8 * self._lowest, 0, 8 * (self._highest - self._lowest + 1))
        self._lowest, self._highest = LENGTH, -1

    @property
    def empty(self) -> bool:
        """Whether nothing was added since it was cleared."""
        return self._highest < 0

    def quantiles(self, fractions: Iterable[float]) -> list[float]:
        """Return what `Histogram.quantiles` would, without making a Histogram: whole chunks are summed in C, and only
        one of them is searched."""
        low, high = self._lowest, self._highest
        if high < low:
            raise ValueError("no quantile of an empty histogram")
        starts = range(low, high + 1, CHUNK)
        running = list(accumulate(sum(self._cells[at : min(at + CHUNK, high + 1)]) for at in starts))
        return [self._at_rank(starts, running, _rank(running[-1], fraction)) for fraction in fractions]

    def _at_rank(self, starts: range, running: list[int], rank: int) -> float:
        chunk = bisect_left(running, rank)
        start, before = starts[chunk], running[chunk - 1] if chunk else 0
        within = list(accumulate(self._cells[start : start + CHUNK], initial=before))[1:]
        return bucket_bounds(start + bisect_left(within, rank))[1] / 1e6

    def histogram(self) -> Histogram:
        """Return the sum as a Histogram."""
        low, high = self._lowest, self._highest
        return Histogram({bucket: n for bucket, n in enumerate(self._cells[low : high + 1], low) if n})


Decoded = tuple[int, int, int]
"""The address of a decoder's cells, and the indexes of the first and the last that are not zero."""


class Decoder:
    """Reads encoded histograms into dense cells of its own, which the next one read overwrites.

    Allocating 188 KB for every text takes longer than decoding it; here only the cells that were used are cleared."""

    __slots__ = ("_cells", "_used", "_where")

    def __init__(self) -> None:
        self._cells = _Cells()
        self._where = addressof(self._cells)
        self._used = (0, -1)

    def read(self, text: str) -> Decoded | None:
        """Decode a text into the cells; None for an empty histogram. Raises ValueError when it is damaged or has other
        settings than ours."""
        data = _payload(text)
        low, high = self._used
        memset(self._where + 8 * low, 0, 8 * (high - low + 1))
        self._used = (0, LENGTH - 1)  # should decoding fail half way
        try:
            found = decode(data, payload_header_size, self._where, LENGTH, 8)
        except Exception as error:
            raise ValueError(f"not an HdrHistogram: {error or type(error).__name__}") from None
        if not found["total"]:
            self._used = (0, -1)
            return None
        self._used = (found["min_nonzero_index"], found["max_nonzero_index"])
        return self._where, *self._used


def _payload(text: str) -> bytes:
    """Return the uncompressed payload: a header, then the counts as varints. Raises ValueError when it is not one of
    ours."""
    try:
        compressed = b64decode(text)
        (cookie,) = unpack_from(">I", compressed)
        unpacker = decompressobj()
        data = unpacker.decompress(compressed[ext_header_size:], LARGEST)  # bounded: a few bytes may become a gigabyte
        inner, length, _, digits, lowest, highest = unpack_from(">IIIIQQ", data)
    except Exception as error:  # binascii, struct and zlib have errors of their own
        raise ValueError(f"not an HdrHistogram: {error or type(error).__name__}") from None
    if not unpacker.eof:
        raise ValueError("not an HdrHistogram: cut short, or too large")
    if (cookie, inner) != (get_compression_cookie(), get_encoding_cookie()):
        raise ValueError(f"not an HdrHistogram: cookies {cookie:#x} and {inner:#x}")
    if (lowest, highest, digits) != (LOWEST, HIGHEST, DIGITS):
        raise ValueError(f"a histogram with other settings (lowest, highest, digits): {(lowest, highest, digits)}")
    if length != len(data) - payload_header_size:
        raise ValueError(f"not an HdrHistogram: {len(data) - payload_header_size} bytes of counts, {length} announced")
    return data
