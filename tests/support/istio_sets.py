"""Random sets of Istio documents, each with services, a proxy and requests; a number gives the same set for ever.

They are about which rule exists for a request at all, and what it does: several VirtualServices for a host, exported
here and there and of different ages, delegates, wildcards, letter case, ports, DestinationRules that meet, Gateways,
ServiceEntries. Every rule names itself in a response header or its body, and nothing depends on chance: no route has
two destinations, no fault a percentage but 100."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

Json = dict[str, Any]

NAMESPACES = ("default", "prod")
PORTS = (80, 8080, 9080)
PATHS = ("/", "/a", "/a/b", "/A", "/ab?x=1", "/b/c", "/c?x=2&y=1", "/a//b")
AGES = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z")
ISTIO = "networking.istio.io/v1"
INGRESS = {"istio": "ingressgateway"}


@dataclass(frozen=True, slots=True)
class Pod:
    """One endpoint; `address` is its IP in the mesh, `name` that of the echo server that stands for it."""

    name: str
    address: str
    labels: Json


@dataclass(frozen=True, slots=True)
class Service:
    """A Kubernetes Service, or a ServiceEntry if `entry`: a host, the protocols of its ports, and its pods."""

    host: str
    ports: dict[int, str]
    pods: list[Pod]
    export_to: str = ""
    entry: bool = False
    cluster_ip: str = ""


@dataclass(slots=True)
class IstioSet:
    """`documents` are Istio's, ServiceEntries among them; `requests` are {method, host, target, headers}. `port` is
    that of the one listener of a Gateway's proxy."""

    number: int
    proxy: Json
    services: list[Service]
    documents: list[Json]
    requests: list[Json]
    port: int | None = None


def make_set(number: int) -> IstioSet:
    """Return one set."""
    return _Maker(number).make()


