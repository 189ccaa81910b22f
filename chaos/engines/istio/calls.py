"""Calls that the proxies of a mesh count themselves: Istio's standard metric `istio_requests_total`, as Prometheus has
it. Envoy's fault filter marks a request that it aborted with the response flag FI, one that it delayed with DI."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

METRIC = "istio_requests_total"
FLAGS, SERVICE = "response_flags", "destination_service"

Series = Mapping[tuple[tuple[str, str], ...], float]
"""Counters by their labels."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls met a fault, of `total` by whomever."""

    aborted: int
    delayed: int
    total: int

    def faulted(self, kind: str) -> int:
        """Return how many were aborted, or delayed."""
        return self.aborted if kind == "abort" else self.delayed


def query(hosts: Iterable[str]) -> str:
    """Return the query for the calls to services, as their clients' proxies count them: a call that is aborted reaches
    no other."""
    names = "|".join(host.replace(".", "[.]") for host in sorted(hosts))
    return f'{METRIC}{{reporter="source",{SERVICE}=~"{names}"}}'


def series_of(answer: Any) -> tuple[Series, float]:
    """Return the counters of an instant query's answer, and its time in seconds. Raises ValueError for anything
    else."""
    try:
        if answer["status"] != "success" or answer["data"]["resultType"] != "vector":
            raise ValueError(str(answer.get("error") or "it is no vector"))
        items = answer["data"]["result"]
        found = {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in items}
        return found, max((float(each["value"][0]) for each in items), default=0.0)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"it is no answer of Prometheus ({error!r})") from None


def calls_between(before: Series, after: Series, hosts: Collection[str]) -> Calls:
    """Return by how much the counters of these services have grown. One that fell was reset, and counts from 0; one
    that is gone has told all that it will."""
    aborted = delayed = total = 0.0
    for labels, value in after.items():
        named = dict(labels)
        if named.get(SERVICE) not in hosts:
            continue
        start = before.get(labels, 0.0)
        grown = value - start if value >= start else value
        flags = named.get(FLAGS, "").split(",")
        total += grown
        aborted += grown if "FI" in flags else 0.0
        delayed += grown if "DI" in flags else 0.0
    return Calls(round(aborted), round(delayed), round(total))
