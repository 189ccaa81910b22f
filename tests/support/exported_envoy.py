"""A real Envoy with what `chaos export envoy` prints, for runs through `--gateway`."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from chaos.runner.processes.ports import accepts
from support.envoy_binary import find_envoy
from support.experiments import CHAOS
from support.processes import wait_for


@contextlib.contextmanager
def real_envoy(file: str, folder: Path, port: int) -> Iterator[str]:
    """Envoy on this port with the bootstrap that `chaos export envoy` prints; its URL."""
    binary = find_envoy()
    assert binary is not None
    exported = subprocess.run(
        [*CHAOS, "export", "envoy", file, "--listen", f"127.0.0.1:{port}"], capture_output=True, text=True, check=True
    )
    bootstrap = folder / "envoy.json"
    bootstrap.write_text(exported.stdout)
    assert json.loads(exported.stdout)["static_resources"]["listeners"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary), "-c", str(bootstrap), "--concurrency", "1", "--use-dynamic-base-id"], stdout=log, stderr=log
        )
        try:
            wait_for(lambda: accepts("127.0.0.1", port, 0.2) or process.poll() is not None, 60, "Envoy to accept")
            assert process.poll() is None, (folder / "envoy.log").read_text()[-2000:]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)
