"""A real Envoy with what `chaos export envoy` prints, for runs through `--gateway`."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos.engines.envoy.bootstrap import typed
from chaos.runner.processes.ports import accepts
from chaos.samples.envoy_line import FORMAT
from support.envoy_binary import find_envoy
from support.experiments import CHAOS
from support.processes import wait_for


def _json_log(path: Path) -> dict[str, Any]:
    return typed(
        "extensions.access_loggers.file.v3.FileAccessLog", path=str(path), log_format={"json_format": dict(FORMAT)}
    )


@contextlib.contextmanager
def real_envoy(file: str, folder: Path, port: int, access_log: Path | None = None) -> Iterator[str]:
    """Envoy on this port with the bootstrap that `chaos export envoy` prints; its URL. It may write an access log."""
    binary = find_envoy()
    assert binary is not None
    exported = subprocess.run(
        [*CHAOS, "export", "envoy", file, "--listen", f"127.0.0.1:{port}"], capture_output=True, text=True, check=True
    )
    bootstrap = folder / "envoy.json"
    document = json.loads(exported.stdout)
    (listener,) = document["static_resources"]["listeners"]
    if access_log is not None:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["access_log"] = [{"name": "file", "typed_config": _json_log(access_log)}]
    bootstrap.write_text(json.dumps(document))
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(binary),
                "-c",
                str(bootstrap),
                "--concurrency",
                "1",
                "--use-dynamic-base-id",
                "--file-flush-interval-msec",
                "50",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(lambda: accepts("127.0.0.1", port, 0.2) or process.poll() is not None, 60, "Envoy to accept")
            assert process.poll() is None, (folder / "envoy.log").read_text()[-2000:]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)
