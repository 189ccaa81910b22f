"""Latency distributions that merge: HdrHistogram's buckets, kept sparsely, and its text form.

One microsecond to one hour at three significant digits (relative error below 0.1 %). `hdrhistogram` owns the format;
its object is dense (188 KB, 0.2 ms to make) and takes 1.5 us to record one value, so counting happens here, in a dict
with its bucket numbers (0.3 us), and texts are summed in its C code (25 us each) without ever becoming an object.
"""

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
"""Octets of an uncompressed histogram at most: a count has nine octets at most."""


def bucket_of(microseconds: int) -> int:
    """The number of the bucket that holds a latency; what is out of range falls into the first or the last."""
    if microseconds > HIGHEST:
        microseconds = HIGHEST
    shift = microseconds.bit_length() - HALF_BITS - 1
    if shift > 0:
        return (shift << HALF_BITS) + (microseconds >> shift)
    return microseconds if microseconds > 0 else 0


def bucket_bounds(bucket: int) -> tuple[int, int]:
    """The lowest and the highest whole microseconds that fall into a bucket."""
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
        """From whole microseconds."""
        made = cls()
        for latency in latencies:
            made.add(latency)
        return made

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """From HdrHistogram's compressed base64 text; ValueError when it is none of ours."""
        return cls.fold((text,))

    @classmethod
    def fold(cls, texts: Iterable[str]) -> Histogram:
        """The sum of many texts, added up in C."""
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
        """(from, to, count) in seconds, ascending, `to` exclusive: where the bucket's whole microseconds begin and
        end."""
        for bucket, count in sorted(self.counts.items()):
            low, high = bucket_bounds(bucket)
            yield low / 1e6, (high + 1) / 1e6, count

    def quantile(self, fraction: float) -> float:
        """Seconds that `fraction` of all requests did not exceed (nearest rank, upper edge of its bucket as
        HdrHistogram has it).

        Raises ValueError when nothing was recorded."""
        return self.quantiles((fraction,))[0]

    def quantiles(self, fractions: Iterable[float]) -> list[float]:
        """Several quantiles in one pass; see `quantile`."""
        items = sorted(self.counts.items())
        if not items:
            raise ValueError("no quantile of an empty histogram")
        running = list(accumulate(count for _, count in items))
        return [
            bucket_bounds(items[bisect_left(running, _rank(running[-1], fraction))][0])[1] / 1e6
            for fraction in fractions
        ]

    def share_above(self, seconds: float) -> float:
        """The share of requests slower than this; a bucket counts when its lower edge is above."""
        limit, total = round(seconds * 1e6), self.total
        above = sum(count for bucket, count in self.counts.items() if bucket_bounds(bucket)[0] > limit)
        return above / total if total else 0.0

    @property
    def mean(self) -> float:
        """Seconds, from the middle of each bucket; 0.0 when empty."""
        total = self.total
        weighted = sum(count * sum(bucket_bounds(bucket)) / 2 for bucket, count in self.counts.items())
        return weighted / total / 1e6 if total else 0.0

    @property
    def maximum(self) -> float:
        """Seconds, upper edge of the highest bucket; 0.0 when empty."""
        return bucket_bounds(max(self.counts))[1] / 1e6 if self.counts else 0.0

    def encode(self) -> str:
        """HdrHistogram's own compressed base64 text (V2), readable by every HdrHistogram library."""
        dense = HdrHistogram(LOWEST, HIGHEST, DIGITS)
        cells = dense.counts
        for bucket, count in self.counts.items():
            cells[bucket] = count
        dense.total_count = self.total
        dense.max_value = bucket_bounds(max(self.counts))[0] if self.counts else 0
        text = str(dense.encode(), "ascii")
        del dense.encoder  # they know each other: 188 KB that only the garbage collector would find, if ever
        return text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if not self.counts:
            return "Histogram()"
        return f"Histogram({self.total} values, median {self.quantile(0.5):.6g} s)"


def _rank(total: int, fraction: float) -> int:
    """How many values, the smallest first, make up `fraction` of them all; at least one."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"a quantile is asked for as a fraction in 0..1, not {fraction}")
    return max(1, ceil(round(fraction * total, 6)))  # 0.07 * 100 is a little more than 7


class Accumulator:
    """Sums of encoded histograms, in dense cells. Made once and cleared, it costs nothing to use again."""

    __slots__ = ("_cells", "_highest", "_lowest", "_where")

    def __init__(self) -> None:
        self._cells = _Cells()
        self._where = addressof(self._cells)
        self._lowest, self._highest = LENGTH, -1

    def add(self, text: str) -> None:
        """Add one encoded histogram; ValueError when the text is damaged or has other settings than ours."""
        decoder = Decoder()  # held until its cells have been added
        self.add_cells(decoder.read(text))

    def add_cells(self, decoded: Decoded | None) -> None:
        """Add what a decoder has just read."""
        if decoded is None:
            return
        where, low, high = decoded
        offset = 8 * low
        add_array(self._where + offset, where + offset, high - low + 1, 8)
        self._lowest, self._highest = min(self._lowest, low), max(self._highest, high)

    def clear(self) -> None:
        """Back to nothing; only the cells that were used are touched."""
        if self._highest >= 0:
            memset(self._where + 8 * self._lowest, 0, 8 * (self._highest - self._lowest + 1))
        self._lowest, self._highest = LENGTH, -1

    def quantiles(self, fractions: Iterable[float]) -> list[float]:
        """As `Histogram.quantiles`, without making one: whole chunks are summed in C, and one of them looked into."""
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
        low, high = self._lowest, self._highest
        return Histogram({bucket: n for bucket, n in enumerate(self._cells[low : high + 1], low) if n})


Decoded = tuple[int, int, int]
"""Where a decoder's cells are in memory, and the first and the last of them that is not zero."""


class Decoder:
    """Reads encoded histograms into dense cells of its own, which the next one read overwrites.

    Making and filling 188 KB anew for every text takes longer than decoding it; here only what was used is cleared."""

    __slots__ = ("_cells", "_used", "_where")

    def __init__(self) -> None:
        self._cells = _Cells()
        self._where = addressof(self._cells)
        self._used = (0, -1)

    def read(self, text: str) -> Decoded | None:
        """None for an empty histogram. Raises ValueError for damaged text, and for settings that are not ours."""
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
    """The uncompressed payload: a header, then the counts as varints. Raises ValueError when it is none of ours."""
    try:
        compressed = b64decode(text)
        (cookie,) = unpack_from(">I", compressed)
        unpacker = decompressobj()
        data = unpacker.decompress(compressed[ext_header_size:], LARGEST)  # a few octets may hide a gigabyte
        inner, length, _, digits, lowest, highest = unpack_from(">IIIIQQ", data)
    except Exception as error:  # binascii, struct and zlib have errors of their own
        raise ValueError(f"not an HdrHistogram: {error or type(error).__name__}") from None
    if not unpacker.eof:
        raise ValueError("not an HdrHistogram: cut short, or larger than any")
    if (cookie, inner) != (get_compression_cookie(), get_encoding_cookie()):
        raise ValueError(f"not an HdrHistogram: cookies {cookie:#x} and {inner:#x}")
    if (lowest, highest, digits) != (LOWEST, HIGHEST, DIGITS):
        raise ValueError(f"a histogram with other settings (lowest, highest, digits): {(lowest, highest, digits)}")
    if length != len(data) - payload_header_size:
        raise ValueError(f"not an HdrHistogram: {len(data) - payload_header_size} octets of counts, {length} announced")
    return data
