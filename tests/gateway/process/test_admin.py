"""The admin API, as a client on the same machine sees it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import HandRules, aborting, cluster, direct, to
from support.scripted import InProcess, gateway, get, upstream

from chaos.errors import InvalidInput
from chaos.gateway.process.app import admin
from chaos.gateway.process.options import GatewayOptions, bind


@dataclass
class Api:
    proxy: InProcess
    session: aiohttp.ClientSession
    port: int

    async def call(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, Any]:
        data = {"json": body} if isinstance(body, dict) else {"data": body}
        async with self.session.request(method, path, **data, **kwargs) as response:
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text())


def _parse(text: str) -> HandRules:
    """Rules that answer everything with the text; `bad` is invalid."""
    if text == "bad":
        raise InvalidInput.at("rules", "no such field", line=3, column=5, path="spec.http")
    return HandRules(lambda request, draws: direct(200, text.encode()))


@asynccontextmanager
async def api(token: str | None = None) -> AsyncIterator[Api]:
    listener = bind("127.0.0.1:0", "--admin")[0]
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with gateway(aborting()) as proxy:
        options = GatewayOptions(load=aborting, parse=_parse, admin_token=token)
        proxy.control._options = options
        async with admin(options, proxy.control, listener), aiohttp.ClientSession(base) as session:
            yield Api(proxy, session, listener.getsockname()[1])


async def test_health() -> None:
    async with api() as call:
        assert await call.call("GET", "/health") == (200, {"status": "ok", "workers": 1, "generation": 1})
        call.proxy.worker.draining = True
        assert (await call.call("GET", "/health"))[0] == 503


async def test_rules_are_replaced_at_once_or_not_at_all() -> None:
    async with api() as call:
        assert await call.call("PUT", "/rules", "first") == (200, {"generation": 2})
        assert (await call.proxy.ask(get())).body == b"first"
        status, body = await call.call("PUT", "/rules", "bad")
        assert status == 400
        assert body["problems"] == [
            {
                "file": "rules",
                "line": 3,
                "column": 5,
                "path": "spec.http",
                "code": "",
                "severity": "error",
                "by": "chaos",
                "message": "no such field",
                "fix": None,
            }
        ]
        assert (await call.proxy.ask(get())).body == b"first"
        assert (await call.call("GET", "/rules?format=yaml"))[1] == "first"
        assert (await call.call("GET", "/rules"))[1] == {"generation": 2, "rules": []}
        assert (await call.call("PUT", "/rules", b"\xff"))[0] == 400


async def test_faults_and_phases() -> None:
    async with api() as call:
        assert await call.call("PUT", "/faults", {"enabled": False}) == (200, {"enabled": False})
        assert call.proxy.worker.faults is False
        status, body = await call.call("PUT", "/phase", {"name": "fault", "scale": {"abort": 0.5}})
        assert (status, body) == (200, {"name": "fault", "faults": True, "scale": {"abort": 0.5}})
        await call.proxy.ask(get())
        assert call.proxy.counts("fault")["requests"] == 1


HUGE = 10**400  # more than a float can be
JSON = st.none() | st.booleans() | st.integers(-HUGE, HUGE) | st.floats() | st.text()
KEYS = st.sampled_from(["enabled", "name", "faults", "scale", "abort", "delay"]) | st.text(max_size=5)

TEXTS = st.recursive(JSON, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8).map(
    lambda value: json.dumps(value).encode()
)

WRONG = [
    ("PUT", "/faults", "no json", "the body is not JSON"),
    ("PUT", "/faults", "[]", "the body is not a JSON object"),
    ("PUT", "/faults", {}, "enabled must be true or false, not null"),
    ("PUT", "/faults", {"enabled": "yes"}, 'enabled must be true or false, not "yes"'),
    ("PUT", "/faults", {"enable": True}, 'unknown field "enable"'),
    ("PUT", "/phase", {"name": 1}, "name must be a string, not 1"),
    ("PUT", "/phase", {"name": "a", "scale": {"latency": 1}}, "scale must be an object"),
    ("PUT", "/phase", {"name": "a", "scale": {"abort": -1}}, "scale.abort must be a number from 0 to 1e+06, not -1"),
    ("PUT", "/phase", {"name": "a", "scale": None}, "scale must be an object"),
    ("GET", "/rules?format=xml", None, "format='xml' is neither json nor yaml"),
    ("PUT", "/phase", {"name": "\ud800"}, "name must be Unicode text"),
    ("PUT", "/phase", {"name": "a" * 201}, "name must be Unicode text of at most 200 characters"),
    ("PUT", "/phase", '{"name": "a", "scale": {"abort": 1e999}}', "scale.abort must be a number from 0"),
    ("PUT", "/phase", '{"name": "a", "scale": {"abort": NaN}}', "scale.abort must be a number from 0"),
    ("PUT", "/phase", f'{{"name": "a", "scale": {{"abort": {HUGE}}}}}', "scale.abort must be a number from 0"),
    ("PUT", "/phase", {"name": "a", "scale": {"delay": 1e300}}, "scale.delay must be a number from 0 to 1e+06"),
    ("PUT", "/faults", {"enabled": "a" * 5000}, f'not "{"a" * 199}...'),
    ("PUT", "/faults", "[" * 100_000, "nested too deeply"),
    ("PUT", "/phase", '{"name":' * 100_000, "nested too deeply"),
    ("PUT", "/faults", "1" * 5000, "the body is not JSON"),
    ("PUT", "/faults", b"\xff\xfe", "the body is not JSON"),
    ("PUT", "/rules", b"\xff\xfe\x00", "the rules are not UTF-8 text"),
    ("GET", "/faulted?after=x", None, "after='x' is not a number"),
    ("GET", f"/faulted?after={'9' * 5000}", None, "is not a number of at most 18 digits"),
    ("GET", "/faulted?after=%D9%A3", None, "is not a number"),
    ("GET", "/faulted?after=-1", None, "is not a number"),
    ("GET", "/faulted?after=", None, "is not a number"),
]


@pytest.mark.parametrize(("method", "path", "body", "message"), WRONG)
async def test_what_is_wrong_is_said(method: str, path: str, body: Any, message: str) -> None:
    async with api() as call:
        status, answer = await call.call(method, path, body)
        assert status == 400 and message in answer["error"]


async def test_unknown_paths_and_methods_are_json_too() -> None:
    async with api() as call:
        nothing = "there is nothing at this path; GET /openapi.json lists what there is"
        assert await call.call("GET", "/nothing") == (404, {"error": nothing})
        refusal = {"error": "DELETE is not for this path; there is GET, HEAD, PUT"}
        assert await call.call("DELETE", "/rules") == (405, refusal)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=st.sampled_from(["/health", "/rules", "/faults", "/phase", "/counters", "/metrics", "/faulted"]),
    query=st.text(max_size=20),
    body=st.binary(max_size=60) | TEXTS,
)
@settings(max_examples=150, deadline=None)
def test_nothing_that_is_asked_of_it_is_a_fault_of_its_own(method: str, path: str, query: str, body: bytes) -> None:
    async def ask() -> tuple[int, Any]:
        async with api() as call:
            return await call.call(method, path, body, params={"after": query, "format": query})

    status, answer = asyncio.run(ask())
    assert status < 500, answer


JSON_BODY = b'{"enabled": true}'
RAW = [
    (b"GET /health", [b"host: ["], b"", 403),
    (b"GET /health", [b"host: 127.0.0.1:99999999"], b"", 200),
    (b"GET /health", [b"host: \xff"], b"", 403),
    (b"GET /health", [b"host: xn--\xc3\xbc." + b"a" * 300], b"", 403),
    (b"GET /health", [b"host:"], b"", 403),
    (b"GET /faulted?after=%ff%fe&%=%&a=%zz", [], b"", 400),
    (b"GET /faulted?" + b"after=1&" * 900, [], b"", 200),
    (b"GET /%00%ff/../rules", [], b"", 404),
    (b"GET http://127.0.0.1/faulted?after=" + b"9" * 5000, [], b"", 400),
    (b"OPTIONS *", [], b"", 404),
    (b"POST /faults", [b"x-http-method-override: PUT"], JSON_BODY, 405),
    (b"PUT /faults", [b"content-encoding: gzip"], JSON_BODY, 400),
    (b"PUT /faults", [b"content-encoding: deflate"], JSON_BODY, 400),
    (b"PUT /faults", [b"content-encoding: gzip"], gzip.compress(b"[" * 50_000_000), 413),
    (b"PUT /rules", [], b"a" * 17_000_000, 413),
]


async def raw(port: int, line: bytes, headers: list[bytes], body: bytes) -> tuple[int, Any]:
    """Status and JSON of an answer to a request as it stands here; None for what aiohttp says before we are asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    own = [] if any(header.startswith(b"host:") for header in headers) else [b"host: 127.0.0.1"]
    own += [b"connection: close", b"content-length: %d" % len(body)]
    writer.write(b"\r\n".join([line + b" HTTP/1.1", *own, *headers, b"", body]))
    head, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(answer) if b"application/json" in head else None


