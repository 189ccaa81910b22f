"""`chaos gateway` in a process of its own, with one rule whose faults can be set, and no upstream."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from support.experiments import experiment, start, virtual_service, write

DELAY = {"percentage": {"value": 0}, "fixedDelay": "5s"}


@dataclass
class Running:
    process: subprocess.Popen[str]
    admin: str
    url: str

    def get(self) -> int:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"host": "web"})
            return connection.getresponse().status


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Running]:
    fault = {"abort": {"percentage": {"value": 0}, "httpStatus": 418}, "delay": DELAY}
    rules = virtual_service(fault=fault)
    # Nothing listens there: what is not aborted is 503.
    listed = {"web": {"endpoints": [{"address": "127.0.0.1:9"}]}}
    file = write(folder, experiment(services=listed), rules)
    process = start("gateway", file, "--listen", "127.0.0.1:0", *arguments, cwd=folder)
    try:
        assert process.stdout is not None
        admin, url = (process.stdout.readline().split()[2].removeprefix("http://") for _ in range(2))
        yield Running(process, admin, f"http://{url}")
    finally:
        process.terminate()
        process.communicate(timeout=20)
