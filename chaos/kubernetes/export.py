"""All documents of a run, in the order in which they have to be there."""

from __future__ import annotations

from collections.abc import Iterable

from chaos.kubernetes.pods import run_pod, worker_pod
from chaos.kubernetes.wanted import PORT, Message, Part, Wanted
from chaos.mesh.source.writing import Block, to_yaml_stream

KEPT = 24 * 3600
"""Seconds for which a Job and its pods' logs are kept when it is over."""


def documents(wanted: Wanted) -> list[Message]:
    """Return the documents with which the run happens in a cluster."""
    found = [_files(wanted), _account(wanted)]
    if wanted.workers and not wanted.token_secret:
        found.append(_token(wanted))
    if wanted.workers:
        found.append(_service(wanted))
    found.append(_job(wanted, wanted.name, Part.RUN, run_pod(wanted)))
    if wanted.workers:
        indexed = {"completionMode": "Indexed", "completions": wanted.workers, "parallelism": wanted.workers}
        found.append(_job(wanted, f"{wanted.name}-workers", Part.WORKER, worker_pod(wanted), indexed))
    return found


def as_text(found: Iterable[Message]) -> str:
    """Return the documents as YAML."""
    return to_yaml_stream(found)


def _files(wanted: Wanted) -> Message:
    """Return the files of the experiment."""
    metadata = wanted.metadata(wanted.name)
    data = {key: Block(text) for key, text in wanted.files.data.items()}
    if wanted.files_in_secret:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _account(wanted: Wanted) -> Message:
    """Return the account of the pods, which may do nothing: neither the run nor a worker asks the cluster anything."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": wanted.metadata(wanted.name),
        "automountServiceAccountToken": False,
    }


def _token(wanted: Wanted) -> Message:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": wanted.metadata(wanted.token_secret_name),
        "stringData": {"token": wanted.token},
    }


def _service(wanted: Wanted) -> Message:
    """Return the name under which workers find the run: without an address of its own, so that every port of the pod
    is reached by it, the gateway's too."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": wanted.metadata(wanted.name),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": wanted.labels(Part.RUN),
            "ports": [{"name": "tcp-load", "port": PORT, "targetPort": PORT}],
        },
    }


def _job(wanted: Wanted, name: str, part: Part, pod: Message, more: Message | None = None) -> Message:
    """Return a Job whose pods are started once: a run that was cut short is not one that can be continued."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": wanted.metadata(name, part),
        "spec": {**(more or {}), "backoffLimit": 0, "ttlSecondsAfterFinished": KEPT, "template": pod},
    }
