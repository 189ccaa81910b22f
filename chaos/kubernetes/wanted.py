"""What is wanted of the export, and the names that its documents share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chaos.kubernetes.files import Shipment

Message = dict[str, Any]
"""A document of Kubernetes, or a part of one."""

PORT = 5557
"""Where the run waits for its workers."""
LABEL = "app.kubernetes.io/instance"
MOST = 45
"""Characters of a name: the host of a worker's pod is `NAME-workers-999`, a label of DNS, which has at most 63."""


class Part(StrEnum):
    """The parts of a run, each a Job."""

    RUN = "run"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One run in a cluster. `workers` is 0 for a run that sends its requests itself; `token` is what workers show it,
    empty where `token_secret` names a Secret that is there already. Without `reports_claim` reports end with the pod.
    `environment_secret` has the variables that the experiment takes from its environment. `code`: workers run the
    locustfile of the experiment."""

    name: str
    image: str
    files: Shipment
    workers: int = 0
    namespace: str = ""
    gateway: str = ""
    engine: str = ""
    settings: tuple[str, ...] = ()
    wait: str = "5m"
    token: str = field(default="", repr=False)
    token_secret: str = ""
    reports_claim: str = ""
    environment_secret: str = ""
    files_in_secret: bool = False
    sidecar: bool = False
    code: bool = False

    @property
    def token_secret_name(self) -> str:
        return self.token_secret or f"{self.name}-token"

    def labels(self, part: Part | None = None) -> dict[str, str]:
        """Return the labels of a document, or of a part's pods."""
        component = {} if part is None else {"app.kubernetes.io/component": part.value}
        return {"app.kubernetes.io/name": "chaos-harness", LABEL: self.name, **component}

    def metadata(self, name: str, part: Part | None = None) -> Message:
        """Return the metadata of a document."""
        namespace = {"namespace": self.namespace} if self.namespace else {}
        return {"name": name, **namespace, "labels": self.labels(part)}


def name_of(experiment: str) -> str:
    """Return the experiment's name as Kubernetes takes it: a label of DNS that begins with a letter."""
    name = re.sub(r"[^a-z0-9]+", "-", experiment.lower()).strip("-")
    name = name if name[:1].isalpha() else f"chaos-{name}".rstrip("-")
    return name[:MOST].rstrip("-")