@pytest.mark.parametrize(("line", "headers", "body", "expected"), RAW)
async def test_what_no_client_would_send_is_not_its_fault_either(
    line: bytes, headers: list[bytes], body: bytes, expected: int
) -> None:
    async with api() as call:
        status, answer = await raw(call.port, line, headers, body)
        assert status == expected
        coded = b"content-encoding" in headers[0] if headers else False
        assert coded or (answer is not None and (status == 200 or "error" in answer)), answer


async def test_a_token_may_be_any_octets() -> None:
    async with api(token="größer") as call:
        for sent, expected in ((b"\xff", 401), (b"gr\xfc\xdfer", 401), ("größer".encode(), 200)):
            assert (await raw(call.port, b"GET /health", [b"authorization: Bearer " + sent], b""))[0] == expected


async def test_files_that_are_gone_are_no_fault_of_the_gateway() -> None:
    async with api() as call:
        call.proxy.control._options = replace(call.proxy.control._options, files=("/nowhere/rules.yaml",))
        status, answer = await call.call("GET", "/rules?format=yaml")
        assert (status, answer) == (409, {"error": "the files of the rules in force can no longer be read"})


async def test_counters_and_faulted_and_metrics() -> None:
    async with api() as call:
        await call.proxy.ask(get("/x", "x-request-id: 7"))
        _, counters = await call.call("GET", "/counters")
        rule = counters["phases"][""]["virtualservice/default/web/0"]
        assert (rule["requests"], rule["faults"], rule["statuses"]) == (1, {"abort": 1}, {"503": 1})
        assert (counters["workers"], counters["unmatched"]) == (1, 0)
        _, faulted = await call.call("GET", "/faulted?after=0")
        assert (faulted["next"], faulted["total"], faulted["faulted"][0]["id"]) == (1, 1, "7")
        status, text = await call.call("GET", "/metrics")
        assert status == 200
        assert 'chaos_abort_total{phase="",rule="virtualservice/default/web/0"} 1.0' in text
        assert 'chaos_delay_abort_total{phase="",rule="virtualservice/default/web/0"} 0.0' in text
        assert "# HELP chaos_delay_abort_total Requests that were delayed and then aborted\n" in text
        assert 'chaos_statuses_total{phase="",rule="virtualservice/default/web/0",status="503"} 1.0' in text


