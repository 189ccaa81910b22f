"""Which tasks have panels of their own: the busiest, and a sentence about the others."""

from __future__ import annotations

import pandas as pd

from chaos import formatting as words

MOST_TASKS = 6
MOST_PHASES = 4
LONGEST = 60


def busiest(table: pd.DataFrame) -> list[str]:
    """Return the names of the tasks with most requests, the first of which has most."""
    counts = table.groupby("task", sort=False)["count"].sum().sort_values(ascending=False, kind="stable")
    return [str(task) for task in counts.index[:MOST_TASKS]]


def phases_of(table: pd.DataFrame) -> list[str]:
    """Return the first phases, in the order in which they ran."""
    return list(dict.fromkeys(table["phase"]))[:MOST_PHASES]


def left_out(table: pd.DataFrame, *, phases: bool = False) -> str:
    """Return a sentence about the tasks, and phases, that have no panel, to go on with; empty when all have one."""
    told = []
    for column, most, which in (("task", MOST_TASKS, "busiest"), ("phase", MOST_PHASES, "first")):
        several = table[column].nunique()
        if several > most and (phases or column == "task"):
            told.append(f"the {which} {most} of {words.count(several)} {column}s")
    return f" Shown are {words.listed(told)}; the table has all of them." if told else ""


def short(name: str, most: int = LONGEST) -> str:
    """Return a name that fits above a panel."""
    return name if len(name) <= most else name[: most - 1] + "\u2026"
