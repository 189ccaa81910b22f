"""Conformance cases: read them, run them through a proxy, and say where two proxies, or a proxy and a case, differ.

A file of cases is one small mesh and a table of requests:

    about: what the file is about
    host: web                                  the Host of requests that name none
    proxy: {gateway: edge, port: 8080}         whose proxy it is; a sidecar when absent
    services:                                  endpoints by host:port; `refuse: true` has no listener
      web.default.svc.cluster.local:80: [web-1, {name: web-2, labels: {version: v2}}]
    endpoints: [se-1]                          further ones, which only `PORT(se-1)` in the resources refers to
    resources: [...]                           Istio documents
    serial: true                               one request after the other (for rules that have a memory)
    requests:
    - {name, send: GET /path, host, headers, body, plan, respond, raw, burst, in_turn, pause, settle, any_endpoint,
       expect, kept}

`expect` is what Istio and Envoy are known to do; each key is optional:
    200 or a text                   the status, or 200 with this body
    status, body, error, cut        of the answer
    headers, absent                 response headers that must have a value (a list: lines), or be missing
    target, to, endpoint            the upstream's view of the last try: request target, Host, endpoint
    sent, unsent                    request headers upstream must have got, or must not
    tries                           how many requests upstream got (mirrored copies counted)
    took                            seconds, at least; at most 0.75 more
    statuses                        with `burst` or `in_turn`: how often each status came
    endpoints, spread               how often each endpoint was asked, and how many were: a number or [least, most]
Besides, everything that a proxy lets through, adds, changes or drops is compared between our gateway and Envoy.
`kept` is a difference that is there on purpose, in a word; then `expect` is what Envoy does, and `ours`, with the same
keys, what our gateway does instead. docs/fidelity.md has the reasons.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaos.mesh.source.writing import to_yaml
from support.raw_client import Answer, encode, send
from support.upstreams import Headers, Seen, Upstreams

SLACK = 0.75


def _own_address() -> str:
    """The address of this machine that packets to elsewhere would carry; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


_MADE_VALUE = re.compile(r'"[0-9a-f]{16}"')
_OWN_ADDRESS = re.escape(_own_address())
_PORT = re.compile(r"PORT\(([^)]+)\)")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What a proxy may say about itself, and what depends on the clock.
_OWN = ("date", "x-chaos-fault", "x-chaos-route", "x-chaos-destination", "x-chaos-attempts", "x-chaos-phase")


@dataclass(frozen=True, slots=True)
class Request:
    name: str
    data: bytes
    id: str
    expect: Mapping[str, Any]
    burst: int = 1
    in_turn: int = 1
    pause: float = 0.0
    settle: float = 0.0
    any_endpoint: bool = False
    ours: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Cases:
    """One file. `services` is host:port -> endpoint name -> labels."""

    name: str
    services: Mapping[str, Mapping[str, Mapping[str, str]]]
    refusing: frozenset[str]
    resources: tuple[Mapping[str, Any], ...]
    proxy: Mapping[str, Any]
    requests: tuple[Request, ...]
    serial: bool = False
    unregistered: tuple[str, ...] = ()

    @property
    def endpoints(self) -> list[str]:
        return [*(name for endpoints in self.services.values() for name in endpoints), *self.unregistered]

    def experiment(self, ports: Mapping[str, int]) -> str:
        """The file as `chaos` reads it, with these ports behind the endpoints' names."""
        services = {
            key: {"endpoints": [_endpoint(ports[name], labels) for name, labels in found.items()]}
            for key, found in self.services.items()
        }
        spec = {"proxy": dict(self.proxy), "services": services}
        document = {"apiVersion": "chaos/v1alpha1", "kind": "Experiment", "metadata": {"name": self.name}, "spec": spec}
        text = to_yaml(document, *self.resources)
        return _PORT.sub(lambda found: str(ports[found[1]]), text)


def _endpoint(port: int, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"address": f"127.0.0.1:{port}", "labels": dict(labels)}


@dataclass(slots=True)
class Observation:
    """What one request brought: an answer for each of the burst, and what upstream saw."""

    answers: list[Answer]
    seen: list[Seen] = field(default_factory=list)


