"""The gateway that one would write first: an aiohttp application that passes everything on with a ClientSession.

python -m benchmarks.naive_gateway PORT UPSTREAM_PORT ABORT_PERCENT"""

from __future__ import annotations

import random
import sys

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade"}


def main(port: int, upstream: int, abort: float) -> None:
    app = web.Application()
    session = web.AppKey("session", aiohttp.ClientSession)

    async def start(app: web.Application) -> None:
        app[session] = aiohttp.ClientSession(auto_decompress=False)

    async def forward(request: web.Request) -> web.StreamResponse:
        if random.random() * 100 < abort:
            return web.Response(status=503, text="fault filter abort")
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        url = f"http://127.0.0.1:{upstream}{request.path_qs}"
        data = request.content if request.can_read_body else None
        async with app[session].request(request.method, url, headers=headers, data=data) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    app.on_startup.append(start)
    app.router.add_route("*", "/{path:.*}", forward)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
