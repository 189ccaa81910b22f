"""The exported configuration, made such that each response and each line of the access log says what Envoy drew.

Envoy reads routes and clusters from files (xDS by files) and takes them up when a new file is moved there. Each
*generation* of routes names itself in the names of its routes and in their tags, so whoever reads them knows under
which percentages a request was drawn: a request keeps the route that it found, whatever comes after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.engines.envoy.access_log import LOGS
from chaos.engines.envoy.bootstrap import FAULT_FILTER, Message, typed
from chaos.engines.envoy.connections import chains_of, connection_listener
from chaos.engines.envoy.export import export_mesh
from chaos.engines.envoy.filters import fault_filter
from chaos.engines.envoy.listeners import ONE_DOOR, Further, http_listeners
from chaos.faults import RuleFault
from chaos.mesh.compile.rule import Route
from chaos.mesh.compile.rules import Rules
from chaos.mesh.resolve.connections import ConnectionRule
from chaos.protocol.tags import encode_tag, label_of

NOBODY = "-"
"""In a route's name, where others have the index of their rule: no rule takes the request."""

_ROUTES = "http"
_TAGS = ("route", "phase", "fault", "flags", "attempts")
_DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class Generation:
    """One set of routes: its `number`, the `phase` that its requests are counted under, and the `faults` of the rules
    by key, as they are drawn in it."""

    number: int
    phase: str
    faults: Mapping[str, Sequence[RuleFault]]


@dataclass(frozen=True, slots=True)
class Files:
    """Where Envoy finds its configuration."""

    folder: Path

    @property
    def bootstrap(self) -> Path:
        return self.folder / "bootstrap.json"

    @property
    def routes(self) -> Path:
        return self.folder / "routes.json"

    @property
    def clusters(self) -> Path:
        return self.folder / "clusters.json"

    @property
    def listeners(self) -> Path:
        return self.folder / "listeners.json"

    @property
    def admin(self) -> Path:
        """The socket of its admin interface, which nobody but its user can reach."""
        return self.folder / "admin.sock"


class Exported:
    """The configuration of one set of rules, with the listeners of `further`. `indexes` numbers the rules by key, the
    same in every generation."""

    def __init__(self, rules: Rules, listen: tuple[str, int], further: Further = ONE_DOOR):
        self._rules = rules
        self._further = further
        self._whole = export_mesh(rules.mesh, listen=listen)
        (listener,) = self._whole["static_resources"]["listeners"]
        self._manager: Message = listener["filter_chains"][0]["filters"][0]["typed_config"]
        self._table: Message = self._manager.pop("route_config")
        self._chains = {door: chains_of(door, rules.mesh) for door in further.doors if door.for_connections}

    @property
    def connection_rules(self) -> tuple[ConnectionRule, ...]:
        """The rules of connections, each once."""
        rules = {chain.rule.key: chain.rule for chains in self._chains.values() for chain in chains}
        return tuple(rules.values())

    def listeners(self, indexes: Mapping[str, int]) -> list[Message]:
        """Return the listeners for connections as resources of a discovery response."""
        return [
            _resource("config.listener.v3.Listener", connection_listener(door, chains, indexes, self._rules.mesh))
            for door, chains in self._chains.items()
        ]

    def bootstrap(self, files: Files) -> Message:
        """Return the document for `envoy -c`, which leads to the other files."""
        self._manager.update(LOGS)
        self._manager["rds"] = {"route_config_name": _ROUTES, "config_source": _from(files.routes)}
        # The load's ids decide what is counted as one request, so nobody may replace or mark them.
        self._manager["preserve_external_request_id"] = True
        self._manager["request_id_extension"] = {
            "typed_config": typed(
                "extensions.request_id.uuid.v3.UuidRequestIdConfig",
                pack_trace_reason=False,
                use_request_id_for_trace_sampling=False,
            )
        }
        return {
            "node": self._whole["node"],
            "admin": {"address": {"pipe": {"path": str(files.admin), "mode": 0o600}}},
            "dynamic_resources": {"cds_config": _from(files.clusters)}
            | ({"lds_config": _from(files.listeners)} if self._chains else {}),
            "static_resources": {
                "listeners": [
                    *self._whole["static_resources"]["listeners"],
                    *http_listeners(self._further, self._manager),
                ]
            },
        }

    def clusters(self) -> list[Message]:
        """Return the clusters as resources of a discovery response."""
        return [_resource("config.cluster.v3.Cluster", each) for each in self._whole["static_resources"]["clusters"]]

    def routes(self, generation: Generation, indexes: Mapping[str, int]) -> list[Message]:
        """Return the routes of a generation as the one resource of a discovery response."""
        hosts = [self._host(compiled, host, generation, indexes) for compiled, host in self._hosts()]
        if not any("*" in host["domains"] for host in hosts):
            hosts.append({"name": NOBODY, "domains": ["*"], "routes": [_unmatched(generation)]})
        return [_resource("config.route.v3.RouteConfiguration", {**self._table, "virtual_hosts": hosts})]

    def _hosts(self) -> Iterator[tuple[Sequence[Route], Message]]:
        """Yield each virtual host with its compiled routes; the export and the compiler take both from one mesh, in one
        order. What is left answers only with a redirect to https, and no rule is asked."""
        compiled = self._rules.virtual_hosts
        exported: list[Message] = self._table["virtual_hosts"]
        yield from zip((host.routes for host in compiled), exported[: len(compiled)], strict=True)
        yield from (((), host) for host in exported[len(compiled) :])

    def _host(
        self, compiled: Sequence[Route], host: Message, generation: Generation, indexes: Mapping[str, int]
    ) -> Message:
        routes = [
            _marked(route, found, generation, indexes[found.rule.key])
            for found, route in zip(compiled, host["routes"], strict=True)
        ]
        return {**host, "routes": [*routes, _unmatched(generation)]}


