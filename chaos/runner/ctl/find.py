"""Find the gateway that `chaos ctl` is about: the one that is named, or the one that runs on this machine."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from chaos.errors import ChaosError, EnvironmentFailed, InvalidInput
from chaos.experiment.values import read_address
from chaos.protocol.presence import Presence, folder_name
from chaos.runner.processes.admin import Admin

MOST_BYTES = 1 << 20


def find(address: str | None, token: str | None) -> Admin:
    """Return the admin API at `address` (HOST:PORT or a URL), or of the one gateway that runs here.

    Raises InvalidInput for what is no address, EnvironmentFailed if no gateway runs, ChaosError if several do."""
    if address is not None:
        try:
            host, port = read_address(address.removeprefix("http://").rstrip("/"))
        except ValueError as error:
            raise InvalidInput.of("--admin", str(error)) from None
        return Admin(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", token)
    running = list(gateways())
    if not running:
        raise EnvironmentFailed(
            "no gateway runs here; start one with `chaos gateway FILE`, or say where its admin API is with "
            "--admin HOST:PORT"
        )
    if len(running) > 1:
        raise ChaosError("\n".join([f"{len(running)} gateways run here; say which one:", *map(_choice, running)]))
    return Admin(running[0]["admin"], token)


def _choice(presence: Presence) -> str:
    files = ", ".join(presence["files"])
    where = presence["admin"].removeprefix("http://")
    return f"  --admin {where}   {presence['url']}, process {presence['pid']}" + (f", {files}" if files else "")


def gateways() -> Iterator[Presence]:
    """Yield what each gateway that this user runs here says of itself, the oldest first."""
    folder = Path(folder_name(os.environ, os.getuid()))
    try:
        if folder.stat().st_uid != os.getuid():
            return
        found = sorted(folder.glob("gateway-*.json"), key=lambda path: path.stat().st_mtime)
    except OSError:
        return
    for path in found:
        presence = _read(path)
        if presence is not None:
            yield presence


def _read(path: Path) -> Presence | None:
    """Return a file's content, or None if no process keeps it any more: its lock can then be had."""
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                value = json.loads(file.read(MOST_BYTES))
                return cast(Presence, value) if set(Presence.__annotations__) <= set(value) else None
    except (OSError, ValueError, TypeError):
        pass
    return None
