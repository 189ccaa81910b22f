"""The built-in `proxy`: requests the path from its URL, through the gateway, and shows the response, errors too.

    Proxying value: WebServer V1 from webserverv1-1 - Took 3 milliseconds

It answers with the status that it got, so that its users see the effect of a fault; 502 when there was no response.
With `retries` it retries after a status of 400 or above or no response, each attempt with an id of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from chaos.services.client import Client
from chaos.services.http import Request, Response

# Headers passed on, for tracing and for rules that match on them. The others belong to the caller's own connection.
_PASSED = (b"accept", b"authorization", b"content-type", b"cookie", b"end-user", b"user-agent", b"traceparent")


class Proxy:
    """The handler of one instance. The gateway's address arrives after the start, so calls wait for `use_gateway`."""

    def __init__(self, name: str, url: str, retries: int = 0):
        parts = urlsplit(url)
        self._name = name.encode()
        self._host = parts.netloc.encode()
        self._base = parts.path.rstrip("/").encode()
        self._own = (parts.hostname or "", parts.port or 80)
        self._retries = retries
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()

    def use_gateway(self, address: tuple[str, int] | None) -> None:
        """Call through the gateway at this address; None: call the URL's own host."""
        if not self._client.done():
            self._client.set_result(Client(*(address or self._own)))

    def close(self) -> None:
        """Close the idle connections; the proxy must not be called afterwards."""
        if self._client.done():
            self._client.result().close()

    def __call__(self, request: Request) -> Coroutine[Any, Any, Response]:
        return self._answer(request)

    async def _answer(self, request: Request) -> Response:
        began = time.perf_counter()
        client = await asyncio.shield(self._client)
        got = await self._try(client, request, 0)
        for retry in range(1, self._retries + 1):
            if got.status < 400:
                break
            got = await self._try(client, request, retry)
        value = got.body.decode("utf-8", "replace").strip()
        shown = value if got.status < 400 else f"{got.status} {value}".rstrip()
        text = f"Proxying value: {shown} - Took {(time.perf_counter() - began) * 1000:.0f} milliseconds\n"
        return Response(
            got.status,
            text.encode(),
            ((b"content-type", b"text/plain; charset=utf-8"), (b"x-served-by", self._name)),
        )

    async def _try(self, client: Client, request: Request, retry: int) -> Response:
        try:
            return await client.request(self._encode(request, retry))
        except (OSError, TimeoutError) as error:
            return Response(502, f"no answer from {self._host.decode()}: {error or type(error).__name__}".encode())

    def _encode(self, request: Request, retry: int) -> bytes:
        lines = [request.method.encode() + b" " + self._base + request.target + b" HTTP/1.1", b"host: " + self._host]
        if request_id := request.headers.get(b"x-request-id"):
            lines.append(b"x-request-id: " + request_id + (b"-retry%d" % retry if retry else b""))
        lines += [name + b": " + request.headers[name] for name in _PASSED if name in request.headers]
        if request.body:
            lines.append(b"content-length: %d" % len(request.body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + request.body


Handlers = Callable[[Request], Response] | Proxy