def load_cases(path: Path) -> Cases:
    raw = yaml.safe_load(path.read_text())
    services: dict[str, dict[str, dict[str, str]]] = {}
    refusing: set[str] = set()
    for key, endpoints in raw["services"].items():
        found = services.setdefault(key, {})
        for endpoint in endpoints or ():
            entry = {"name": endpoint} if isinstance(endpoint, str) else endpoint
            found[entry["name"]] = entry.get("labels", {})
            refusing |= {entry["name"]} if entry.get("refuse") else set()
    requests = tuple(
        _request(f"{path.stem}-{index}", {"host": raw.get("host"), **entry})
        for index, entry in enumerate(raw["requests"])
    )
    return Cases(
        path.stem, services, frozenset(refusing), tuple(raw["resources"]), raw.get("proxy", {}), requests,
        raw.get("serial", False), tuple(raw.get("endpoints", ())),
    )  # fmt: skip


def _request(id_: str, entry: dict[str, Any]) -> Request:
    known = {"name", "send", "host", "headers", "body", "plan", "respond", "raw", "burst", "in_turn", "pause", "settle",
             "any_endpoint", "expect", "kept", "ours"}  # fmt: skip
    assert not set(entry) - known, f"{entry['name']}: unknown keys {set(entry) - known}"
    data = entry["raw"].replace("{id}", id_).encode("latin-1") if "raw" in entry else _encoded(id_, entry)
    assert ("kept" in entry) == ("ours" in entry), f"{entry['name']}: a difference that is kept says what ours is"
    return Request(
        str(entry.get("name") or entry.get("send")), data, id_, _expectation(entry.get("expect", {})),
        entry.get("burst", 1), entry.get("in_turn", 1), entry.get("pause", 0.0), entry.get("settle", 0.0),
        entry.get("any_endpoint", False),
        _expectation(entry["ours"]) if "ours" in entry else None,
    )  # fmt: skip


def _expectation(written: Any) -> Mapping[str, Any]:
    if isinstance(written, int):
        return {"status": written}
    if isinstance(written, str):
        return {"status": 200, "body": written}
    found: Mapping[str, Any] = written
    return found


def _encoded(id_: str, entry: dict[str, Any]) -> bytes:
    method, _, target = str(entry.get("send", "GET /")).partition(" ")
    headers = lines(entry.get("headers", {}))
    if entry["host"] is not None and not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("host", entry["host"]))
    headers.append(("x-test-id", id_))
    if "plan" in entry:
        headers.append(("x-test-plan", str(entry["plan"])))
    if "respond" in entry:
        headers.append(("x-test-respond", json.dumps(entry["respond"])))
    return encode(method, target, headers, str(entry.get("body", "")).encode())


def lines(headers: Mapping[str, Any]) -> Headers:
    """A mapping whose values may be lists, as header lines."""
    return [
        (name, "" if value is None else str(value))
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    ]


# ------------------------------------------------------------------------------------------------ running


async def run_cases(cases: Cases, port: int, upstreams: Upstreams, *, at_once: int = 8) -> list[Observation]:
    """Every request through the proxy on this port, in the order of the file."""
    gate = asyncio.Semaphore(1 if cases.serial else at_once)

    async def one(request: Request) -> Observation:
        async with gate:
            await asyncio.sleep(request.pause)
            if request.burst > 1:
                answers = list(await asyncio.gather(*(send(port, request.data) for _ in range(request.burst))))
            else:
                answers = [await send(port, request.data) for _ in range(request.in_turn)]
            await asyncio.sleep(request.settle)
            return Observation(answers, list(upstreams.seen.get(request.id, ())))

    if cases.serial:
        return [await one(request) for request in cases.requests]
    return list(await asyncio.gather(*(one(request) for request in cases.requests)))


# ------------------------------------------------------------------------------------------------ comparing


def comparable(observation: Observation, *, any_endpoint: bool = False) -> dict[str, Any]:
    """An observation without what may differ between two right proxies: dates, made-up ids, our own tags."""
    if len(observation.answers) > 1:
        statuses = Counter(answer.status for answer in observation.answers)
        return {"statuses": dict(sorted(statuses.items())), "tries": len(observation.seen)}
    (answer,) = observation.answers
    seen = [_seen(request, any_endpoint) for request in observation.seen]
    return {
        "status": answer.status,
        "error": bool(answer.error),
        "cut": answer.cut,
        "interim": answer.interim,
        "upgraded": answer.upgraded,
        "headers": by_name(answer.headers, any_endpoint),
        "trailers": answer.trailers,
        "body": "" if any_endpoint and answer.values("x-up") else answer.body.decode("latin-1"),
        "seen": sorted(seen, key=_order),
    }