def discovery(version: int, resources: Sequence[Message]) -> Message:
    """Return what a file of xDS holds: a DiscoveryResponse."""
    return {"version_info": str(version), "resources": list(resources)}


def _resource(kind: str, fields: Message) -> Message:
    return {**typed(kind), **fields}


def _from(path: Path) -> Message:
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def _marked(route: Message, compiled: Route, generation: Generation, index: int) -> Message:
    """Return a route with its own name, its tags on responses, and the faults of the generation."""
    made: Message = {**route, "name": f"{generation.number}/{index}"}
    # What upstream says under these names is another gateway's. A route works after its weighted clusters, so these
    # remove the destination themselves.
    made["response_headers_to_remove"] = [*route.get("response_headers_to_remove", ()), *map(_name, _TAGS)]
    made["response_headers_to_add"] = [
        *route.get("response_headers_to_add", ()),
        _tag("route", compiled.rule.name),
        *_phase(generation),
        _header("flags", "%RESPONSE_FLAGS%"),
        *([_header("attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%")] if "route" in route else []),
    ]
    action: Message = route.get("route", {})
    if "cluster" in action:
        made["response_headers_to_remove"].append(_name(_DESTINATION))
        made["response_headers_to_add"].append(_destination(action["cluster"]))
    elif action:
        made["route"] = {**action, "weighted_clusters": _with_destinations(action["weighted_clusters"])}
    configs = {
        name: config for name, config in route.get("typed_per_filter_config", {}).items() if name != FAULT_FILTER
    }
    fault = fault_filter(generation.faults.get(compiled.rule.key, ()))
    if fault is not None:
        configs[FAULT_FILTER] = fault
    made["typed_per_filter_config"] = configs
    return made


def _with_destinations(weighted: Message) -> Message:
    clusters = [
        {
            **each,
            "response_headers_to_remove": [*each.get("response_headers_to_remove", ()), _name(_DESTINATION)],
            "response_headers_to_add": [*each.get("response_headers_to_add", ()), _destination(each["name"])],
        }
        for each in weighted["clusters"]
    ]
    return {**weighted, "clusters": clusters}


def _unmatched(generation: Generation) -> Message:
    """Return the route of what no rule takes: Envoy's own 404, with the phase."""
    return {
        "name": f"{generation.number}/{NOBODY}",
        "match": {"prefix": "/"},
        "direct_response": {"status": 404},
        "response_headers_to_add": list(_phase(generation)),
    }


def _phase(generation: Generation) -> Iterator[Message]:
    if generation.phase:
        yield _tag("phase", generation.phase)


def _destination(cluster: str) -> Message:
    return _tag(_DESTINATION, label_of(cluster))


def _tag(tag: str, value: str) -> Message:
    return _header(tag, encode_tag(value).decode("ascii").replace("%", "%%"))


def _name(tag: str) -> str:
    return f"x-chaos-{tag}"


def _header(tag: str, value: str) -> Message:
    header: dict[str, Any] = {"key": _name(tag), "value": value}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
