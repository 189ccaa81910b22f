"""A real Envoy as a child process, for tests that compare with it."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from chaos.engines.envoy.export import as_text
from support.envoy_binary import envoy_binary


class Envoy:
    """Runs a bootstrap on a free loopback port; `port` is where it listens once entered."""

    def __init__(self, bootstrap: dict[str, Any]):
        self.bootstrap = bootstrap
        self.port = 0
        self._folder = tempfile.TemporaryDirectory(prefix="envoy-")
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Envoy:
        folder = Path(self._folder.name)
        (folder / "bootstrap.json").write_text(as_text(self.bootstrap))
        self._process = await asyncio.create_subprocess_exec(
            envoy_binary(), "-c", folder / "bootstrap.json", "--admin-address-path", folder / "admin",
            "--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "--log-path", folder / "log",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                self.port = await self._listener_port()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._folder.cleanup()

    async def _listener_port(self) -> int:
        """Asks the admin interface which port the kernel gave to the listener."""
        assert self._process is not None
        address = Path(self._folder.name) / "admin"
        while self._process.returncode is None:
            if address.exists() and address.read_text():
                found = await asyncio.to_thread(_listeners, address.read_text())
                if found:
                    return found
            await asyncio.sleep(0.01)
        log = (Path(self._folder.name) / "log").read_text()
        raise RuntimeError(f"Envoy refused its bootstrap:\n{log[-2000:]}")


def _listeners(admin: str) -> int:
    with urllib.request.urlopen(f"http://{admin}/listeners?format=json", timeout=5) as answer:
        statuses = json.load(answer).get("listener_statuses") or []
    if not statuses:
        return 0
    return int(statuses[0]["local_address"]["socket_address"]["port_value"])


def available() -> bool:
    try:
        return os.access(envoy_binary(), os.X_OK)
    except Exception:
        return False
