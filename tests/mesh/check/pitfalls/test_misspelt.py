"""Hosts that are nearly the name of a service: infos."""

from __future__ import annotations

import pytest

from chaos.mesh.check.report import check


def infos(host: str, *services: str, gateways: str = "mesh") -> list[str]:
    """What is said of a rule for this host, beside an experiment with these services."""
    listed = "".join(f"    {each}: {{}}\n" for each in services)
    rule = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: prices}\n"
        f"spec: {{hosts: ['{host}'], gateways: [{gateways}], http: [{{route: [{{destination: {{host: prices}}}}]}}]}}\n"
    )
    own = f"apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  services:\n{listed}"
    (report,) = check([("f.yaml", f"{own}---\n{rule}")])
    return [f"{info.path}: {info.message}" for info in report.infos if info.code == "misspelt-host"]


@pytest.mark.parametrize("host", ["pricess", "price", "pirces", "pricess.default.svc.cluster.local"])
def test_a_host_that_is_nearly_a_services_name_is_asked_about(host: str) -> None:
    meant = host.replace(host.partition(".")[0], "prices")
    assert infos(host, "prices", "shop") == [f"spec.hosts[0]: no service {host}; did you mean {meant}?"]


@pytest.mark.parametrize("host", ["prices", "market", "*", "pricess.example.com", "prices2", "pricess.other"])
def test_any_other_host_may_be_meant(host: str) -> None:
    assert infos(host, "prices", "shop") == []


def test_of_two_names_that_are_near_none_is_meant_nor_beyond_a_gateway() -> None:
    assert infos("prices-", "prices-a", "prices-b") == []
    assert infos("pricess", "prices", gateways="entry") == []
    assert infos("pricess") == []
