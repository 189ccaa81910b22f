"""A real API server takes every document, field by field, and every pod where the Pod Security Standard *restricted* is
enforced. `CHAOS_KUBECONFIG` names the access to a cluster; all that is left out of a dry run is a namespace, which is
deleted again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest
import yaml
from support.in_cluster import ALL, GOLDEN, wanted

from chaos.kubernetes.export import as_text, documents
from chaos.kubernetes.wanted import Message, Wanted

SOME = [*GOLDEN.values(), *ALL[::13]]  # each option given and not; all of them take kubectl three minutes
KUBECONFIG = os.environ.get("CHAOS_KUBECONFIG", "")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not KUBECONFIG, reason="CHAOS_KUBECONFIG names no cluster")]


def kubectl(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["kubectl", "--kubeconfig", KUBECONFIG, *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)


def create(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    return kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", *options, given=text)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace that takes no pod beyond *restricted*, with the accounts of the runs."""
    name = f"chaos-{uuid4().hex[:8]}"
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    made: list[Message] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop", "namespace": name}},
    ]
    assert kubectl("create", "-f", "-", given=as_text(made)).returncode == 0
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def in_namespace(of: Wanted, namespace: str) -> list[Message]:
    found: list[Message] = yaml.safe_load(yaml.safe_dump(list(yaml.safe_load_all(as_text(documents(of))))))
    for each in found:
        each["metadata"]["namespace"] = namespace
    return [each for each in found if each["kind"] != "ServiceAccount"]


def test_every_document_is_taken_as_it_is(namespace: str) -> None:
    """With `fieldValidation: Strict`; and *restricted* has nothing to warn of."""
    found = [document for each in SOME for document in in_namespace(each, namespace)]
    distinct = list({as_text([each]): each for each in found}.values())
    done = create(as_text(distinct))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:2000]
    assert done.stdout.count("created (server dry run)") == len(distinct) > 30


def test_the_account_is_taken(namespace: str) -> None:
    accounts = [each for each in documents(wanted(name="other")) if each["kind"] == "ServiceAccount"]
    done = create(as_text(accounts), "-n", namespace)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_pod_is_taken_where_restricted_is_enforced(namespace: str) -> None:
    """A Job is always taken; its pods would be refused later."""
    pods = []
    for each in SOME:
        for job in (found for found in in_namespace(each, namespace) if found["kind"] == "Job"):
            template = job["spec"]["template"]
            metadata = {**template["metadata"], "name": job["metadata"]["name"], "namespace": namespace}
            pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    distinct = list({as_text([each]): each for each in pods}.values())
    done = create(as_text(distinct))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:2000]
    pods[0]["spec"]["securityContext"]["runAsNonRoot"] = False
    refused = create(as_text(pods[:1]))
    assert refused.returncode and "violates PodSecurity" in refused.stderr  # it is enforced


def test_a_second_time_is_no_change(namespace: str) -> None:
    """`kubectl apply --server-side` of one file twice."""
    text = as_text(in_namespace(wanted(workers=2), namespace))
    for _ in range(2):
        done = kubectl("apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-", given=text)
        assert (done.returncode, done.stderr) == (0, "")
