"""The gateway as a child of a run: start it, learn its addresses from its first two lines."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import EnvironmentFailed
from chaos.run.processes.admin import Admin
from chaos.run.processes.child import Child, python

START_TIMEOUT = 30.0
SUPERVISED = "CHAOS_SUPERVISED"
"""Set for a gateway whose stdin is a supervisor's pipe: it ends when the pipe closes."""


@dataclass(slots=True)
class GatewayProcess:
    """A gateway that accepts requests."""

    child: Child
    url: str
    admin: Admin


async def start_gateway(
    files: Sequence[str],
    addresses: dict[str, tuple[str, int]],
    folder: Path,
    *,
    seed: int,
    workers: int = 1,
    listen: str = "127.0.0.1:0",
    overrides: Sequence[str] = (),
    program: Sequence[str] = (),
) -> GatewayProcess:
    """Raises EnvironmentFailed when it does not come up; its own words are in the message.

    `program` is started with the arguments of `chaos gateway`; ours when empty."""
    table = folder / "addresses.json"
    table.write_text(json.dumps(addresses, indent=1))
    arguments = [*files, "--listen", listen, "--admin", "127.0.0.1:0", "--seed", str(seed)]
    arguments += ["--workers", str(workers), "--addresses", str(table)]
    for override in overrides:
        arguments += ["--set", override]
    child = await Child.start(
        "the gateway",
        [*(program or python("chaos.cli", "gateway")), *arguments],
        log=folder / "gateway.log",
        env={**os.environ, SUPERVISED: "1"},
    )
    try:
        async with asyncio.timeout(START_TIMEOUT):
            found = await _addresses(child)
    except TimeoutError:
        await child.stop()
        raise EnvironmentFailed(f"the gateway did not accept within {START_TIMEOUT:g} s{child.last_words()}") from None
    except BaseException:
        await child.stop()
        raise
    return GatewayProcess(child, found["listening"], Admin(found["admin"]))


async def _addresses(child: Child) -> dict[str, str]:
    """URLs by the first word of `admin on URL` and `listening on URL`."""
    found: dict[str, str] = {}
    while "listening" not in found:
        words = (await child.line(START_TIMEOUT)).split()
        if len(words) == 3 and words[1] == "on":
            found[words[0]] = words[2]
    if "admin" not in found:
        raise EnvironmentFailed("the gateway did not say where its admin API listens")
    return found
