"""The requests of a task that is fed from a file: one for each row, made when the row is first taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from chaos.experiment.feeder import Feeder, filled
from chaos.load.sequence import Sequence
from chaos.protocol.load_plan import Plan, Task

MOST_KEPT = 10_000
"""Made requests that one task keeps; beyond that they are made anew."""

Made = TypeVar("Made")


class Rows(Generic[Made]):
    """What is made of the task for a request's row: `rows(number, id)`."""

    __slots__ = ("_feeder", "_kept", "_make", "_sequence", "_task")

    def __init__(self, task: Task, feeder: Feeder, sequence: Sequence, make: Callable[[Task], Made]):
        self._task, self._feeder, self._sequence, self._make = task, feeder, sequence, make
        self._kept: dict[int, Made] = {}

    def __call__(self, number: int, request: str) -> Made:
        row = self._sequence.row(number, request)
        made = self._kept.get(row)
        if made is None:
            made = self._make(filled(self._task, self._feeder.row(row)))
            if len(self._kept) < MOST_KEPT:
                self._kept[row] = made
        return made


def rows_of(plan: Plan, sequence: Sequence, task: Task, make: Callable[[Task], Made]) -> Rows[Made] | None:
    """Return what makes a task's requests, row by row; None for one that is not fed."""
    if task.fed is None or plan.feeder is None:
        return None
    return Rows(task, plan.feeder, sequence, make)
