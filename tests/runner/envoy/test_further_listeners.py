"""Further listeners of a real Envoy: the same rules, the same counts, with and without TLS."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from support.envoy_binary import find_envoy
from support.experiments import experiment, virtual_service, write

from chaos.mesh.source.writing import to_yaml_stream
from chaos.protocol.counters import GatewayCounters
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.engines import EngineName, engine_of
from chaos.runner.plan.gateway_rules import gateway_plan
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.certificates import issue
from chaos.runner.processes.session import start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.envoy,
    pytest.mark.skipif(find_envoy() is None, reason="the real Envoy is not installed"),
]

KEY = "virtualservice/default/web/0"
LISTENERS = [{"name": "secure", "protocol": "HTTPS"}, {"name": "second-one", "protocol": "HTTP"}]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # and an empty SETTINGS
SETTINGS = 4

# Asks the secure listener by the variables alone, and writes down what it was told.
APPLICATION = """
import http.server, json, os, pathlib, urllib.error, urllib.request

told = {name: value for name, value in os.environ.items() if name.startswith("CHAOS_LISTENER_") or "CERT" in name}
request = urllib.request.Request(os.environ["CHAOS_LISTENER_SECURE"], headers={"host": "web"})
try:
    with urllib.request.urlopen(request) as answer:
        told["status"] = answer.status
except urllib.error.HTTPError as error:
    told["status"] = error.code
pathlib.Path("told.json").write_text(json.dumps(told))
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


async def asked(url: str, count: int, tls: ssl.SSLContext | bool) -> Counter[int]:
    async with aiohttp.ClientSession() as client:

        async def ask() -> int:
            async with client.get(url, headers={"host": "web"}, ssl=tls) as response:
                return response.status

        return Counter(await asyncio.gather(*(ask() for _ in range(count))))


