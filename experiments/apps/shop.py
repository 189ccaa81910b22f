"""A small application of one's own: its front page asks the prices service, and shows a default when that fails.

It knows nothing of chaos: it listens on PORT and calls through HTTP_PROXY, as many programs do by themselves."""

import os

from aiohttp import ClientSession, ClientTimeout, web

session: web.AppKey[ClientSession] = web.AppKey("session", ClientSession)


async def front_page(request: web.Request) -> web.Response:
    headers = {"x-request-id": request.headers.get("x-request-id", "")}  # passed on, as tracing asks for
    async with request.app[session].get("http://prices/today", headers=headers) as answer:
        prices = await answer.text() if answer.status == 200 else "prices of yesterday"
    return web.Response(text=f"Welcome to the shop. {prices}")


async def health(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def with_session(app: web.Application):
    async with ClientSession(trust_env=True, timeout=ClientTimeout(total=5)) as made:
        app[session] = made
        yield


app = web.Application()
app.cleanup_ctx.append(with_session)
app.add_routes([web.get("/", front_page), web.get("/health", health)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
