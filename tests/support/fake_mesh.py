"""A mesh of one proxy: a real Envoy whose routes are those of a fake API server's VirtualServices and EnvoyFilters.

Of both it understands what tests need. What it makes of patches is Istio's reading of them (HTTP_ROUTE: INSERT_FIRST,
MERGE as of protobuf messages), written without a look at the code that makes them."""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from support.envoy_binary import envoy_binary
from support.fake_kubernetes.objects import Event
from support.fake_kubernetes.server import ApiServer
from support.processes import wait_for

Json = dict[str, Any]

TYPE = "type.googleapis.com/"
FAULT = "envoy.filters.http.fault"
MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class FakeMesh:
    """Follows a server. `scale` is what it makes of every percentage of a fault: 1 is right. Without `follows` it stays
    as it was at first."""

    def __init__(self, api: ApiServer, *, scale: float = 1.0, follows: bool = True):
        self.api, self.scale, self.follows = api, scale, follows
        self._temporary = tempfile.TemporaryDirectory(prefix="fake-mesh-")
        self._folder = Path(self._temporary.name)
        self._numbers = itertools.count(1)

    def __enter__(self) -> FakeMesh:
        (self._folder / "routes").mkdir()
        self.api.do(self._write)
        (self._folder / "bootstrap.json").write_text(json.dumps(self._bootstrap()))
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [envoy_binary(), "-c", "bootstrap.json", "--admin-address-path", "admin", "--disable-hot-restart",
                 "--concurrency", "1", "--log-level", "error"],
                cwd=self._folder, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            self.url = f"http://127.0.0.1:{wait_for(self._port, 30, 'the mesh')}"
        except BaseException:
            self.__exit__()
            raise
        if self.follows:
            self.api.objects.heard.append(self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        if self._heard in self.api.objects.heard:
            self.api.objects.heard.remove(self._heard)
        self._process.kill()
        self._process.wait()
        self._temporary.cleanup()

    def _port(self) -> int:
        assert self._process.poll() is None, (self._folder / "output").read_text()[-2000:]
        address = self._folder / "admin"
        if not address.exists() or not address.read_text():
            return 0
        try:
            with urllib.request.urlopen(f"http://{address.read_text()}/listeners?format=json", timeout=5) as answer:
                listeners = json.load(answer).get("listener_statuses") or []
        except OSError:
            return 0
        ports = [each["local_address"].get("socket_address", {}).get("port_value", 0) for each in listeners]
        return max(ports, default=0)

    # ---------------------------------------------------------------- routes
    def _heard(self, event: Event) -> None:
        if event[1].endswith(".networking.istio.io"):
            self._write()

    def _write(self) -> None:
        """Give Envoy the routes as they are now; called in the server's thread."""
        routes = {
            "@type": f"{TYPE}envoy.config.route.v3.RouteConfiguration",
            "name": "80",
            "virtual_hosts": self.virtual_hosts(),
        }
        made = self._folder / "made.json"
        made.write_text(json.dumps({"version_info": str(next(self._numbers)), "resources": [routes]}))
        os.replace(made, self._folder / "routes" / "routes.json")

    def virtual_hosts(self) -> list[Json]:
        objects = self.api.objects
        found = [
            _virtual_host(host, live["spec"])
            for live in objects.list("virtualservices.networking.istio.io")
            for host in live["spec"]["hosts"]
        ]
        filters = objects.list("envoyfilters.networking.istio.io")
        for each in sorted(filters, key=lambda each: each["spec"].get("priority", 0)):
            for patch in each["spec"].get("configPatches") or ():
                self._apply(patch, found)
        return found

    def _apply(self, patch: Json, virtual_hosts: list[Json]) -> None:
        assert patch["applyTo"] == "HTTP_ROUTE", patch
        wanted = patch["match"]["routeConfiguration"]["vhost"]
        for host in virtual_hosts:
            if host["name"] != wanted["name"]:
                continue
            match patch["patch"]["operation"]:
                case "INSERT_FIRST":
                    host["routes"].insert(0, copy.deepcopy(patch["patch"]["value"]))
                case "MERGE":
                    for route in host["routes"]:
                        if route["name"] == wanted["route"]["name"]:
                            _merge(route, self._scaled(patch["patch"]["value"]))
                case other:
                    raise AssertionError(other)

    def _scaled(self, value: Json) -> Json:
        made = copy.deepcopy(value)
        fault = made.get("typed_per_filter_config", {}).get(FAULT, {})
        for kind in ("abort", "delay"):
            if kind in fault:
                percentage = fault[kind]["percentage"]
                percentage["numerator"] = round(percentage["numerator"] * self.scale)
        return made

    # ---------------------------------------------------------------- Envoy
    def _bootstrap(self) -> Json:
        hosts = {
            host
            for live in self.api.objects.list("virtualservices.networking.istio.io")
            for host in live["spec"]["hosts"]
        }
        source = {"path_config_source": {"path": "routes/routes.json", "watched_directory": {"path": "routes"}}}
        rds = {"route_config_name": "80", "config_source": {**source, "resource_api_version": "V3"}}
        anything = {"prefix": "/"}
        hello = {"status": 200, "body": {"inline_string": "hello\n"}}
        application = {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": anything, "direct_response": hello}]}
            ]
        }
        return {
            "node": {"id": "proxy", "cluster": "mesh"},
            "admin": {"address": _address(0)},
            "static_resources": {
                "listeners": [
                    {"name": "mesh", "address": _address(0), "filter_chains": [_chain("mesh", rds=rds)]},
                    {"name": "application", "address": {"pipe": {"path": "application"}},
                     "filter_chains": [_chain("application", route_config=application)]},
                ],
                "clusters": [_cluster(host) for host in sorted(hosts)],
            },
        }  # fmt: skip


def _virtual_host(host: str, spec: Json) -> Json:
    routes = []
    for rule in spec.get("http") or ():
        for match in rule.get("match") or [{}]:
            name = ".".join(each for each in (rule.get("name", ""), match.get("name", "")) if each)
            cluster = f"outbound|80||{rule['route'][0]['destination']['host']}"
            prefix = (match.get("uri") or {}).get("prefix", "/")
            routes.append({"name": name, "match": {"prefix": prefix}, "route": {"cluster": cluster}})
    return {
        "name": f"{host}:80",
        "domains": [host, f"{host}:80"],
        "routes": routes,
    }


def _merge(value: Json, change: Json) -> None:
    """Protobuf's merge: messages field by field, lists one behind the other."""
    for name, new in change.items():
        if isinstance(new, dict) and isinstance(value.get(name), dict):
            _merge(value[name], new)
        elif isinstance(new, list):
            value[name] = [*value.get(name, ()), *new]
        else:
            value[name] = new


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _chain(name: str, **routes: Json) -> Json:
    filters = [
        {"name": FAULT, "typed_config": {"@type": f"{TYPE}envoy.extensions.filters.http.fault.v3.HTTPFault"}},
        {"name": "router", "typed_config": {"@type": f"{TYPE}envoy.extensions.filters.http.router.v3.Router"}},
    ]
    manager = {"@type": TYPE + MANAGER, "stat_prefix": name, "http_filters": filters, **routes}
    return {"filters": [{"name": "http", "typed_config": manager}]}


def _cluster(host: str) -> Json:
    name = f"outbound|80||{host}"
    endpoint = {"endpoint": {"address": {"pipe": {"path": "application"}}}}
    return {
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
