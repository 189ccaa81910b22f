"""The fields of Kubernetes Pods, and of what makes Pods from a template, that Istio's analyzers read: labels, container
ports, and the user that containers run as.

Source: k8s.io/api/core/v1 PodSpec, apps/v1, batch/v1. Other fields are ignored."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from chaos.mesh.model.message import Label, Message, Text, UInt32


class _Lenient(Message):
    model_config = ConfigDict(extra="ignore")


class ContainerPort(_Lenient):
    """A port that a container says it listens on."""

    name: Text = ""
    """Name that a Service's `targetPort` may refer to."""
    container_port: UInt32 = 0
    """The port."""


class SecurityContext(_Lenient):
    """Who a container runs as."""

    run_as_user: int | None = None
    """User id."""


class Container(_Lenient):
    """One container."""

    name: Text = ""
    """Name of the container."""
    image: Text = ""
    """Its image."""
    ports: tuple[ContainerPort, ...] = ()
    """Ports that it says it listens on."""
    security_context: SecurityContext | None = None
    """Who it runs as."""


class Pod(_Lenient):
    """spec of a Pod."""

    containers: tuple[Container, ...] = ()
    """Its containers."""
    security_context: SecurityContext | None = None
    """Who its containers run as."""


class TemplateMetadata(_Lenient):
    """metadata of the Pods that are made."""

    labels: dict[str, Label] = {}
    """Their labels."""
    annotations: dict[str, Label] = {}
    """Their annotations."""


class PodTemplate(_Lenient):
    """What the Pods that are made look like."""

    metadata: TemplateMetadata = TemplateMetadata()
    """Their metadata."""
    spec: Pod = Pod()
    """Their spec."""


class PodMaker(_Lenient):
    """spec of a Deployment, StatefulSet, DaemonSet, ReplicaSet or Job."""

    template: PodTemplate = Field(default_factory=PodTemplate)
    """The template of its Pods."""


class JobTemplate(_Lenient):
    """What the Jobs that are made look like."""

    spec: PodMaker = Field(default_factory=PodMaker)
    """Their spec."""


class CronJob(_Lenient):
    """spec of a CronJob."""

    job_template: JobTemplate = Field(default_factory=JobTemplate)
    """The template of its Jobs."""
