"""A run's counts as pandas frames: one row per outcome, and tables that follow by grouping.

Latencies stay in histograms; a frame's column `latency` holds them, and groups merge them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import pandas as pd

from chaos import statuses
from chaos.faults import TAGS, happened
from chaos.journal.result import Result
from chaos.protocol.digest import BY_HAND, UNCLEAR, Key
from chaos.protocol.histogram import Histogram
from chaos.protocol.plan_record import PolicyEffect

FORWARDED, REPLIED, LOST, UNKNOWN = "forwarded", "answered", "no response", "unknown fault"
LATE = "as late as a delay behind the application"
BY_POLICY, TOUCHED = "answered by a policy", "changed by a policy"
ENDED, PERHAPS = "cut short by a policy", "no response, perhaps by a policy"
FAULTED = {tag: happened(tag) for tag in TAGS}
GROUPS = (FORWARDED, REPLIED, *FAULTED.values(), BY_POLICY, TOUCHED, ENDED, LATE, PERHAPS, LOST, UNKNOWN)

_GRPC = "gRPC "
GRPC_OK, GRPC_FAILED = statuses.shown(statuses.GRPC), f"{_GRPC}failed"
"""The classes of gRPC's statuses; HTTP's are `2xx` and so on."""

BETWEEN, SWITCHED = "between phases", "faults switched by hand"


def outcomes(result: Result) -> pd.DataFrame:
    """Return one row per key of the run's digest: the key's fields, `count`, `latency`, `due` and the derived `group`
    and `label`.

    Phases are in the order in which they ran; outcomes that belong to none come last, as `between phases` or `faults
    switched by hand`."""
    order = {name: place for place, name in enumerate(dict.fromkeys(span.name for span in result.phases))}
    policies = Ending.of(result)
    rows = [
        {
            **key._asdict(),
            "phase": key.phase if key.phase in order or not order else SWITCHED if key.phase == BY_HAND else BETWEEN,
            "count": tally.count,
            "latency": tally.latency,
            "due": tally.due,
            "group": PERHAPS if policies.suspects(key) and not key.policy else group(key),
            "label": status_label(key),
        }
        for key, tally in result.outcomes()
    ]
    rows.sort(key=lambda row: order.get(row["phase"], len(order)))
    columns = [*Key._fields, "count", "latency", "due", "group", "label"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True, slots=True)
class Ending:
    """The policies that may have left users without a response."""

    policies: tuple[PolicyEffect, ...]

    @classmethod
    def of(cls, result: Result) -> Ending:
        return cls(tuple(each for each in result.plan.policies if each["on"] and each["scope"] == "downstream"))

    def suspects(self, key: Key) -> list[str]:
        """Return the names of the policies that may be the reason why a request had no response."""
        if key.status or not key.error:
            return []
        found = [each for each in self.policies if each["phase"] == key.phase and key.error in each["errors"]]
        return [each["name"] for each in found if each["tasks"] is None or key.task in each["tasks"]]


def within_phases(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without those of no phase, unless there are no others."""
    inside = table[~table["phase"].isin((BETWEEN, SWITCHED))]
    return inside if len(inside) else table


def group(key: Key) -> str:
    """Return what happened to a request on its way, in the words of the figures."""
    if key.error:
        return ENDED if key.policy else LOST
    if key.policy and not key.route:
        return BY_POLICY
    if key.fault and key.fault != UNCLEAR:
        return FAULTED.get(key.fault, UNKNOWN)
    if key.policy:
        return TOUCHED
    return FORWARDED if key.destination or not key.route else REPLIED


def status_label(key: Key) -> str:
    """Return the status, or the kind of failure without a response."""
    return statuses.shown(key.status) if key.status else key.error or "no response"


def status_text(label: str) -> str:
    """Return `Bad Request` for `400`; a phrase for a failure without a response."""
    lost = {
        "refused": "connection refused",
        "reset": "connection reset",
        "timeout": "no response in time",
        "closed": "connection closed before the response",
        "malformed": "a response that is not HTTP",
    }
    if label.startswith(_GRPC):
        return ""
    if not label.isdigit():
        return lost.get(label, "no response")
    try:
        return HTTPStatus(int(label)).phrase
    except ValueError:
        return ""


def status_class(label: str) -> str:
    """Return `2xx` .. `5xx`, `gRPC OK` or `gRPC failed`, or `no response`."""
    if label.startswith(_GRPC):
        return GRPC_OK if label == GRPC_OK else GRPC_FAILED
    return f"{label[0]}xx" if label.isdigit() else LOST


def _class(key: Key) -> str:
    """Return the status class, or that a policy has answered or ended it."""
    found = group(key) if key.policy else ""
    return found if found in (BY_POLICY, ENDED) else status_class(status_label(key))


def failed(table: pd.DataFrame) -> pd.Series:
    """Return which rows are of requests that have failed for their users."""
    return table["status"].map(statuses.failed).astype(bool)


def merged(histograms: pd.Series) -> Histogram:
    """Return the sum of the histograms; None entries count as empty."""
    total = Histogram()
    for each in histograms:
        if each is not None:
            total.merge(each)
    return total


def by_stretch(result: Result) -> pd.DataFrame:
    """Return one row per recorded stretch of time (its index) and outcome: task, status class, fault and count."""
    rows = [
        (index, key.task, _class(key), key.fault, count)
        for index, stretch in enumerate(result.stretches)
        for key, count in stretch.counts.items()
    ]
    return pd.DataFrame(rows, columns=["stretch", "task", "status", "fault", "count"])
