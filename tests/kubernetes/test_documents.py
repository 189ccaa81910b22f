"""The documents of a run in a cluster: pinned as a whole, and what must hold of each whatever was asked for.

That an API server takes them, `make cluster` asks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.goldens import assert_golden
from support.in_cluster import ALL, GOLDEN, wanted

from chaos.kubernetes.export import as_text, documents
from chaos.kubernetes.files import MOST, MOST_FOR_CLIENT, shipment, size_problems
from chaos.kubernetes.wanted import MOST as LONGEST
from chaos.kubernetes.wanted import Message, Wanted, name_of
from chaos.mesh.source.document import read_documents

GOLDENS = Path(__file__).parent / "goldens"
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("name", GOLDEN)
def test_the_documents(name: str) -> None:
    assert_golden(GOLDENS / f"{name}.yaml", as_text(documents(GOLDEN[name])))


def jobs(of: Wanted) -> dict[str, Message]:
    return {each["metadata"]["name"]: each["spec"] for each in documents(of) if each["kind"] == "Job"}


def test_what_is_written_reads_back_as_it_was() -> None:
    for each in ALL:
        made = documents(each)
        text = as_text(made)
        read = read_documents(text, "run.yaml")
        assert read.problems == () and [document.value for document in read] == made
        assert "&id" not in text  # no anchors, which surprise people


def test_every_pod_is_as_the_standard_restricted_has_it() -> None:
    """Pod Security Standards: restricted; and a root that nobody writes to."""
    for each in ALL:
        for spec in jobs(each).values():
            pod = spec["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
            assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} <= {
                "configMap", "secret", "emptyDir", "persistentVolumeClaim",
            }  # fmt: skip
            (container,) = pod["containers"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"] == container["resources"]["limits"]


def test_every_volume_is_mounted_and_every_mount_has_its_volume() -> None:
    for each in ALL:
        for spec in jobs(each).values():
            pod = spec["template"]["spec"]
            mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
            assert sorted(mounts) == sorted(volume["name"] for volume in pod["volumes"])
            assert "tmp" in mounts


def test_workers_find_the_run_and_show_its_token() -> None:
    of = wanted(workers=3)
    by_kind = {each["kind"]: each for each in documents(of)}
    service, secret = by_kind["Service"], by_kind["Secret"]
    run, workers = jobs(of)["shop"], jobs(of)["shop-workers"]
    labels = run["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert not service["spec"]["selector"].items() <= workers["template"]["metadata"]["labels"].items()
    arguments = workers["template"]["spec"]["containers"][0]["args"]
    assert arguments == ["load-worker", f"{service['metadata']['name']}:5557", "--token-file", "/token/token"]
    assert secret["stringData"] == {"token": "t0ken"}
    assert (workers["completionMode"], workers["completions"], workers["parallelism"]) == ("Indexed", 3, 3)


def test_the_run_alone_needs_neither_service_nor_token() -> None:
    assert [each["kind"] for each in documents(wanted())] == ["ConfigMap", "ServiceAccount", "Job"]


def test_a_secret_that_is_there_is_not_made() -> None:
    kinds = [each["kind"] for each in documents(wanted(workers=1, token_secret="mine"))]
    assert "Secret" not in kinds


@pytest.mark.parametrize(
    ("experiment", "name"),
    [
        ("abort50", "abort50"),
        ("Shop v2.1_x", "shop-v2-1-x"),
        ("50%", "chaos-50"),
        ("é", "chaos"),
        ("-a-", "a"),
        ("x" * 100, "x" * 45),
        (f"{'x' * 44}-y", "x" * 44),
    ],
)
def test_a_name_is_one_that_kubernetes_takes(experiment: str, name: str) -> None:
    assert name_of(experiment) == name and DNS_LABEL.fullmatch(f"{name}-workers-999")
    assert len(name) <= LONGEST


# ------------------------------------------------------------------------------------------------ files


def test_files_stand_where_the_others_look_for_them() -> None:
    texts = {"/a/exp/case.yaml": "1", "/a/rules/web.yaml": "2", "/a/exp/data/ö b.csv": "3", "/a/exp/data/u b.csv": "4"}
    files = shipment("/a/exp/case.yaml", texts)
    assert files.experiment == "exp/case.yaml"
    assert {each.path: each.text for each in files.files} == {
        "exp/case.yaml": "1", "rules/web.yaml": "2", "exp/data/ö b.csv": "3", "exp/data/u b.csv": "4",
    }  # fmt: skip
    assert len(files.data) == 4 and all(re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) for key in files.data)


def test_no_two_files_have_one_key() -> None:
    texts = {"/a/case.yaml": "", "/a/x y": "1", "/a/x+y": "2", "/a/x_y": "3"}
    assert sorted(shipment("/a/case.yaml", texts).data.values()) == ["", "1", "2", "3"]


@pytest.mark.parametrize(
    ("size", "said"),
    [(MOST_FOR_CLIENT, []), (MOST_FOR_CLIENT + 1, ["warning"]), (MOST + 1, ["error"])],
)
def test_what_a_config_map_does_not_hold_is_said(size: int, said: list[str]) -> None:
    files = shipment("/a/case.yaml", {"/a/case.yaml": "", "/a/big.csv": "x" * size})
    problems = size_problems(files, "case.yaml")
    assert [each.severity for each in problems] == said and all("big.csv" in each.message for each in problems)
