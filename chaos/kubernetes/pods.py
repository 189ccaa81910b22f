"""The pods of a run, as the Pod Security Standard *restricted* has them: no root, no privilege, a root file system that
nobody writes to. What is written goes to volumes: /tmp, and the reports."""

from __future__ import annotations

from chaos.kubernetes.wanted import LABEL, PORT, Message, Part, Wanted

FOLDER = "/experiment"
REPORTS = "/reports"
TOKEN = "/token"
PROGRAM = "chaos-harness"
GROUP = 1000
"""The group that may write to a claimed volume: that of the image's user."""

RESOURCES: dict[Part, dict[str, str]] = {
    Part.RUN: {"cpu": "2", "memory": "1Gi"},
    Part.WORKER: {"cpu": "1", "memory": "512Mi"},
}
"""What is asked for and the limit at once: a pod whose CPU is throttled measures the throttle."""


def run_pod(wanted: Wanted) -> Message:
    """Return the pod that plans the run, has its gateway and services, and judges."""
    arguments = ["run", f"{FOLDER}/{wanted.files.experiment}", "--out", REPORTS, "--format", "json"]
    arguments += ["--gateway", wanted.gateway] if wanted.gateway else []
    arguments += [part for setting in wanted.settings for part in ("--set", setting)]
    arguments += ["--engine", wanted.engine] if wanted.engine else []
    if wanted.workers:
        arguments += ["--load-bind", f"0.0.0.0:{PORT}", "--load-workers", str(wanted.workers)]
        arguments += ["--load-wait", wanted.wait, "--load-token-file", f"{TOKEN}/token"]
    volumes = [_files(wanted), _reports(wanted)]
    mounts = [*_mounts(wanted), {"name": "reports", "mountPath": REPORTS}]
    container = _container(wanted, Part.RUN, arguments, mounts)
    if wanted.workers:
        container["ports"] = [{"name": "tcp-load", "containerPort": PORT}]
    if wanted.environment_secret:
        container["envFrom"] = [{"secretRef": {"name": wanted.environment_secret}}]
    return _pod(wanted, Part.RUN, container, volumes)


def worker_pod(wanted: Wanted) -> Message:
    """Return the pod that sends a share of the requests."""
    arguments = ["load-worker", f"{wanted.name}:{PORT}", "--token-file", f"{TOKEN}/token"]
    arguments += ["--allow-code"] if wanted.code else []
    return _pod(wanted, Part.WORKER, _container(wanted, Part.WORKER, arguments, []), [])


def _pod(wanted: Wanted, part: Part, container: Message, volumes: list[Message]) -> Message:
    security: Message = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if part is Part.RUN and wanted.reports_claim:
        security["fsGroup"] = GROUP
    spec: Message = {
        "restartPolicy": "Never",
        "serviceAccountName": wanted.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service called envoy would set ENVOY_PORT
        "terminationGracePeriodSeconds": 60,
        "securityContext": security,
        "containers": [container],
        "volumes": [*volumes, *_token(wanted), {"name": "tmp", "emptyDir": {}}],
    }
    if part is Part.WORKER:
        spec["topologySpreadConstraints"] = [_spread(wanted)]
    return {"metadata": _metadata(wanted, part), "spec": spec}


def _metadata(wanted: Wanted, part: Part) -> Message:
    """Return labels and annotations of a pod: whether it has a sidecar, and that moving it would end the run."""
    annotations = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    if wanted.sidecar:
        annotations["proxy.istio.io/config"] = '{"holdApplicationUntilProxyStarts": true}'
        # The load's own channel is nobody's traffic of the mesh.
        annotations["traffic.sidecar.istio.io/excludeInboundPorts"] = str(PORT)
        annotations["traffic.sidecar.istio.io/excludeOutboundPorts"] = str(PORT)
    labels = {**wanted.labels(part), "sidecar.istio.io/inject": "true" if wanted.sidecar else "false"}
    return {"labels": labels, "annotations": annotations}


def _container(wanted: Wanted, part: Part, arguments: list[str], mounts: list[Message]) -> Message:
    token = [{"name": "token", "mountPath": TOKEN, "readOnly": True}] if wanted.workers else []
    return {
        "name": "chaos",
        "image": wanted.image,
        "command": [PROGRAM],
        "args": arguments,
        "env": [{"name": "HOME", "value": "/tmp"}],  # of a user without an entry in /etc/passwd
        "resources": {"requests": dict(RESOURCES[part]), "limits": dict(RESOURCES[part])},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, *token, {"name": "tmp", "mountPath": "/tmp"}],
    }


def _files(wanted: Wanted) -> Message:
    items = {} if wanted.code else {"items": wanted.files.items}
    if wanted.files_in_secret:
        return {"name": "experiment", "secret": {"secretName": wanted.name, **items}}
    return {"name": "experiment", "configMap": {"name": wanted.name, **items}}


def _mounts(wanted: Wanted) -> list[Message]:
    """Return where the files are mounted. Below a volume all names are links, which nobody follows who sends the folder
    of a locustfile to other hosts; so that is made of files."""
    if not wanted.code:
        return [{"name": "experiment", "mountPath": FOLDER, "readOnly": True}]
    return [
        {"name": "experiment", "mountPath": f"{FOLDER}/{each.path}", "subPath": each.key, "readOnly": True}
        for each in wanted.files.files
    ]


def _reports(wanted: Wanted) -> Message:
    if wanted.reports_claim:
        return {"name": "reports", "persistentVolumeClaim": {"claimName": wanted.reports_claim}}
    return {"name": "reports", "emptyDir": {}}


def _token(wanted: Wanted) -> list[Message]:
    if not wanted.workers:
        return []
    items = [{"key": "token", "path": "token"}]
    return [{"name": "token", "secret": {"secretName": wanted.token_secret_name, "items": items}}]


def _spread(wanted: Wanted) -> Message:
    """Return that workers go to different nodes, where there are some."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {LABEL: wanted.name, "app.kubernetes.io/component": Part.WORKER.value}},
    }
