"""Which route takes a connection, as istiod has it: the answers are those of istiod for the same documents."""

from __future__ import annotations

import pytest
from support.mesh import load_resources

from chaos.mesh.names import Proxy
from chaos.mesh.resolve.connections import Chain, tcp_chain, tls_chains
from chaos.mesh.resolve.mesh import ResolvedMesh, resolve
from chaos.mesh.upstream.registry import Registry

DOCUMENTS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db}
spec:
  hosts: [db]
  tcp:
  - match: [{port: 9999}]
    route: [{destination: {host: other}}]
  - match: [{port: 5432}, {destinationSubnets: ["10.0.0.0/8"]}]
    route:
    - {destination: {host: db, subset: v1}, weight: 80}
    - {destination: {host: db, subset: v2}, weight: 20}
    - {destination: {host: other}, weight: 0}
  - route: [{destination: {host: other}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop, "*.example.com"]
  tls:
  - match: [{sniHosts: [shop.example.com], port: 443}]
    route: [{destination: {host: shop}}]
  - match: [{sniHosts: ["*.example.com"]}]
    route: [{destination: {host: shop}, weight: 30}, {destination: {host: other}, weight: 70}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec: {host: db, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [shop.example.com, other.example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
"""


def service(name: str, port: int, port_name: str, address: str) -> str:
    return (
        f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"
        f"spec: {{clusterIP: {address}, ports: [{{port: {port}, name: {port_name}}}]}}\n"
    )


SERVICES = (
    service("db", 5432, "tcp", "10.1.1.1")
    + service("other", 7000, "tcp", "10.1.1.2")
    + service("shop", 443, "tls", "10.1.1.3")
    + service("plain", 443, "https-x", "10.1.1.4")
)
DB = "db.default.svc.cluster.local"


def mesh_of(documents: str, proxy: Proxy | None = None) -> ResolvedMesh:
    return resolve(load_resources(documents + SERVICES), Registry(), proxy)


def shares(chain: Chain) -> dict[str, float]:
    return {label.replace(".default.svc.cluster.local", ""): share for label, share in chain.rule.shares.items()}


def test_the_first_tcp_route_that_counts_takes_all_connections_by_its_weights() -> None:
    chain = tcp_chain(mesh_of(DOCUMENTS), DB, 5432)
    assert (chain.server_names, chain.rule.name, chain.rule.key) == ((), "db.tcp[1]", "virtualservice/default/db/tcp/1")
    assert shares(chain) == {"db:5432/v1": 0.8, "db:5432/v2": 0.2}
    assert str(chain.rule.location) == "rules.yaml:10:5"


def test_without_a_route_they_go_to_the_service_itself() -> None:
    chain = tcp_chain(mesh_of(DOCUMENTS), "other.default.svc.cluster.local", 7000)
    assert (chain.rule.location, shares(chain)) == (None, {"other:7000": 1.0})


def test_tls_goes_by_the_server_name_and_a_single_port_needs_no_name() -> None:
    """What is passed to another service than that of the listener goes to the port that it has."""
    found = [(chain.server_names, chain.rule.name, shares(chain)) for chain in tls_chains(mesh_of(DOCUMENTS))]
    assert found[:2] == [
        (("shop.example.com",), "shop.tls[0]", {"shop:443": 1.0}),
        (("*.example.com",), "shop.tls[1]", {"shop:443": 0.3, "other:7000": 0.7}),
    ]
    ((names, _, where),) = found[2:]
    assert where == {"plain:443": 1.0} and {"plain", "plain.default", "plain.default.svc.cluster.local"} <= set(names)


ENTRIES = [
    ("{port: 5432}", Proxy(), True),
    ("{port: 5433}", Proxy(), False),
    ("{gateways: [mesh]}", Proxy(), True),
    ("{gateways: [ingress]}", Proxy(), False),
    ("{sourceLabels: {app: a}}", Proxy(labels={"app": "a"}), True),
    ("{sourceLabels: {app: a}}", Proxy(labels={"app": "b"}), False),
    ("{sourceNamespace: default}", Proxy(), True),
    ("{sourceNamespace: other}", Proxy(), False),
    ("{destinationSubnets: [10.1.0.0/16]}", Proxy(), True),
    ("{destinationSubnets: [10.2.0.0/16]}", Proxy(), False),
    ("{port: 5433}, {port: 5432}", Proxy(), True),
]


@pytest.mark.parametrize(("match", "proxy", "counts"), ENTRIES)
def test_an_entry_counts_by_what_is_known_of_proxy_port_and_address(match: str, proxy: Proxy, counts: bool) -> None:
    rules = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: db}\nspec:\n  hosts: [db]\n"
        f"  tcp:\n  - match: [{match}]\n    route: [{{destination: {{host: other}}}}]\n"
    )
    assert (tcp_chain(mesh_of(rules, proxy), DB, 5432).rule.name == "db.tcp[0]") is counts
