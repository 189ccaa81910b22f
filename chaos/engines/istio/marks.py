"""How everything that a run puts into a cluster is named and marked, and how the run's own requests are.

A run is known by 128 random bits: whoever does not know them cannot meet its faults. Objects carry the first of them in
their names and labels, so that what a run left behind can be found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "chaos"
RUN_LABEL = "chaos.dev/run"
COMMAND = "chaos.dev/command"
STARTED = "chaos.dev/started"

HEADER = "x-chaos-run"
"""The header of the run's own requests."""

BAGGAGE = "baggage"
"""W3C Baggage (https://www.w3.org/TR/baggage/), which applications with tracing pass on to the next hop."""

GENERATION = "x-chaos-generation"
"""The header of responses that says which generation of the overlay their route belongs to."""

PROBE = "x-chaos-probe"
"""The header of probes; their route answers with PROBE_STATUS and the generation as its body."""

PROBE_STATUS = 299

SHORT = 12  # characters of the id in names and labels

_MEMBER = "chaos.run"


@dataclass(frozen=True, slots=True)
class Marks:
    """One run's. `id` is 32 hexadecimal digits; `namespace` is where its objects are."""

    id: str
    namespace: str
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """The beginning of the id."""
        return self.id[:SHORT]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every object of the run."""
        return {MANAGED_BY: MANAGER, RUN_LABEL: self.short}

    def name(self, part: str) -> str:
        """Return the name of one of the run's objects."""
        return f"chaos-{self.short}-{part}"

    def metadata(self, part: str, owner: Json | None = None) -> Json:
        """Return the metadata of one of the run's objects; `owner` is the lease (lease.py::owner)."""
        made: Json = {"name": self.name(part), "namespace": self.namespace, "labels": self.labels}
        if self.about:
            made["annotations"] = dict(self.about)
        if owner is not None:
            made["ownerReferences"] = [owner]
        return made

    def headers(self) -> dict[str, str]:
        """Return the headers of the run's own requests."""
        return {HEADER: self.id, BAGGAGE: f"{_MEMBER}={self.id}"}

    def condition(self, *, deeper: bool) -> Json:
        """Return the headers of a VirtualService's match entry that only the run's own requests meet, or, `deeper`, the
        calls of applications that pass on their baggage."""
        return {BAGGAGE: {"regex": self.baggage_pattern}} if deeper else {HEADER: {"exact": self.id}}

    @property
    def baggage_pattern(self) -> str:
        """A regular expression (RE2) for the whole of a baggage header that has the run as one of its members."""
        return rf"(.*,)?[ \t]*{re.escape(_MEMBER)}[ \t]*=[ \t]*{self.id}[ \t]*([;,].*)?"


def run_of(live: Mapping[str, Any]) -> str:
    """Return the beginning of the id of the run that made an object; empty if none has."""
    labels = live["metadata"].get("labels") or {}
    return str(labels.get(RUN_LABEL, "")) if labels.get(MANAGED_BY) == MANAGER else ""
