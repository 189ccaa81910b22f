"""The real Envoy of this machine, looked for once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chaos.engines.envoy import binary


@cache
def find_envoy() -> Path | None:
    return binary.find_envoy()


@cache
def envoy_binary() -> Path:
    """Raises EnvironmentFailed, which says what to do, when there is none."""
    return binary.envoy_binary().path
