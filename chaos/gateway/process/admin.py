"""The admin API: an ordinary aiohttp application over `Controls`. Its requests are in the table of
chaos/gateway/process/operations.py, and docs/protocol.md says what they mean."""

from __future__ import annotations

import hmac
import json
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.faults import FaultKind
from chaos.gateway.process.control import Controls
from chaos.gateway.process.openapi import description
from chaos.gateway.process.operations import LONGEST_NAME, MOST_DIGITS, MOST_SCALE, OPERATIONS
from chaos.loopback import is_loopback
from chaos.protocol.counters import RuleFaults
from chaos.protocol.fault_levels import read_levels
from chaos.protocol.page_origin import sender

MAX_RULES_BYTES = 16 * 1024 * 1024
MOST_SHOWN = 200  # characters of a wrong value that a message quotes


class BadCommand(Exception):  # noqa: N818 - named for what it is
    """The body of an admin request is malformed; the message says how. Answered with 400."""


def admin_app(controls: Controls, token: str | None) -> web.Application:
    """Build the admin application. With a `token`, every request must carry it as a bearer token."""
    app = web.Application(client_max_size=MAX_RULES_BYTES, middlewares=[_errors, _guard(token)])
    api = Admin(controls, with_token=token is not None)
    for operation in OPERATIONS:
        path = operation.path.replace("{key}", "{key:.+}")  # keys have slashes
        add = app.router.add_get if operation.method == "GET" else partial(app.router.add_route, operation.method)
        add(path, getattr(api, operation.handler))
    return app


class Admin:
    """The handlers, one per request of the API."""

    def __init__(self, controls: Controls, *, with_token: bool = False):
        self._controls = controls
        self._description = description(with_token=with_token)

    async def page(self, request: web.Request) -> web.Response:
        """Return the page. It holds nothing of the gateway's: its script asks for that, with the token if there is
        one."""
        from chaos.gateway.process.page import page

        found = page()
        return web.Response(text=found.html, content_type="text/html", headers=found.headers)

    async def openapi(self, request: web.Request) -> web.Response:
        return web.json_response(self._description)

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
        wanted = request.query.get("format", "json")
        if wanted not in ("json", "yaml"):
            raise BadCommand(f"format={wanted[:40]!r} is neither json nor yaml")
        if wanted == "yaml":
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
        return web.json_response(await self._controls.faults())

    async def put_faults(self, request: web.Request) -> web.Response:
        body = await _json_object(request, {"enabled"})
        enabled = _field(body, "enabled", bool)
        await self._controls.switch_faults(enabled)
        return web.json_response({"enabled": enabled})

    async def delete_faults(self, request: web.Request) -> web.Response:
        """Undo whatever was set by hand: the levels of every rule, and whether faults are on."""
        for rule in (await self._controls.faults())["rules"]:
            if rule["levels"] != rule["configured"]:
                await self._controls.set_levels(rule["key"], {})
        await self._controls.switch_faults((await self._controls.phase())["faults"])
        return web.json_response(await self._controls.faults())

    async def get_levels(self, request: web.Request) -> web.Response:
        return web.json_response(await self._rule(request))

    async def put_levels(self, request: web.Request) -> web.Response:
        rule = await self._rule(request)
        body = await _json_object(request, set(rule["configured"]), f"{rule['name']} has no fault level", "; it has")
        if not body:
            raise BadCommand('name a level, like {"abort": 10}')
        try:
            levels = read_levels(body)
        except ValueError as error:
            raise BadCommand(str(error)) from None
        await self._controls.set_levels(rule["key"], levels)
        return web.json_response(await self._rule(request))

    async def delete_levels(self, request: web.Request) -> web.Response:
        await self._controls.set_levels((await self._rule(request))["key"], {})
        return web.json_response(await self._rule(request))

    async def _rule(self, request: web.Request) -> RuleFaults:
        """Return the rule that the path names. Raises HTTPNotFound."""
        key = request.match_info["key"]
        for rule in (await self._controls.faults())["rules"]:
            if rule["key"] == key:
                return rule
        raise web.HTTPNotFound(reason="there is no rule with this key; GET /rules lists them")

    async def get_phase(self, request: web.Request) -> web.Response:
        return web.json_response(await self._controls.phase())

    async def put_phase(self, request: web.Request) -> web.Response:
        """Enter a phase; `faults` is true and `scale` empty by default."""
        body = await _json_object(request, {"name", "faults", "scale"})
        name, faults = _field(body, "name", str), _field(body, "faults", bool, True)
        if len(name) > LONGEST_NAME or not is_unicode(name):
            raise BadCommand(f"name must be Unicode text of at most {LONGEST_NAME} characters")
        scale = _scale(body.get("scale", {}))
        await self._controls.enter_phase(name, faults, scale)
        return web.json_response({"name": name, "faults": faults, "scale": scale})

    async def counters(self, request: web.Request) -> web.Response:
        return web.json_response(await self._controls.counters())

    async def metrics(self, request: web.Request) -> web.Response:
        from chaos.gateway.process.metrics import prometheus_text

        body = prometheus_text(await self._controls.counters())
        return web.Response(body=body, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    async def reopen_logs(self, request: web.Request) -> web.Response:
        return web.json_response({"reopened": await self._controls.reopen_logs()})

    async def faulted(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= MOST_DIGITS):
            raise BadCommand(f"after={after[:40]!r} is not a number of at most {MOST_DIGITS} digits")
        return web.json_response(await self._controls.faulted(int(after)))


async def _json_object(
    request: web.Request, known: set[str], unknown_field: str = "unknown field", otherwise: str = "; the fields are"
) -> dict[str, Any]:
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
        there = ", ".join(sorted(known)) or "none"
        raise BadCommand(f"{unknown_field} {_shown(unknown[0])}{otherwise} {there}")
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
    except EnvironmentFailed as error:  # what carries out the rules for us does not do as it is told
        return web.json_response({"error": str(error)}, status=503)
    except RecursionError:
        return web.json_response({"error": "the body is nested too deeply"}, status=400)
    except web.RequestPayloadError:
        return web.json_response({"error": "the body is not in the content-encoding that it names"}, status=400)
    except web.HTTPException as error:
        headers = {name: value for name, value in error.headers.items() if name.lower() == "allow"}
        return web.json_response({"error": _sentence(error)}, status=error.status, headers=headers)


def _sentence(error: web.HTTPException) -> str:
    """Return why aiohttp itself refuses a request, where it has only its status's name."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{error.method} is not for this path; there is {', '.join(sorted(error.allowed_methods))}"
    if error.reason == "Not Found":
        return "there is nothing at this path; GET /openapi.json lists what there is"
    return error.reason


def _is_for_loopback(request: web.Request) -> bool:
    try:
        return is_loopback(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return False


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _guard(token: str | None) -> Middleware:
    """Return the middleware that refuses strangers.

    With a token, only requests that carry it pass, and those for the page, which asks for it. Without one, only
    requests to a loopback name pass, which also stops DNS rebinding, from programs and from the API's own page."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is not None and request.path == "/":
            pass
        elif token is not None:
            given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                return web.json_response({"error": "the admin token is required, as a bearer token"}, status=401)
        elif not _is_for_loopback(request) or sender(_headers(request), f"http://{request.host}") == "foreign page":
            only = "only programs on this machine may call this, and no web page but its own"
            return web.json_response({"error": only}, status=403)
        return await handler(request)

    return guard
