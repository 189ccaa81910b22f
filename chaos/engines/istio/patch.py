"""Patches of a VirtualService, for meshes in which EnvoyFilters are not allowed: copies of the targeted routes.

Each copy stands directly before its original, is called `chaos-<run>-<n>`, and has the run's own header as a condition
of each match entry: one that is left behind is inert. JSON Patch (RFC 6902) with a `test` on the object's version, so
that nothing is written over a change of somebody else's; the API server answers a failed test with 422 and no reason.
Taken away are routes by their names, at the indexes that they have at that moment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.engines.istio.marks import GENERATION, HEADER, PROBE, PROBE_STATUS, Json, Marks
from chaos.protocol.tags import encode_tag

_OURS = re.compile(r"chaos-[0-9a-f]{12}-(probe|\d+)$")


@dataclass(frozen=True, slots=True)
class Copied:
    """A route to copy: its `index` in the list without those of runs, the name of its `rule`, and its `fault`,
    Istio's, empty for none. One that is `deeper` is for calls of applications, which pass on baggage at best."""

    index: int
    rule: str
    fault: Json
    deeper: bool = False


def patch(live: Json, marks: Marks, copied: Iterable[Copied], generation: int, phase: str) -> list[Json]:
    """Return the operations that put copies of routes into a live VirtualService, in place of those of the run's
    earlier generation."""
    routes = _routes(live)
    own = [index for index, route in enumerate(routes) if is_ours(route, marks)]
    left = [route for route in routes if not is_ours(route, marks)]
    originals = [index for index, route in enumerate(left) if not is_ours(route)]
    insertions = [(0, probe_of(marks, generation))]
    insertions += [
        (originals[each.index], copy_of(left[originals[each.index]], marks, each, generation, phase, number))
        for number, each in enumerate(sorted(copied, key=lambda each: each.index))
    ]
    return [_version(live), *_removals(routes, own), *_additions(insertions)]


def undo(live: Json, marks: Marks | None = None) -> list[Json]:
    """Return the operations that take a run's routes out of a live VirtualService, or those of every run without
    `marks`; empty if there are none."""
    routes = _routes(live)
    own = [index for index, route in enumerate(routes) if is_ours(route, marks)]
    return [_version(live), *_removals(routes, own)] if own else []


def is_ours(route: Mapping[str, Any], marks: Marks | None = None) -> bool:
    """Return whether a route is one of a run's, of any run's without `marks`."""
    name = str(route.get("name", ""))
    return _OURS.fullmatch(name) is not None and (marks is None or name.startswith(marks.name("")))


def runs_in(live: Json) -> list[str]:
    """Return the beginnings of the ids of the runs that have routes in a live VirtualService."""
    names = [str(route.get("name", "")) for route in _routes(live) if is_ours(route)]
    return list(dict.fromkeys(name.split("-")[1] for name in names))


def without_runs(live: Json) -> Json:
    """Return a live VirtualService as it is without the routes of runs."""
    routes = [route for route in _routes(live) if not is_ours(route)]
    spec = live.get("spec") or {}
    return {**live, "spec": {**spec, **({"http": routes} if "http" in spec else {})}}


def _routes(live: Json) -> Sequence[Json]:
    found: Sequence[Json] = (live.get("spec") or {}).get("http") or ()
    return found


def _version(live: Json) -> Json:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}


def _removals(routes: Sequence[Json], indexes: Sequence[int]) -> list[Json]:
    """Return removals from the last to the first, so that each index is still right when its turn comes."""
    made: list[Json] = []
    for index in reversed(indexes):
        made.append({"op": "test", "path": f"/spec/http/{index}/name", "value": routes[index]["name"]})
        made.append({"op": "remove", "path": f"/spec/http/{index}"})
    return made


def _additions(insertions: Sequence[tuple[int, Json]]) -> list[Json]:
    """Return insertions, from the last to the first, before the routes with these indexes."""
    return [{"op": "add", "path": f"/spec/http/{index}", "value": route} for index, route in reversed(insertions)]


def probe_of(marks: Marks, generation: int) -> Json:
    """Return the route for the run's own probes: it answers with the generation, as soon as it is in force."""
    conditions = {HEADER: {"exact": marks.id}, PROBE: {"exact": "1"}}
    return {
        "name": marks.name("probe"),
        "match": [{"headers": conditions}],
        "directResponse": {"status": PROBE_STATUS, "body": {"string": str(generation)}},
    }


def copy_of(original: Json, marks: Marks, copied: Copied, generation: int, phase: str, number: int) -> Json:
    """Return a route that does what its original does, to the run's own requests alone, with the faults that are given;
    `number` is its own among those of the run."""
    tags = _tags(copied.rule, generation, phase)
    condition = marks.condition(deeper=copied.deeper)
    entries = original.get("match") or [{}]
    headers = original.get("headers") or {}
    response = headers.get("response") or {}
    return {
        **{name: value for name, value in original.items() if name != "fault"},
        "name": marks.name(str(number)),
        "match": [{**entry, "headers": {**(entry.get("headers") or {}), **condition}} for entry in entries],
        **({"fault": copied.fault} if copied.fault else {}),
        "headers": {**headers, "response": {**response, "set": {**(response.get("set") or {}), **tags}}},
    }


def _tags(rule: str, generation: int, phase: str) -> Json:
    """Return the response headers by which the load knows what happened; Envoy fills in what stands between `%`."""
    return {
        "x-chaos-route": _text(rule),
        **({"x-chaos-phase": _text(phase)} if phase else {}),
        "x-chaos-flags": "%RESPONSE_FLAGS%",
        "x-chaos-attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "x-chaos-destination": "%UPSTREAM_CLUSTER_RAW%",
        GENERATION: str(generation),
    }


def _text(name: str) -> str:
    return encode_tag(name).decode("ascii").replace("%", "%%")
