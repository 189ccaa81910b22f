"""Call the gateway's admin API: JSON over HTTP/1.1 on loopback, from asyncio.

This uses the standard library because importing aiohttp would take four times as long as the supervisor's start.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any, cast
from urllib.parse import urlsplit

from chaos.errors import EnvironmentFailed, InvalidInput, Location, Problem
from chaos.protocol.counters import FaultedBatch, GatewayCounters, PhaseSettings

TIMEOUT = 10.0


class Admin:
    """The admin API at one address. Every call raises EnvironmentFailed if the gateway does not respond, or not as
    specified, within `timeout` seconds."""

    def __init__(self, url: str, token: str | None = None, timeout: float = TIMEOUT):
        parts = urlsplit(url)
        self.url, self._timeout = url, timeout
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send one request and return its JSON, for callers without an event loop."""
        return self._ask(method, path, body)

    def read_counters(self) -> GatewayCounters:
        """Return the same as `counters`, for callers without an event loop."""
        return cast(GatewayCounters, self._ask("GET", "/counters"))

    def switch_faults(self, enabled: bool) -> None:
        """Do the same as `set_faults`, for callers without an event loop."""
        self._ask("PUT", "/faults", {"enabled": enabled})

    def enter(self, phase: str) -> None:
        """Begin a phase with all faults on, for callers without an event loop."""
        self._ask("PUT", "/phase", {"name": phase, "faults": True})

    async def counters(self) -> GatewayCounters:
        return cast(GatewayCounters, await self._json("GET", "/counters"))

    async def faulted(self, after: int) -> FaultedBatch:
        return cast(FaultedBatch, await self._json("GET", f"/faulted?after={after}"))

    async def set_phase(self, phase: PhaseSettings) -> None:
        await self._json("PUT", "/phase", phase)

    async def set_faults(self, enabled: bool) -> None:
        await self._json("PUT", "/faults", {"enabled": enabled})

    async def put_rules(self, text: str) -> None:
        """Replace the rules in force. Raises InvalidInput with the gateway's problems if it refuses them."""
        status, body = await asyncio.to_thread(self._request, "PUT", "/rules", text.encode(), "application/yaml")
        if status == 400:
            raise InvalidInput([_problem(each) for each in json.loads(body).get("problems", [])])
        if status >= 300:
            raise EnvironmentFailed(f"the gateway answered PUT /rules with {status}")

    async def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return await asyncio.to_thread(self._ask, method, path, body)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        status, content = self._request(method, path, data, "application/json")
        if status >= 300:
            raise EnvironmentFailed(f"the gateway answered {method} {path} with {status}: {_reason(content)}")
        try:
            value = json.loads(content) if content else {}
        except ValueError:
            raise EnvironmentFailed(f"the gateway answered {method} {path} with something else than JSON") from None
        return value if isinstance(value, dict) else {"value": value}

    def _request(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            headers = self._headers | ({"content-type": content_type} if body is not None else {})
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFailed(f"the gateway's admin API at {self.url} does not answer: {error}") from None
        finally:
            connection.close()


def _reason(content: bytes) -> str:
    """Return the sentence of a refusal, or what else was answered."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    reason = value.get("error") if isinstance(value, dict) else None
    return reason if isinstance(reason, str) else repr(content[:200])


def _problem(value: Any) -> Problem:
    if not isinstance(value, dict):
        return Problem(Location("rules"), "", str(value))
    return Problem.from_dict(value)
