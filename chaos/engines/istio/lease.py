"""The lease: a Job that never makes a pod, and that Kubernetes deletes by itself with all that it owns.

A Job with `completions: 0` is complete at once; `ttlSecondsAfterFinished` seconds later the controller manager deletes
it, and the garbage collector whatever names it as its owner. A run renews it while it lives: when its process, its host
or its network dies, the faults end without anyone's help, and without a controller of ours in the cluster."""

from __future__ import annotations

from math import ceil

from chaos.engines.istio.marks import Json, Marks

SECONDS = 60
"""For how long a lease lasts after it was renewed."""

RENEWED_EVERY = 15.0
"""Seconds between two renewals."""

KIND = {"apiVersion": "batch/v1", "kind": "Job"}


def lease(marks: Marks) -> Json:
    """Return the Job of a run."""
    return {
        **KIND,
        "metadata": marks.metadata("lease"),
        "spec": {
            "completions": 0,
            "parallelism": 0,
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": SECONDS,
            "template": {
                "metadata": {"labels": marks.labels},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    # Never pulled: no pod is ever made.
                    "containers": [{"name": "none", "image": "registry.k8s.io/pause:3.10"}],
                },
            },
        },
    }


def renewal(age: float) -> Json:
    """Return the merge patch that makes a lease of this age, in seconds since it finished, last for `SECONDS` from
    now: its time to live counts from when it finished, which was at once."""
    return {"spec": {"ttlSecondsAfterFinished": ceil(age) + SECONDS}}


def owner(created: Json) -> Json:
    """Return the reference by which an object names the lease as its owner; `created` is the API server's answer."""
    return {**KIND, "name": created["metadata"]["name"], "uid": created["metadata"]["uid"]}