def _seen(request: Seen, any_endpoint: bool) -> dict[str, Any]:
    return {
        "endpoint": "" if any_endpoint else request.endpoint,
        "method": request.method,
        "target": request.target,
        "headers": by_name(request.headers, any_endpoint),
        "body": request.body.decode("latin-1"),
    }


def _order(seen: dict[str, Any]) -> tuple[str, list[str]]:
    """Copies arrive when they like; tries of one request are told apart by their number."""
    headers = seen["headers"]
    return seen["endpoint"], headers.get("x-envoy-internal", []) + headers.get("x-envoy-attempt-count", [])


def by_name(headers: Headers, any_endpoint: bool) -> dict[str, list[str]]:
    """Lines of each name in order; between names the order is free."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        hidden = any_endpoint and name in ("x-up", "content-length", "x-envoy-attempt-count")
        if name not in _OWN and not hidden:
            found.setdefault(name, []).append(_shown(name, value))
    if found.get("x-envoy-attempt-count") not in (None, ["1"]):
        found |= {
            name: ["<what is left>"] for name in ("x-envoy-expected-rq-timeout-ms", "grpc-timeout") if name in found
        }
    return found


def _shown(name: str, value: str) -> str:
    if name == "x-envoy-upstream-service-time":
        return "<milliseconds>"
    if name == "set-cookie":
        return _MADE_VALUE.sub('"<made>"', value)
    if name == "x-request-id" and _UUID.fullmatch(value):
        return "<uuid>"
    if name in ("x-forwarded-for", "x-envoy-external-address"):
        # A loopback client is shown by Envoy as the first address of the machine.
        return re.sub(rf"\b({_OWN_ADDRESS}|127\.0\.0\.1)\b", "<client>", value)
    return value


def differences(left: Any, right: Any, path: str = "") -> list[str]:
    """Where two comparable values differ, one line each: `path: left != right`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return [
            line
            for key in sorted({*left, *right}, key=str)
            for line in differences(left.get(key), right.get(key), f"{path}.{key}" if path else str(key))
        ]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [
            line
            for index, (one, other) in enumerate(zip(left, right, strict=True))
            for line in differences(one, other, f"{path}[{index}]")
        ]
    return [] if left == right else [f"{path}: {left!r} != {right!r}"]


def unmet(expect: Mapping[str, Any], observation: Observation) -> list[str]:
    """What of an expectation does not hold."""
    answer, seen = observation.answers[0], observation.seen
    last = seen[-1] if seen else None
    statuses = Counter(answer.status for answer in observation.answers)
    got: dict[str, Any] = {
        "status": answer.status,
        "body": answer.body.decode("latin-1"),
        "error": bool(answer.error),
        "cut": answer.cut,
        "target": last and last.target,
        "to": last and last.first("host"),
        "endpoint": last and last.endpoint,
        "tries": len(seen),
        "statuses": dict(statuses),
    }
    asked = Counter(request.endpoint for request in seen)
    counted = {name: asked[name] for name in expect.get("endpoints", ())} | {"spread": len(asked)}
    ranges = dict(expect.get("endpoints", {})) | ({"spread": expect["spread"]} if "spread" in expect else {})
    wrong = [
        f"expected {key} {expect[key]!r}, got {value!r}"
        for key, value in got.items()
        if key in expect and expect[key] != value
    ]
    for key, wanted_range in ranges.items():
        least, most = wanted_range if isinstance(wanted_range, list) else (wanted_range, wanted_range)
        if not least <= counted[key] <= most:
            wrong.append(f"expected {key} {least} to {most} times, got {counted[key]}: {dict(asked)}")
    for key, values in (("headers", answer.values), ("sent", last.values if last else lambda _: [])):
        for name, value in (expect.get(key) or {}).items():
            wanted = [str(item) for item in value] if isinstance(value, list) else [str(value)]
            if values(name) != wanted:
                wrong.append(f"expected {key} {name} {wanted}, got {values(name)}")
    for key, values in (("absent", answer.values), ("unsent", last.values if last else lambda _: [])):
        wrong += [f"expected no {name} ({key}), got {values(name)}" for name in expect.get(key) or () if values(name)]
    took = expect.get("took")
    if took is not None and not took - 0.02 <= answer.seconds <= took + SLACK:
        wrong.append(f"expected to take {took} to {took + SLACK} s, took {answer.seconds:.2f} s")
    unknown = set(expect) - {*got, "headers", "absent", "sent", "unsent", "took", "endpoints", "spread"}
    assert not unknown, f"unknown expectations: {unknown}"
    return wrong
