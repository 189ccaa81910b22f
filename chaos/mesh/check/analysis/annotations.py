"""Check Istio's annotations on Services, Pods and Deployments: unknown (IST0108), on the wrong kind (IST0107),
deprecated (IST0135, an info).

Source: istio analyzers annotations/annotations.go; istio/api annotation/annotations.gen.go."""

from __future__ import annotations

from typing import Any

from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource
from chaos.mesh.read.shape import one_of, suggestion

MISPLACED, UNKNOWN, DEPRECATED = "IST0107", "IST0108", "IST0135"
_KINDS = ("Service", "Pod", "Deployment")
_ANYWHERE = frozenset(("galley.istio.io/analyze-suppress",))
_BY_ISTIO = frozenset(("sidecar.istio.io/status", "gateway.istio.io/controller-version", "istio.io/rev"))
_DEPRECATED = frozenset((
    "alpha.istio.io/canonical-serviceaccounts", "alpha.istio.io/kubernetes-serviceaccounts",
    "sidecar.istio.io/discoveryAddress", "sidecar.istio.io/extraStatTags", "sidecar.istio.io/inject",
    "sidecar.istio.io/statsCompression", "sidecar.istio.io/statsInclusionPrefixes",
    "sidecar.istio.io/statsInclusionRegexps", "sidecar.istio.io/statsInclusionSuffixes",
    "traffic.sidecar.istio.io/kubevirtInterfaces",
))  # fmt: skip
_OF_PODS = (
    *(f"ambient.istio.io/{name}" for name in ("bypass-inbound-capture", "dns-capture", "redirection")),
    "inject.istio.io/templates", "istio.io/reroute-virtual-interfaces", "prometheus.istio.io/merge-metrics",
    "proxy.istio.io/config", "proxy.istio.io/overrides", "status.sidecar.istio.io/port",
    *(
        f"readiness.status.sidecar.istio.io/{name}"
        for name in ("applicationPorts", "failureThreshold", "initialDelaySeconds", "periodSeconds")
    ),
    *(
        f"sidecar.istio.io/{name}"
        for name in (
            "agentLogLevel", "bootstrapOverride", "componentLogLevel", "discoveryAddress", "extraStatTags", "inject",
            "interceptionMode", "logLevel", "nativeSidecar", "proxyCPU", "proxyCPULimit", "proxyImage",
            "proxyImageType", "proxyMemory", "proxyMemoryLimit", "rewriteAppHTTPProbers", "statsCompression",
            "statsEvictionInterval", "statsFlushInterval", "statsHistogramBins", "statsHistogramBuckets",
            "statsInclusionPrefixes", "statsInclusionRegexps", "statsInclusionSuffixes", "userVolume",
            "userVolumeMount",
        )
    ),
    *(
        f"traffic.sidecar.istio.io/{name}"
        for name in (
            "excludeInboundPorts", "excludeInterfaces", "excludeOutboundIPRanges", "excludeOutboundPorts",
            "includeInboundPorts", "includeOutboundIPRanges", "includeOutboundPorts", "kubevirtInterfaces",
        )
    ),
)  # fmt: skip
_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_OF_PODS, ("Pod",)),
    "alpha.istio.io/canonical-serviceaccounts": ("Service",),
    "alpha.istio.io/kubernetes-serviceaccounts": ("Service",),
    "ambient.istio.io/waypoint-inbound-binding": ("GatewayClass", "Gateway"),
    "gateway.istio.io/name-override": ("Gateway",),
    "gateway.istio.io/service-account": ("Gateway",),
    "istio.io/autoRegistrationGroup": ("WorkloadEntry",),
    "istio.io/connectedAt": ("WorkloadEntry",),
    "istio.io/disconnectedAt": ("WorkloadEntry",),
    "istio.io/dry-run": ("AuthorizationPolicy",),
    "istio.io/use-waypoint-canary-weight": ("Service", "ServiceEntry", "Namespace"),
    "istio.io/workloadController": ("WorkloadEntry",),
    "kubernetes.io/ingress.class": ("Ingress",),
    "networking.istio.io/exportTo": ("Service",),
    "networking.istio.io/service-type": ("Gateway",),
    "networking.istio.io/traffic-distribution": ("Namespace", "Service", "ServiceEntry"),
    "topology.istio.io/controlPlaneClusters": ("Namespace",),
    "traffic.istio.io/nodeSelector": ("Service",),
}
"""By annotation: the kinds that it belongs on."""


def analyze_annotations(at: At, resource: Resource[Any]) -> None:
    """Report on the annotations of one object; `at` points at its root."""
    if resource.kind not in _KINDS:
        return
    here = at.into("metadata", "annotations")
    for name in resource.annotations:
        group = name.partition("/")[0]
        if (group.endswith("istio.io") or name in _OF) and name not in _BY_ISTIO | _ANYWHERE:
            _annotation(here.into(name), name, resource)


def _annotation(at: At, name: str, resource: Resource[Any]) -> None:
    kinds = _OF.get(name)
    if kinds is None:
        unknown = suggestion(name, list(_OF)).after("is not an annotation of Istio, and has no effect")
        at.warn(unknown, UNKNOWN)
        return
    if name in _DEPRECATED and not (name == "sidecar.istio.io/inject" and name in resource.labels):
        instead = "; write it as a label" if name == "sidecar.istio.io/inject" else ""
        at.info(f"deprecated{instead}", DEPRECATED)
    if resource.kind not in kinds:
        where = " (of the template)" if kinds == ("Pod",) and resource.kind != "Service" else ""
        at.warn(f"belongs on {one_of(list(kinds))}{where}, and has no effect on a {resource.kind}", MISPLACED)
