"""Start the gateway as a child with its plan, and read its addresses from its first two lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import EnvironmentFailed
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.child import Child, python

START_TIMEOUT = 30.0


@dataclass(slots=True)
class GatewayProcess:
    """A gateway that accepts requests."""

    child: Child
    url: str
    admin: Admin


async def start_gateway(
    plan: GatewayPlan, log: Path | None = None, *, program: Sequence[str] = (), passes_on: bool = False
) -> GatewayProcess:
    """Start a gateway and wait until it accepts requests. Raises EnvironmentFailed if it does not, with the last line
    of its log, or with its stderr passed on to ours (`passes_on`).

    `program` is the command of another gateway than ours, which gets the same plan on its stdin."""
    child = await Child.start(
        "the gateway", program or python("chaos.runner.gateway"), log=log, passes_on_stderr=passes_on
    )
    try:
        async with asyncio.timeout(START_TIMEOUT):
            await child.send_line(plan.line())
            found = await _addresses(child)
    except TimeoutError:
        await child.stop()
        raise EnvironmentFailed(f"the gateway did not accept within {START_TIMEOUT:g} s{child.last_words()}") from None
    except BaseException:
        await child.stop()
        raise
    return GatewayProcess(child, found["listening"], Admin(found["admin"], plan.admin_token))


async def _addresses(child: Child) -> dict[str, str]:
    """Return the URLs of the lines `admin on URL` and `listening on URL` by their first words."""
    found: dict[str, str] = {}
    while "listening" not in found:
        words = (await child.line(START_TIMEOUT)).split()
        if len(words) == 3 and words[1] == "on":
            found[words[0]] = words[2]
    if "admin" not in found:
        raise EnvironmentFailed("the gateway did not say where its admin API listens")
    return found
