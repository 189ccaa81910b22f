"""Runs that are to happen in a cluster, with every option that changes their documents."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from chaos.kubernetes.files import shipment
from chaos.kubernetes.wanted import Wanted

FILES = shipment("/a/shop/case.yaml", {"/a/shop/case.yaml": "kind: Experiment\n", "/a/shop/body.json": '{"a": 1}'})


def wanted(**options: Any) -> Wanted:
    given: dict[str, Any] = {"name": "shop", "image": "registry.example/chaos:1", "files": FILES, "token": "t0ken"}
    return Wanted(**{**given, **options})


GOLDEN = {
    "alone": wanted(),
    "workers": wanted(workers=8, namespace="load"),
    "gateway": wanted(
        workers=2,
        gateway="http://gateway.istio-ingress",
        settings=("spec.load.users=50",),
        token="",
        token_secret="mine",
        reports_claim="reports",
        environment_secret="shop-environment",
        files_in_secret=True,
        sidecar=True,
        code=True,
    ),
}


def every_combination() -> Iterator[Wanted]:
    flags = ("files_in_secret", "sidecar", "code")
    texts = ("gateway", "token_secret", "reports_claim", "environment_secret", "namespace")
    for workers, *values in product((0, 3), *[(False, True)] * len(flags), *[("", "given")] * len(texts)):
        yield wanted(workers=workers, **dict(zip((*flags, *texts), values, strict=True)))


ALL = list(every_combination())
