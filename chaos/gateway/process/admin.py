"""The admin API: an ordinary aiohttp application over `Controls`. docs/protocol.md lists its requests and responses."""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chaos.errors import InvalidInput
from chaos.faults import FaultKind
from chaos.gateway.process.control import Controls
from chaos.loopback import is_loopback
from chaos.protocol.page_origin import sender

MAX_RULES_BYTES = 16 * 1024 * 1024
MOST_DIGITS = 18
MOST_SCALE = 1_000_000.0  # makes the rarest fault, one in a million, happen on every request
MOST_SHOWN = 200  # characters of a wrong value that a message quotes
LONGEST_NAME = 200


class BadCommand(Exception):  # noqa: N818 - named for what it is
    """The body of an admin request is malformed; the message says how. Answered with 400."""


def admin_app(controls: Controls, token: str | None) -> web.Application:
    """Build the admin application. With a `token`, every request must carry it as a bearer token."""
    app = web.Application(client_max_size=MAX_RULES_BYTES, middlewares=[_errors, _guard(token)])
    api = Admin(controls)
    app.router.add_get("/health", api.health)
    app.router.add_get("/rules", api.get_rules)
    app.router.add_put("/rules", api.put_rules)
    app.router.add_get("/faults", api.get_faults)
    app.router.add_put("/faults", api.put_faults)
    app.router.add_put("/phase", api.put_phase)
    app.router.add_get("/counters", api.counters)
    app.router.add_get("/metrics", api.metrics)
    app.router.add_get("/faulted", api.faulted)
    return app


class Admin:
    """The handlers, one per request of the API."""

    def __init__(self, controls: Controls):
        self._controls = controls

    async def health(self, request: web.Request) -> web.Response:
        ok = await self._controls.accepting()
        body = {
            "status": "ok" if ok else "draining",
            "workers": self._controls.workers,
            "generation": await self._controls.generation(),
        }
        return web.json_response(body, status=200 if ok else 503)

    async def get_rules(self, request: web.Request) -> web.Response:
        """Return the rules in force as JSON, or with `?format=yaml` the documents; 409 when their files can no longer
        be read."""
        if request.query.get("format") == "yaml":
            try:
                return web.Response(text=await self._controls.source(), content_type="application/yaml")
            except (OSError, UnicodeDecodeError) as error:
                raise web.HTTPConflict(reason="the files of the rules in force can no longer be read") from error
        return web.json_response(await self._controls.rules())

    async def put_rules(self, request: web.Request) -> web.Response:
        try:
            text = (await request.read()).decode()
        except UnicodeDecodeError:
            raise BadCommand("the rules are not UTF-8 text") from None
        return web.json_response({"generation": await self._controls.replace(text)})

    async def get_faults(self, request: web.Request) -> web.Response:
        return web.json_response({"enabled": await self._controls.faults()})

    async def put_faults(self, request: web.Request) -> web.Response:
        body = await _json_object(request, {"enabled"})
        enabled = _field(body, "enabled", bool)
        await self._controls.switch_faults(enabled)
        return web.json_response({"enabled": enabled})

    async def put_phase(self, request: web.Request) -> web.Response:
        """Enter a phase; `faults` is true and `scale` empty by default."""
        body = await _json_object(request, {"name", "faults", "scale"})
        name, faults = _field(body, "name", str), _field(body, "faults", bool, True)
        if len(name) > LONGEST_NAME or not is_unicode(name):
            raise BadCommand(f"name must be Unicode text of at most {LONGEST_NAME} characters")
        scale = _scale(body.get("scale") or {})
        await self._controls.enter_phase(name, faults, scale)
        return web.json_response({"name": name, "faults": faults, "scale": scale})

    async def counters(self, request: web.Request) -> web.Response:
        return web.json_response(await self._controls.counters())

    async def metrics(self, request: web.Request) -> web.Response:
        from chaos.gateway.process.metrics import prometheus_text

        body = prometheus_text(await self._controls.counters())
        return web.Response(body=body, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    async def faulted(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= MOST_DIGITS):
            raise BadCommand(f"after={after[:40]!r} is not a number of at most {MOST_DIGITS} digits")
        return web.json_response(await self._controls.faulted(int(after)))


async def _json_object(request: web.Request, known: set[str]) -> dict[str, Any]:
    """Read the body as a JSON object with none but the `known` fields. Raises BadCommand."""
    try:
        body = json.loads(await request.read())
    except RecursionError:
        raise BadCommand("the body is not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise BadCommand(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadCommand("the body is not a JSON object")
    unknown = sorted(set(body) - known)
    if unknown:
        raise BadCommand(f"unknown field {unknown[0]!r}; the fields are {', '.join(sorted(known))}")
    return body


def _field(body: dict[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """Return a field of the body, or `default`. Raises BadCommand when its type is not `kind`."""
    value = body.get(name, default)
    if not isinstance(value, kind):
        words = {bool: "true or false", str: "a string"}
        raise BadCommand(f"{name} must be {words[kind]}, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """Return a value as JSON, cut to MOST_SHOWN characters."""
    text = json.dumps(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8; JSON may carry lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scale(value: Any) -> dict[str, float]:
    """Check the factors by which fault probabilities are multiplied: `{"abort": 0.5}` halves the aborts, 0 switches
    them off. Raises BadCommand."""
    if not isinstance(value, dict) or not set(value) <= set(FaultKind):
        raise BadCommand('scale must be an object like {"abort": 0.5, "delay": 1}')
    for fault, factor in value.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor <= MOST_SCALE:
            raise BadCommand(f"scale.{fault} must be a number from 0 to {MOST_SCALE:g}, not {_shown(factor)}")
    return {fault: float(factor) for fault, factor in value.items()}


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a JSON response with a sentence."""
    try:
        return await handler(request)
    except InvalidInput as error:
        problems = [problem.to_dict() for problem in error.problems]
        return web.json_response({"error": str(error), "problems": problems}, status=400)
    except BadCommand as error:
        return web.json_response({"error": str(error)}, status=400)
    except RecursionError:
        return web.json_response({"error": "the body is nested too deeply"}, status=400)
    except web.RequestPayloadError:
        return web.json_response({"error": "the body is not in the content-encoding that it names"}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)


def _is_for_loopback(request: web.Request) -> bool:
    try:
        return is_loopback(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return False


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _guard(token: str | None) -> Middleware:
    """Return the middleware that refuses strangers.

    With a token, only requests that carry it pass. Without one, only requests from programs (no web page) and to a
    loopback name pass, which also stops DNS rebinding."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is not None:
            given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                return web.json_response({"error": "the admin token is required, as a bearer token"}, status=401)
        elif not _is_for_loopback(request) or sender(_headers(request), None) == "foreign page":
            return web.json_response({"error": "only programs on this machine may call this, no web page"}, status=403)
        return await handler(request)

    return guard