@dataclass(slots=True)
class _Maker:
    number: int
    dice: Random = field(init=False)
    services: list[Service] = field(default_factory=list)
    subsets: dict[str, set[str]] = field(default_factory=dict)
    gateways: list[str] = field(default_factory=list)
    delegates: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = Random(f"istio set {self.number}")

    def make(self) -> IstioSet:
        dice = self.dice
        at_gateway = dice.random() < 0.3
        port = dice.choice(PORTS) if at_gateway else None
        namespace = dice.choice((*NAMESPACES, "default"))
        proxy: Json = {"namespace": namespace}
        if at_gateway:
            proxy |= {"gateway": "edge", "labels": dict(INGRESS), "port": port}
        elif dice.random() < 0.5:
            proxy["labels"] = {"app": dice.choice(("client", "other")), "tier": "web"}
        self.services = [*self._kubernetes(), *self._entries()]
        documents = [*self._service_entries(), *self._destination_rules()]
        if at_gateway:
            documents += self._gateways(namespace, port or 80)
        elif dice.random() < 0.2:
            documents.append(self._sidecar(namespace))
        documents += self._delegates()
        documents += [self._virtual_service(f"vs{index}", at_gateway) for index in range(dice.randint(1, 5))]
        dice.shuffle(documents)
        return IstioSet(self.number, proxy, self.services, documents, self._requests(documents, port), port)

    # ------------------------------------------------------------------------------------------------ services

    def _kubernetes(self) -> list[Service]:
        found = []
        names = self.dice.sample([(name, space) for name in "abc" for space in NAMESPACES], self.dice.randint(2, 4))
        for index, (name, space) in enumerate(names):
            ports = dict.fromkeys(self.dice.sample(PORTS, self.dice.randint(1, 2)), "http")
            if self.dice.random() < 0.1:
                ports[self.dice.choice(PORTS)] = "tcp"
            export = self.dice.choice((".", "prod", "default,prod", "*")) if self.dice.random() < 0.2 else ""
            pods = [
                Pod(f"{name}-{space}-{each}", f"10.1.{index}.{each}", {"app": name, "version": f"v{each}"})
                for each in (1, 2)
            ]
            host = f"{name}.{space}.svc.cluster.local"
            found.append(Service(host, ports, pods, export, cluster_ip=f"10.0.0.{index + 1}"))
        return found

    def _entries(self) -> list[Service]:
        found = []
        for index, host in enumerate(("ext.example.com", "*.wild.example.com")):
            if self.dice.random() < 0.35:
                ports = dict.fromkeys(self.dice.sample(PORTS, self.dice.randint(1, 2)), "http")
                pods = [
                    Pod(f"entry-{index}-{each}", f"10.2.{index}.{each}", {"version": f"v{each}"}) for each in (1, 2)
                ]
                found.append(Service(host, ports, pods, entry=True))
        return found

    def _service_entries(self) -> list[Json]:
        return [
            self._document(
                "ServiceEntry",
                each.host.replace("*", "any"),
                {
                    "hosts": [each.host],
                    "ports": [
                        {"number": port, "name": f"{protocol}-{port}", "protocol": protocol.upper()}
                        for port, protocol in each.ports.items()
                    ],
                    "location": "MESH_INTERNAL",
                    "resolution": "STATIC",
                    "endpoints": [{"address": pod.address, "labels": pod.labels} for pod in each.pods],
                },
                export=self.dice.random() < 0.2,
            )
            for each in self.services
            if each.entry
        ]

    # ------------------------------------------------------------------------------------------------ documents

    def _document(self, kind: str, name: str, spec: Json, *, export: bool, namespace: str = "") -> Json:
        dice = self.dice
        metadata: Json = {"name": name, "namespace": namespace or dice.choice(NAMESPACES)}
        if dice.random() < 0.8:
            metadata["creationTimestamp"] = dice.choice(AGES)
        if export:
            spec = {**spec, "exportTo": dice.choice((["."], ["*"], ["prod"], ["default"], ["default", "prod"]))}
        return {"apiVersion": ISTIO, "kind": kind, "metadata": metadata, "spec": spec}

    def _host(self, namespace_free: bool = False) -> str:
        """Return the name of a service, in one of the ways to write it, or of none."""
        dice, each = self.dice, self.dice.choice(self.services)
        if each.entry:
            return each.host.replace("*", "one") if namespace_free else each.host
        name, space, _ = each.host.split(".", 2)
        ways = [each.host, each.host, each.host, name, f"{name}.{space}"]
        if dice.random() < 0.06:
            return dice.choice((each.host.upper(), name.upper(), f"*.{space}.svc.cluster.local", "nobody.example.com"))
        return dice.choice(ways)

    def _destination_rules(self) -> list[Json]:
        found = []
        for index in range(self.dice.randint(0, 4)):
            host = self._host()
            if self.dice.random() < 0.15:
                host = self.dice.choice(("*.svc.cluster.local", "*.default.svc.cluster.local", "*.example.com"))
            names = self.dice.sample(("v1", "v2"), self.dice.randint(1, 2))
            spec: Json = {"host": host, "subsets": [{"name": name, "labels": {"version": name}} for name in names]}
            if self.dice.random() < 0.15:
                spec["workloadSelector"] = {"matchLabels": {"app": self.dice.choice(("client", "other"))}}
            export = "workloadSelector" not in spec and self.dice.random() < 0.3
            found.append(self._document("DestinationRule", f"dr{index}", spec, export=export))
        return found

    def _gateways(self, namespace: str, port: int) -> list[Json]:
        found = []
        for name in ("edge", "second")[: self.dice.randint(1, 2)]:
            hosts = self.dice.sample(
                ("*", "shop.example.com", "*.example.com", "default/*", "./*", "prod/shop.example.com"),
                self.dice.randint(1, 2),
            )
            if "*" in hosts:
                hosts = ["*"]
            server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": hosts}
            spec = {"selector": dict(INGRESS), "servers": [server]}
            made = self._document("Gateway", name, spec, export=False, namespace=namespace if name == "edge" else "")
            self.gateways.append(f"{made['metadata']['namespace']}/{name}")
            found.append(made)
        return found

    def _sidecar(self, namespace: str) -> Json:
        dice = self.dice
        egress: Json = {"hosts": dice.sample(("./*", "prod/*", "default/*", "*/*", "*/*.svc.cluster.local"), 1)}
        if dice.random() < 0.3:
            egress["hosts"] = [f"*/{dice.choice(self.services).host}"]
        made = self._document("Sidecar", "sees", {"egress": [egress]}, export=False, namespace=namespace)
        if dice.random() < 0.3:
            made["spec"]["workloadSelector"] = {"labels": {"app": "client"}}
        return made

    def _delegates(self) -> list[Json]:
        if self.dice.random() > 0.25:
            return []
        made = self._document(
            "VirtualService", "part", {"http": self._routes("part", gateway=False)}, export=self.dice.random() < 0.3
        )
        self.delegates.append(f"{made['metadata']['namespace']}/part")
        return [made]

    def _virtual_service(self, name: str, at_gateway: bool) -> Json:
        dice = self.dice
        hosts = [self._host(namespace_free=True)]
        bound = at_gateway and dice.random() < 0.85
        if bound:
            hosts = dice.sample(("shop.example.com", "Shop.example.com", "api.example.com", "*.example.com", "*"), 1)
        elif dice.random() < 0.15:
            hosts = [
                dice.choice(("*.default.svc.cluster.local", "*.com", "*", "outside.example.com", "*a.example.com"))
            ]
        if dice.random() < 0.2 and "*" not in hosts[0]:
            hosts.append("outside.example.com")
        if hosts == ["*"] and not bound:
            hosts = ["*.local"]  # in a mesh no VirtualService may take everything
        spec: Json = {"hosts": list(dict.fromkeys(hosts)), "http": self._routes(name, gateway=at_gateway)}
        if bound:
            mesh = ["mesh"] if hosts != ["*"] and dice.random() < 0.2 else []
            spec["gateways"] = [*dice.sample(self.gateways, 1), *mesh]
        return self._document("VirtualService", name, spec, export=dice.random() < 0.35)

    # ------------------------------------------------------------------------------------------------ rules

    def _routes(self, owner: str, *, gateway: bool) -> list[Json]:
        routes = [self._route(f"{owner}-{index}", gateway) for index in range(self.dice.randint(1, 3))]
        if owner != "part" and self.delegates and self.dice.random() < 0.4:
            name = self.delegates[0]
            space, _, part = name.partition("/")
            routes.insert(0, {"match": self._matches(gateway), "delegate": {"name": part, "namespace": space}})
        return routes

    def _route(self, name: str, gateway: bool) -> Json:
        dice = self.dice
        rule: Json = {"name": name}
        if dice.random() < 0.65:
            rule["match"] = self._matches(gateway)
        kind = dice.random()
        if kind < 0.15:
            return rule | {"directResponse": {"status": 200, "body": {"string": name}}}
        if kind < 0.25:
            return rule | {"redirect": self._redirect()}
        destination = {"host": self._host(namespace_free=True)}
        if dice.random() < 0.45:
            destination["subset"] = dice.choice(("v1", "v2"))
        if dice.random() < 0.35:
            destination["port"] = {"number": dice.choice(PORTS)}
        rule |= {"route": [{"destination": destination}], "headers": {"response": {"set": {"x-rule": name}}}}
        if dice.random() < 0.15:
            rule["rewrite"] = {"uri": dice.choice(("/new", "/new/"))}
        if dice.random() < 0.1:
            rule["rewrite"] = {**rule.get("rewrite", {}), "authority": "rewritten.example.com"}
        if dice.random() < 0.12:
            rule["fault"] = {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}
        if dice.random() < 0.2:
            rule["headers"]["request"] = {"add": {"x-by": name}, "remove": ["x-user"]}
        return rule

    def _redirect(self) -> Json:
        dice = self.dice
        found: Json = dice.choice(
            ({"uri": "/moved"}, {"authority": "moved.example.com"}, {"prefixRewrite": "/p"}, {"port": 8443})
        )
        return found | ({"redirectCode": 308} if dice.random() < 0.3 else {})

    def _matches(self, gateway: bool) -> list[Json]:
        return [self._match(gateway) for _ in range(self.dice.choice((1, 1, 2)))]

    def _match(self, gateway: bool) -> Json:
        dice = self.dice
        ways: dict[str, Any] = {
            "uri": lambda: dice.choice(
                ({"prefix": "/a"}, {"exact": "/a"}, {"prefix": "/"}, {"regex": "/[ab].*"}, {"exact": "/a/b"}),
            ),
            "headers": lambda: dice.choice(
                (
                    {"x-user": {"exact": "jason"}},
                    {"x-user": {"prefix": "j"}},
                    {"x-user": {}},
                    {"x-none": {"exact": "1"}},
                )
            ),
            "withoutHeaders": lambda: {"x-user": {"exact": "jason"}},
            "method": lambda: {"exact": dice.choice(("GET", "POST"))},
            "port": lambda: dice.choice(PORTS),
            "queryParams": lambda: {"x": {"exact": dice.choice("12")}},
            "authority": lambda: {"prefix": dice.choice(("a", "shop", "ext"))},
            "ignoreUriCase": lambda: True,
        }
        if not gateway:
            ways["sourceLabels"] = lambda: {"app": dice.choice(("client", "other"))}
            ways["sourceNamespace"] = lambda: dice.choice(NAMESPACES)
        else:
            ways["gateways"] = lambda: [dice.choice((*self.gateways, "mesh"))]
        chosen = dice.sample(list(ways), dice.choice((1, 1, 2)))
        if chosen == ["ignoreUriCase"]:
            chosen.append("uri")
        return {name: ways[name]() for name in chosen}

    # ------------------------------------------------------------------------------------------------ requests

    def _requests(self, documents: list[Json], port: int | None) -> list[Json]:
        known = {each.host: list(each.ports) for each in self.services}
        claimed = [
            host.replace("*", "one.two")
            for each in documents
            for host in each["spec"].get("hosts", ())
            if "/" not in host
        ]
        if port is not None:
            claimed += ["shop.example.com", "SHOP.example.com", "api.example.com"]
        return [self._request(known, claimed, port) for _ in range(14)]

    def _request(self, known: dict[str, list[int]], claimed: list[str], port: int | None) -> Json:
        """Return a request to a service, on one of its ports as a rule, or to a name that a VirtualService claims."""
        dice, kind = self.dice, self.dice.random()
        service = dice.choice(list(known))
        ports: tuple[int, ...] | list[int] = known[service] if dice.random() < 0.85 else PORTS
        if kind < 0.05:
            host = dice.choice(("outside.example.com", "nobody.example.com"))
        elif kind < (0.35 if port is None else 0.85) and claimed:
            host = dice.choice(claimed)
            ports = known.get(host, ports)
        else:
            host = service.replace("*", "one")
            name, space, *rest = host.split(".")
            if rest[:1] == ["svc"] and dice.random() < 0.4:
                host = dice.choice((name, f"{name}.{space}", f"{name}.{space}.svc"))
        if (port is None and (number := dice.choice(ports)) != 80) or dice.random() < 0.1:
            host = f"{host}:{number if port is None else dice.choice(PORTS)}"
        if dice.random() < 0.05:
            host = host.upper()
        headers = {"x-user": dice.choice(("jason", "jane"))} if dice.random() < 0.5 else {}
        method = "POST" if dice.random() < 0.15 else "GET"
        return {"method": method, "host": host, "target": dice.choice(PATHS), "headers": headers}
