"""`chaos gateway` as a child process, for tests that talk to it over the wire."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit


class Gateway:
    """Runs an experiment file's rules on a free loopback port; `port` and `admin` are known once it has started.

    An ordinary process object, not asyncio's: it may outlive the event loop of the test that started it."""

    def __init__(self, experiment: str, *arguments: str):
        self.experiment = experiment
        self.arguments = arguments
        self.port = 0
        self.admin = ""
        self._folder = tempfile.TemporaryDirectory(prefix="gateway-")
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Gateway:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        folder = Path(self._folder.name)
        (folder / "rules.yaml").write_text(self.experiment)
        command = ["gateway", str(folder / "rules.yaml"), "--listen", "127.0.0.1:0", *self.arguments]
        with (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chaos.cli", *command], stdout=subprocess.PIPE, stderr=stderr
            )
        try:
            self._read_addresses()
        except BaseException:
            self.stop()
            raise

    def _read_addresses(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            words, _, address = line.decode().strip().rpartition(" ")
            if words == "admin on":
                self.admin = address
            elif words == "listening on":
                self.port = urlsplit(address).port or 80
                return
        raise RuntimeError("the gateway did not start:\n" + (Path(self._folder.name) / "stderr").read_text())

    def memory(self, field: str) -> int:
        """Bytes: `VmRSS` is what the process has, `VmHWM` the most that it has had (proc(5), status)."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0]) * 1024

    def replace(self, experiment: str) -> None:
        """Other rules, services and proxy, through the admin API; RuntimeError with the problems when refused."""
        request = urllib.request.Request(f"{self.admin}/rules", data=experiment.encode(), method="PUT")
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as refused:
            with refused:
                raise RuntimeError(json.load(refused)["problems"]) from None

    def stop(self) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._folder.cleanup()
