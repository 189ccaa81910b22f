"""The lines of an access log: what each says of its request, in Envoy's words, which were observed on Envoy 1.40."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.decisions import HandRules, aborting, cluster, direct, forward, retrying, to
from support.mesh import rules_of, virtual_service
from support.policies import policy
from support.policies import rules as policies
from support.scripted import InProcess, always, gateway, get, hangs, post, resets, until, upstream

from chaos.gateway.telemetry.access_log import outbound
from chaos.mesh.decision import Failure

CLUSTER = "outbound|80||web.default.svc.cluster.local"
ID = "6f1c0e0a-7a55-4b2e-9d0c-0d2f7f5f6a11"
HOW = ("response_code", "response_flags", "response_code_details", "upstream_request_attempt_count")
ISTIO = """start_time route_name method path protocol response_code response_flags response_code_details
    connection_termination_details bytes_received bytes_sent duration upstream_service_time x_forwarded_for user_agent
    request_id authority upstream_host upstream_cluster upstream_local_address downstream_local_address
    downstream_remote_address requested_server_name upstream_transport_failure_reason"""
"""The names of EnvoyJSONLogFormatIstio."""


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


class Logged:
    """A gateway with a log; `last` is what it says of the last request."""

    def __init__(self, proxy: InProcess, file: Path):
        self.proxy, self.file = proxy, file

    async def lines(self, count: int = 1) -> list[dict[str, Any]]:
        await until(lambda: self.file.read_bytes().count(b"\n") >= count)
        return written(self.file)

    async def line(self) -> dict[str, Any]:
        return (await self.lines())[-1]

    async def how(self) -> tuple[Any, ...]:
        said = await self.line()
        return tuple(said[name] for name in HOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@asynccontextmanager
async def logged(rules: Any, file: Path, **settings: Any) -> AsyncIterator[Logged]:
    async with gateway(rules, access_log=str(file), **settings) as proxy:
        yield Logged(proxy, file)


async def test_a_line_has_every_name_of_istios_format(file: Path) -> None:
    async with upstream() as server, logged(to(cluster(server.port)), file) as log:
        client = await log.proxy.open()
        lines = (f"x-request-id: {ID}", "user-agent: curl/8", "x-forwarded-for: 1.2.3.4")
        await client.ask(post(b"abcde", *lines, target='/a"b?c=1'))
        said = await log.line()
        own, peer = client.writer.get_extra_info("peername"), client.writer.get_extra_info("sockname")
    assert set(ISTIO.split()) < set(said)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("start_time"))
    assert re.fullmatch(r"127\.0\.0\.1:\d+", said.pop("upstream_local_address"))
    assert said.pop("duration") >= 0 and said.pop("upstream_service_time").isdigit()  # by two clocks
    assert said == {
        "route_name": "web[0]", "method": "POST", "path": '/a"b?c=1', "protocol": "HTTP/1.1", "response_code": 200,
        "response_flags": "-", "response_code_details": "via_upstream", "connection_termination_details": None,
        "bytes_received": 5, "bytes_sent": 2, "x_forwarded_for": "1.2.3.4", "user_agent": "curl/8", "request_id": ID,
        "authority": "web", "upstream_host": f"127.0.0.1:{server.port}", "upstream_cluster": CLUSTER,
        "downstream_local_address": f"127.0.0.1:{own[1]}", "downstream_remote_address": f"127.0.0.1:{peer[1]}",
        "requested_server_name": None, "upstream_transport_failure_reason": None, "upstream_request_attempt_count": 1,
        "chaos_fault": None, "chaos_policy": None, "chaos_phase": None,
    }  # fmt: skip


async def test_faults_have_envoys_flags(file: Path) -> None:
    async with logged(aborting(), file) as log:
        for _ in range(2):  # the second time its bytes are at hand
            await log.proxy.ask(get())
        first, second = await log.lines(2)
    assert [first[name] for name in HOW] == [503, "FI", "fault_filter_abort", 0]
    assert [second[name] for name in HOW] == [503, "FI", "fault_filter_abort", 0]
    assert first["bytes_sent"] == second["bytes_sent"] == len("fault filter abort") and first["chaos_fault"] == "abort"


async def test_a_delay_is_in_the_duration(file: Path) -> None:
    async with logged(aborting(0.02), file) as log:
        await log.proxy.ask(get())
        said = await log.line()
    assert said["response_flags"] == "DI,FI" and said["duration"] >= 15


UNREACHED = "upstream_reset_before_response_started{%s}"
REFUSED = UNREACHED % "remote_connection_failure|delayed_connect_error:_Connection_refused"


@pytest.mark.parametrize(
    ("rules", "how"),
    [
        (to(None), (503, "NC", "cluster_not_found", 0)),
        (to(cluster()), (503, "UH", "no_healthy_upstream", 0)),
        (to(cluster(9)), (503, "UF", REFUSED, 1)),
        (to(cluster(9), retry=retrying(2, Failure.CONNECT)), (503, "URX,UF", REFUSED, 3)),
        (HandRules(lambda request, draws: direct(200, b"here")), (200, "-", "direct_response", 0)),
        (rules_of(""), (404, "NR", "route_not_found", 0)),
    ],
)
async def test_what_was_not_answered_by_upstream_says_why(rules: Any, how: tuple[object, ...], file: Path) -> None:
    async with logged(rules, file) as log:
        await log.proxy.ask(get(host="nobody" if how[0] == 404 else "web"))
        assert await log.how() == how
        said = await log.line()
        assert (said["upstream_transport_failure_reason"] is not None) == ("UF" in str(how[1]))


async def test_resets_timeouts_and_clients_that_leave(file: Path) -> None:
    async with upstream(resets) as cut, upstream(hangs) as slow:
        targets = {b"/reset": (cut, None), b"/slow": (slow, 0.02), b"/left": (slow, None)}

        def answer(request: Any, draws: Any) -> Any:
            server, timeout = targets[request.target]
            return forward(cluster(server.port, name=f"web:{server.port}"), request, timeout=timeout)

        async with logged(HandRules(answer), file) as log:
            await log.proxy.ask(get("/reset"))
            await log.proxy.ask(get("/slow"))
            client = await log.proxy.open()
            client.writer.write(get("/left"))
            await until(lambda: len(slow.heads) == 2)
            client.close()
            lines = await log.lines(3)
    assert [tuple(said[name] for name in HOW) for said in lines] == [
        (503, "UC", UNREACHED % "connection_termination", 1),
        (504, "UT", "response_timeout", 1),
        (0, "DC", "downstream_remote_disconnect", 1),
    ]


async def test_a_body_in_pieces_is_counted_without_its_framing(file: Path) -> None:
    pieces = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"
    async with upstream(always(pieces)) as server, logged(to(cluster(server.port)), file) as log:
        await log.proxy.ask(get())
        said = await log.line()
    assert (said["bytes_sent"], said["response_code"], said["response_code_details"]) == (8, 200, "via_upstream")


@pytest.mark.parametrize(
    ("request_bytes", "how"),
    [
        (b"GARBAGE\r\n\r\n", (400, "DPE", "http1.codec_error", 0)),
        (b"GET / HTTP/1.0\r\nhost: web\r\n\r\n", (426, "DPE", "low_version", 0)),
        (b"GET / HTTP/1.1\r\n\r\n", (400, "-", "missing_host_header", 0)),
    ],
)
async def test_what_is_refused_before_any_rule(request_bytes: bytes, how: tuple[object, ...], file: Path) -> None:
    async with logged(aborting(), file) as log:
        await log.proxy.ask(request_bytes)
        assert await log.how() == how


async def test_a_rewritten_request_has_the_path_that_the_client_sent(file: Path) -> None:
    rules = rules_of(virtual_service("- {rewrite: {uri: /new}, route: [{destination: {host: web}}]}"))
    async with logged(rules, file) as log:
        await log.proxy.ask(get("/%61?q=1"))
        said = await log.line()
    assert (said["path"], said["upstream_cluster"]) == ("/a?q=1", CLUSTER)


ROUTE = virtual_service("- route: [{destination: {host: web}}]")


async def test_a_policy_that_ends_a_request_is_named(file: Path) -> None:
    documents = (policy("{status: {code: 429}}", name="never", percentage=0), policy("{reset: {}}", name="cut"))
    async with upstream() as web, logged(policies(ROUTE, *documents, port=web.port), file) as log:
        client = await log.proxy.open()
        client.writer.write(get())
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        said = await log.line()
    assert (said["response_code"], said["response_flags"], said["chaos_policy"]) == (0, "FI", "cut")


async def test_a_policys_answer_is_an_abort(file: Path) -> None:
    async with logged(policies(ROUTE, policy("{status: {code: 429, body: slow down}}")), file) as log:
        await log.proxy.ask(get())
        said = await log.line()
    assert [said[name] for name in HOW] == [429, "FI", "fault_filter_abort", 0]
    assert (said["chaos_policy"], said["bytes_sent"]) == ("p", len("slow down"))


async def test_nothing_is_observed_without_a_log() -> None:
    async with gateway(aborting()) as proxy:
        assert proxy.worker.observers == ()


async def test_what_is_gathered_is_written_at_the_end(file: Path) -> None:
    async with logged(aborting(), file) as log:
        client = await log.proxy.open()
        for _ in range(100):
            await client.ask(get())
    assert len(written(file)) == 100


async def test_a_sample_is_the_same_in_every_log(file: Path) -> None:
    taken, spared = "00000009-0000-4000-8000-000000000000", "0000000a-0000-4000-8000-000000000000"
    async with logged(aborting(), file, access_log_sample=10.0) as log:
        for each in (taken, spared, taken):
            await log.proxy.ask(get("/", f"x-request-id: {each}"))
    assert [line["request_id"] for line in written(file)] == [taken, taken]


@pytest.mark.parametrize(
    ("label", "name"),
    [("web.default:80", "outbound|80||web.default"), ("web:8080/v1", "outbound|8080|v1|web")],
)
def test_a_cluster_has_istios_name(label: str, name: str) -> None:
    assert outbound(label) == name
