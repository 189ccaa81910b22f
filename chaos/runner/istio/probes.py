"""Wait until a generation is in force: ask for it over fresh connections until none of many shows another one.

A gateway may be several processes behind one address, and each follows the control plane by itself; a fresh connection
reaches any of them."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from chaos.engines.istio.marks import HEADER, PROBE, PROBE_STATUS
from chaos.errors import EnvironmentFailed

IN_A_ROW = 20
POLL = 0.02
TIMEOUT = 5.0


class Probes:
    """Asks one entry to the mesh for the generation of virtual hosts (`host:port`), for `longest` seconds."""

    def __init__(self, url: str, run: str, longest: float):
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._secure else 80)
        self._run, self._longest = run, longest
        self._last = ""

    async def wait_for(self, generation: int, virtual_hosts: Sequence[str]) -> None:
        """Return once IN_A_ROW probes of each virtual host show this generation. Raises EnvironmentFailed if they do
        not in time, with what was seen last."""
        deadline = time.monotonic() + self._longest
        for host in virtual_hosts:
            if not await self._shows(generation, host, deadline):
                text = f"generation {generation} is not in force at {host} after {self._longest:g} s: {self._last}"
                raise EnvironmentFailed(f"{text}; does the proxy behind this entry belong to the namespace?")

    async def _shows(self, generation: int, host: str, deadline: float) -> bool:
        row = 0
        while row < IN_A_ROW:
            if time.monotonic() > deadline:
                return False
            if await asyncio.to_thread(self._ask, host) == str(generation):
                row += 1
            else:
                row = 0
                await asyncio.sleep(POLL)
        return True

    def _ask(self, virtual_host: str) -> str:
        """Return the generation that one probe shows, empty if it shows none; that is noted."""
        host, _, port = virtual_host.rpartition(":")
        authority = host if port == "80" else virtual_host
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", "/", headers={"host": authority, HEADER: self._run, PROBE: "1"})
            response = connection.getresponse()
            body = response.read(200).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._last = f"no answer ({error})"
            return ""
        finally:
            connection.close()
        self._last = f"status {response.status}" + (f", {body[:60]!r}" if body else "")
        return body if response.status == PROBE_STATUS else ""
