"""Envoy's own admin interface, over the socket in the engine's folder."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from chaos.engines.envoy.connections import STATISTICS
from chaos.errors import EnvironmentFailed

TIMEOUT = 10.0  # seconds
FILES = ("cluster_manager.cds", "listener_manager.lds")
TAKEN_UP = ("rds.http.config_reload", *(f"{each}.update_success" for each in FILES))
REFUSED = ("rds.http.update_rejected", *(f"{each}.update_rejected" for each in FILES))
PREFIX = "http."  # of the connection manager's statistics; `outbound` or `gateway` follows


@dataclass(frozen=True, slots=True)
class Statistics:
    """What Envoy itself counts of requests. `ended` are those that are over, `changes` the sets of routes and clusters
    that it took up, `refused` those that it did not. `opened` are the connections that its listeners for connections
    took, `open` those of them that are not over."""

    ended: int
    active: int
    aborted: int
    delayed: int
    connections: int
    changes: int
    refused: int
    opened: int = 0
    open: int = 0


class Interface:
    """The admin interface at one socket. Every call raises EnvironmentFailed if Envoy does not answer."""

    def __init__(self, path: Path):
        self._path = path

    async def ports(self) -> dict[str, int]:
        """Return the ports that Envoy accepts connections at, by the names of its listeners."""
        statuses = json.loads(await self._get("/listeners?format=json")).get("listener_statuses") or []
        return {each["name"]: int(each["local_address"]["socket_address"]["port_value"]) for each in statuses}

    async def statistics(self) -> Statistics:
        """Return its counts as they are now."""
        wanted = (
            r"^http\.(outbound|gateway)\.(downstream_rq_(total|active)|downstream_cx_active|fault\.(aborts|delays)_injected"
            r"|rds\.http\.(config_reload|update_rejected))$|^cluster_manager\.cds\.update_(success|rejected)$"
            r"|^listener_manager\.lds\.update_(success|rejected)$"
            rf"|^tcp\.{STATISTICS}\.downstream_cx_total$|^listener\.{STATISTICS}\.downstream_cx_active$"
        )
        said = json.loads(await self._get(f"/stats?format=json&filter={quote(wanted)}"))["stats"]
        found: dict[str, int] = {}
        for each in said:
            if "name" in each:
                name = ".".join(each["name"].split(".")[2:]) if each["name"].startswith(PREFIX) else each["name"]
                found[name] = int(each["value"])
        active = found.get("downstream_rq_active", 0)
        return Statistics(
            ended=found.get("downstream_rq_total", 0) - active,
            active=active,
            aborted=found.get("fault.aborts_injected", 0),
            delayed=found.get("fault.delays_injected", 0),
            connections=found.get("downstream_cx_active", 0),
            changes=sum(found.get(name, 0) for name in TAKEN_UP),
            refused=sum(found.get(name, 0) for name in REFUSED),
            opened=found.get(f"tcp.{STATISTICS}.downstream_cx_total", 0),
            open=found.get(f"listener.{STATISTICS}.downstream_cx_active", 0),
        )

    async def _get(self, path: str) -> bytes:
        return await asyncio.to_thread(self._ask, path)

    def _ask(self, path: str) -> bytes:
        connection = _OverSocket(self._path)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFailed(f"Envoy's admin interface does not answer: {error}") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise EnvironmentFailed(f"Envoy's admin interface answered {path} with {response.status}")
        return body


class _OverSocket(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path):
        super().__init__("envoy", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
