"""All built-in services of a run in one process: `python -m chaos.services`.

Reads one JSON plan (a line on stdin): `{"seed": 1, "services": [{"kind": "webserver", "name", "version", "fd"},
{"kind": "proxy", "name", "url", "retries", "fd"}]}`; `fd` is an inherited listening socket. Prints `{"type": "ready",
"pid": P}` once all are served. A later line `{"gateway": "http://127.0.0.1:PORT"}` (or null) is the address that the
proxies call through. Ends when stdin closes or on SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import uvloop

from chaos.services.http import Handler, HttpServerProtocol
from chaos.services.proxy import Proxy
from chaos.services.webserver import webserver


def build(service: dict[str, Any], seed: int) -> Handler:
    """Return the handler for one entry of the plan."""
    if service["kind"] == "proxy":
        return Proxy(service["name"], service["url"], service.get("retries", 0))
    return webserver(service["name"], service["version"], seed, chance=random.Random(os.urandom(8)))


def address_of(url: str | None) -> tuple[str, int] | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


async def serve(plan: dict[str, Any], lines: asyncio.StreamReader) -> None:
    """Serve until the commands end."""
    loop = asyncio.get_running_loop()
    handlers = [build(service, plan.get("seed", 0)) for service in plan["services"]]
    servers = [
        await loop.create_server(
            lambda handler=handler: HttpServerProtocol(handler),  # type: ignore[misc]
            sock=socket.socket(fileno=service["fd"]),
            backlog=4096,
        )
        for service, handler in zip(plan["services"], handlers, strict=True)
    ]
    print(json.dumps({"type": "ready", "pid": os.getpid()}), flush=True)
    while line := await lines.readline():
        address = address_of(json.loads(line).get("gateway"))
        for handler in handlers:
            if isinstance(handler, Proxy):
                handler.use_gateway(address)
    for server in servers:
        server.close()


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, lines.feed_eof)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides when we end
    await serve(json.loads(await lines.readline()), lines)


if __name__ == "__main__":
    uvloop.run(main())