async def test_a_token_is_asked_for_when_there_is_one() -> None:
    async with api(token="secret") as call:
        assert (await call.call("GET", "/health"))[0] == 401
        assert (await call.call("GET", "/health", headers={"authorization": "Bearer wrong"}))[0] == 401
        assert (await call.call("GET", "/health", headers={"authorization": "Bearer secret"}))[0] == 200
        assert (await call.call("GET", "/"))[0] == 200  # the page, which asks for it


async def test_a_web_page_cannot_call_it() -> None:
    """Neither from another origin, nor by a name that was made to lead here (DNS rebinding)."""
    async with api() as call:
        own = f"http://127.0.0.1:{call.port}"
        for headers in (
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": ""},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": own.replace("127.0.0.1", "localhost")},
            {"origin": own, "sec-fetch-site": "same-site"},
            {"referer": "http://evil.example/"},
            {"host": "evil.example"},
            {"host": "127.0.0.1.evil.example"},
        ):
            assert (await call.call("GET", "/counters", headers=headers))[0] == 403, headers
            assert (await call.call("PUT", "/faults", {"enabled": False}, headers=headers))[0] == 403, headers
        assert call.proxy.worker.faults is True
        its_own = [{"origin": own}, {"sec-fetch-site": "same-origin"}, {"referer": f"{own}/"}]
        for headers in ({}, {"host": "localhost:1"}, {"host": "[::1]:1"}, {"sec-fetch-site": "none"}, *its_own):
            assert (await call.call("GET", "/counters", headers=headers))[0] == 200, headers


async def test_the_times_of_upstream_are_a_histogram() -> None:
    async with upstream() as server, api() as call:
        call.proxy.worker.use(to(cluster(server.port)))
        for _ in range(3):
            assert (await call.proxy.ask(get())).status == 200
        counts: Any = call.proxy.counts()
        assert sum(counts["upstream_times"].values()) == counts["answered"] == 3
        _, text = await call.call("GET", "/metrics")
        labels = 'phase="",rule="virtualservice/default/web/0"'
        assert f'chaos_upstream_latency_seconds_bucket{{le="+Inf",{labels}}} 3.0' in text
        assert f"chaos_upstream_latency_seconds_count{{{labels}}} 3.0" in text
        assert f"chaos_upstream_latency_seconds_sum{{{labels}}} {counts['upstream_seconds']}" in text
