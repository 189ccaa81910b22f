"""The fields of a Kubernetes Service that Istio reads: ports, protocols, and how it is reached.

Source: k8s.io/api/core/v1 ServiceSpec; istio serviceregistry/kube ConvertService. Other fields are ignored."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from chaos.mesh.model.message import Message, Text, UInt32

EXPORT_TO = "networking.istio.io/exportTo"
"""Annotation: namespaces that see the Service, separated by commas."""


class _Lenient(Message):
    model_config = ConfigDict(extra="ignore")


class KubernetesPort(_Lenient):
    """A port of the Service."""

    name: Text = ""
    """Its beginning, up to the first `-`, says the protocol when `appProtocol` does not."""
    port: UInt32
    """Port that callers use, 1..65535."""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    """Transport."""
    target_port: int | Text = 0
    """Port of the pods, a number or the name of a container's port; `port` when absent."""
    app_protocol: Text = ""
    """What the port speaks: http, https, grpc, tcp, kubernetes.io/h2c ..."""


class KubernetesService(_Lenient):
    """spec of a Service."""

    ports: tuple[KubernetesPort, ...] = ()
    """Ports of the Service."""
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    """How it is reached."""
    cluster_ip: Text = Field(default="", alias="clusterIP")
    """Virtual address; `None` makes it headless."""
    external_name: Text = ""
    """The name it stands for, of type ExternalName."""
    selector: dict[str, Text] = {}
    """Labels of its pods."""

    @property
    def is_headless(self) -> bool:
        return self.cluster_ip == "None"
