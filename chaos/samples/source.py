"""What a reader of samples gives: requests one by one, or counts of stretches, and what its format cannot know.

A request is counted in the second in which it was sent. What a format cannot know is a reason, in words, by which a
claim that needs it is not judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from chaos.errors import InvalidInput
from chaos.protocol.digest import Key
from chaos.samples.lines import Lines

Facet = Literal["status", "lost", "fault", "latency", "times"]
"""What a claim may need of a file: statuses, which requests had no response, which met a fault, latencies request by
request, and when each was sent."""


class Row(NamedTuple):
    """One request. `at` is the second in which it was sent, since whenever (None: not known); `latency` is in
    microseconds. `status` is 0 without a response, and `error` then says why."""

    task: str
    status: int
    at: float | None = None
    latency: int | None = None
    fault: str = ""
    phase: str = ""
    error: str = ""


class Batch(NamedTuple):
    """The counts of one stretch of `seconds` from `at` on (None: the file does not say when), without latencies."""

    counts: Mapping[Key, int]
    at: float | None = None
    seconds: float = 1.0


@dataclass(slots=True)
class Source:
    """One file's samples. `items` can be read once; `unknown` and `notes` are complete when it has been.

    `title` is the format as people name it; `told` are numbers that the file says of itself, by task and name (`p99`),
    with which a claim that is not judged can be compared by hand. `lines` is where its rows come from, one by one."""

    file: str
    format: str
    title: str
    items: Iterator[Row | Batch]
    unknown: dict[Facet, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    lines: Lines | None = None

    def problem(self, message: str) -> InvalidInput:
        """Return the error about the last row that was read."""
        return InvalidInput.at(self.file, message) if self.lines is None else self.lines.problem(message)
