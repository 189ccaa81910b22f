"""`chaos gateway` as a child process, for tests that talk to it over the wire."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit


class Gateway:
    """Runs an experiment file's rules on a free loopback port; `port` and `admin` are known once entered."""

    def __init__(self, experiment: str, *arguments: str):
        self.experiment = experiment
        self.arguments = arguments
        self.port = 0
        self.admin = ""
        self._folder = tempfile.TemporaryDirectory(prefix="gateway-")
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Gateway:
        file = Path(self._folder.name) / "rules.yaml"
        file.write_text(self.experiment)
        with (Path(self._folder.name) / "stderr").open("wb") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "chaos.cli", "gateway", str(file), "--listen", "127.0.0.1:0", *self.arguments,
                stdout=asyncio.subprocess.PIPE, stderr=stderr,
            )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                await self._ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _ready(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            words, _, address = line.decode().strip().rpartition(" ")
            if words == "admin on":
                self.admin = address
            elif words == "listening on":
                self.port = urlsplit(address).port or 80
                return
        raise RuntimeError("the gateway did not start:\n" + (Path(self._folder.name) / "stderr").read_text())

    async def _stop(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()
        if process is not None:
            process._transport.close()  # type: ignore[attr-defined]  # or its pipe is reported as leaked
        self._folder.cleanup()