def speaks_http_2(url: str, tls: ssl.SSLContext | None) -> bool:
    """Whether the server begins with SETTINGS when the client does; over TLS, if both chose it."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname or "", parts.port or 0), 10)
    if tls is not None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
        secured = tls.wrap_socket(sock, server_hostname="web")
        assert secured.selected_alpn_protocol() == "h2"
        sock = secured
    with sock:
        sock.sendall(PREFACE)
        return sock.recv(9)[3:4] == bytes((SETTINGS,))


@pytest.mark.representative
def test_they_lead_to_the_same_rules_and_programs_are_told_of_them(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APPLICATION)
    services = {"web": {"builtin": "webserver"}, "app": {"command": ["python", "app.py"]}}
    file = write(tmp_path, experiment(listeners=LISTENERS, services=services), virtual_service(abort=50))

    async def check() -> None:
        prepared = prepare([file]).require_sound()
        program = engine_of(EngineName.ENVOY).program
        async with start(prepared, gateway_plan(prepared, seed=1), seed=1, program=program) as session:
            assert session.gateway is not None and session.ca is not None
            folder.append(Path(session.ca).parent)
            listeners, admin = session.gateway.listeners, session.gateway.admin
            assert listeners["secure"] == session.secure
            told = json.loads((tmp_path / "told.json").read_text())
            assert told.pop("status") in (200, 503)
            expected = {"CHAOS_LISTENER_SECURE": session.secure, "CHAOS_LISTENER_SECOND_ONE": listeners["second-one"]}
            assert {name: told.get(name) for name in expected} == expected
            assert set(told) >= {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"}
            trusted = ssl.create_default_context(cafile=session.ca)
            await admin.set_phase({"name": "doors", "faults": True})
            seen = Counter[int]()
            for url in (session.url, *listeners.values()):
                seen += await asked(url, 100, trusted)
            assert set(seen) == {200, 503} and seen.total() == 300
            counts = (await admin.counters())["phases"]["doors"][KEY]
            assert counts["statuses"] == {str(status): count for status, count in seen.items()}
            assert counts["faults"] == {"abort": seen[503]}
            assert await asyncio.to_thread(speaks_http_2, listeners["secure"], trusted)
            assert await asyncio.to_thread(speaks_http_2, listeners["second-one"], None)

    folder: list[Path] = []
    asyncio.run(check())
    assert not folder[0].exists()


def tcp_rules(*weights: int) -> list[dict[str, Any]]:
    """Connections to db by these weights of v1 and v2, those with TLS for shop to shop."""
    route = [
        {"destination": {"host": "db", "subset": f"v{number}"}, "weight": weight}
        for number, weight in enumerate(weights, 1)
    ]
    subsets = [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")]
    passed = {"match": [{"sniHosts": ["shop.example.com"]}], "route": [{"destination": {"host": "shop"}}]}
    istio = "networking.istio.io/v1"
    specs: list[tuple[str, str, dict[str, Any]]] = [
        ("VirtualService", "db", {"hosts": ["db"], "tcp": [{"route": route}]}),
        ("VirtualService", "shop", {"hosts": ["shop", "shop.example.com"], "tls": [passed]}),
        ("DestinationRule", "db", {"host": "db", "subsets": subsets}),
    ]
    return [{"apiVersion": istio, "kind": kind, "metadata": {"name": name}, "spec": spec} for kind, name, spec in specs]


async def answered_by(address: str, count: int) -> Counter[str]:
    """How many connections each version of the webserver behind an address has answered."""

    async def ask() -> str:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nhost: db\r\nconnection: close\r\n\r\n")
        body = await reader.read()
        writer.close()
        return "v1" if b"v1" in body else "v2" if b"v2" in body else ""

    return Counter([await ask() for _ in range(count)])


async def counted(admin: Admin, connections: int) -> GatewayCounters:
    """The counters once they have so many connections: a line of the log may come after the answer."""
    async with asyncio.timeout(10):
        while True:
            counters = await admin.counters()
            rules = (rule for phase in counters["phases"].values() for rule in phase.values())
            if counters["unmatched"] + sum(rule["requests"] for rule in rules) == connections:
                return counters


def shakes_hands(address: str, name: str, ca: str) -> bool:
    """Whether there is TLS with the certificate of this name at an address."""
    host, _, port = address.rpartition(":")
    trusted = ssl.create_default_context(cafile=ca)
    try:
        with socket.create_connection((host, int(port)), 10) as sock, trusted.wrap_socket(sock, server_hostname=name):
            return True
    except (ssl.SSLError, ConnectionError):
        return False


def test_connections_take_the_routes_of_tcp_and_tls_and_are_counted_as_drawn(tmp_path: Path) -> None:
    made = issue(tmp_path, ["shop.example.com", "other.example.com"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.chain, made.key)

    async def check() -> None:
        async with await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=server
        ) as shop:
            port = shop.sockets[0].getsockname()[1]
            services = {
                "web": {"builtin": "webserver"},
                "db:5432": {"builtin": "webserver", "versions": ["v1", "v2"], "protocol": "TCP"},
                "shop:443": {"endpoints": [{"address": f"127.0.0.1:{port}"}], "protocol": "TLS"},
            }
            listeners = [{"name": "db", "protocol": "TCP", "host": "db:5432"}, {"name": "tls", "protocol": "TLS"}]
            file = write(tmp_path, experiment(listeners=listeners, services=services), *tcp_rules(70, 30))
            prepared = prepare([file]).require_sound()
            program = engine_of(EngineName.ENVOY).program
            async with start(prepared, gateway_plan(prepared, seed=1), seed=1, program=program) as session:
                assert session.gateway is not None and session.ca is None
                where, admin = session.gateway.listeners, session.gateway.admin
                assert session.variables["CHAOS_LISTENER_DB"] == where["db"]
                await admin.set_phase({"name": "first", "faults": True})
                seen = await answered_by(where["db"], 100)
                assert set(seen) == {"v1", "v2"}
                counts = (await counted(admin, 100))["phases"]["first"]["virtualservice/default/db/tcp/0"]
                label = "db.default.svc.cluster.local:5432/"
                assert counts["destinations"] == {label + version: count for version, count in seen.items()}
                assert (counts["requests"], counts["answered"], counts["failures"]) == (100, 100, {})
                for name, right in (("shop.example.com", True), ("other.example.com", False)):
                    assert await asyncio.to_thread(shakes_hands, where["tls"], name, str(made.ca)) is right
                counters = await counted(admin, 102)
                assert counters["phases"]["first"]["virtualservice/default/shop/tls/0"]["requests"] == 1
                assert counters["unmatched"] == 1
                await admin.put_rules(to_yaml_stream(tcp_rules(0, 100)))
                await admin.set_phase({"name": "second", "faults": True})
                assert await answered_by(where["db"], 20) == {"v2": 20}
                counts = (await counted(admin, 122))["phases"]["second"]["virtualservice/default/db/tcp/0"]
                assert counts["destinations"] == {label + "v2": 20}

    asyncio.run(check())
