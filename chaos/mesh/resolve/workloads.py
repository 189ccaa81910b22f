"""The Pods that files name: those that stand there, and one for each template of a Deployment, StatefulSet, DaemonSet,
ReplicaSet, Job or CronJob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from chaos.mesh.model.message import Message
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.workload import CronJob, Pod, PodMaker, PodTemplate
from chaos.mesh.source.document import Path

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A Pod, or the Pods of one template. `path` leads to the Pod's spec in its document."""

    source: Resource[Message]
    labels: Labels
    pod: Pod
    path: Path = ("spec",)

    @property
    def namespace(self) -> str:
        return self.source.namespace


def workloads(resources: Resources) -> tuple[Workload, ...]:
    """Return the Pods of all resources that have or make some."""
    return tuple(workload for each in resources.workloads for workload in _of(each))


def called(found: Iterable[Workload], name: str) -> Workload | None:
    """Return the workload of this name, `name` or `namespace/name`; None without one. Of several the first counts."""
    owner, slash, short = name.rpartition("/")
    return next((each for each in found if each.source.name == short and (not slash or each.namespace == owner)), None)


def selected(found: Iterable[Workload], labels: Labels, namespace: str | None = None) -> list[Workload]:
    """Return those with all of these labels, in one namespace or, with None, in any."""
    return [
        each
        for each in found
        if labels.items() <= each.labels.items() and (namespace is None or each.namespace == namespace)
    ]


def _of(source: Resource[Message]) -> Iterator[Workload]:
    spec = source.spec
    if isinstance(spec, Pod):
        yield Workload(source, source.labels, spec)
    elif isinstance(spec, PodMaker):
        yield _made(source, spec.template, ("spec", "template", "spec"))
    elif isinstance(spec, CronJob):
        path = ("spec", "jobTemplate", "spec", "template", "spec")
        yield _made(source, spec.job_template.spec.template, path)


def _made(source: Resource[Message], template: PodTemplate, path: Path) -> Workload:
    return Workload(source, template.metadata.labels, template.spec, path)
