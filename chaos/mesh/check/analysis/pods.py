"""Check Pods and the templates of Pods: a container that runs as the user of Istio's proxy (IST0144).

Source: istio analyzers deployment/pod.go, which looks at Pods and Deployments."""

from __future__ import annotations

from chaos.mesh.check.cursor import At
from chaos.mesh.model.workload import SecurityContext
from chaos.mesh.resolve.workloads import Workload

PROXY_USER_ID = 1337
RUNS_AS_PROXY = "IST0144"

_KINDS = ("Pod", "Deployment")
_PROXY = ("istio-proxy", "istio-operator")


def analyze_pod(at: At, workload: Workload) -> None:
    """Report on one Pod or template; `at` points at the document's root."""
    if workload.source.kind not in _KINDS:
        return
    here = At(workload.source, workload.path, at.problems)
    _user(here.into("securityContext"), workload.pod.security_context)
    for index, container in enumerate(workload.pod.containers):
        if container.name not in _PROXY:
            _user(here.into("containers", index, "securityContext"), container.security_context)


def _user(at: At, context: SecurityContext | None) -> None:
    if context is not None and context.run_as_user == PROXY_USER_ID:
        message = f"{PROXY_USER_ID} is the user of Istio's proxy, whose traffic is never redirected; use another"
        at.into("runAsUser").warn(message, RUNS_AS_PROXY)
