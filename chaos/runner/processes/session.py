"""Start the services and the gateway in front of them, and end everything in the opposite order.

`chaos run`, `chaos replay`, `chaos gateway`, `chaos demo` and the pytest fixture all start their processes here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaos.errors import ChaosError, EnvironmentFailed, InvalidInput
from chaos.experiment.further_listeners import certified_hosts, listener_variables, need_envoy, secure_listener
from chaos.experiment.read import Reading
from chaos.otel.needed import GATEWAY_END
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.checked import Prepared
from chaos.runner.processes.certificates import Certificates, issue
from chaos.runner.processes.child import Child
from chaos.runner.processes.gateway import GatewayProcess, start_gateway
from chaos.runner.processes.load import LoadProcess
from chaos.runner.processes.load_messages import SecureDoor
from chaos.runner.processes.pace import Pace
from chaos.runner.processes.ports import accepts
from chaos.runner.processes.services import Say, Services

DRAIN = 0.3  # seconds for requests in flight whose responses nobody waits for


@dataclass(frozen=True, slots=True)
class Session:
    """Processes that accept requests. `gateway` is None if it is not ours; `url` is where requests go, `secure` where
    those over TLS go, by the CA in the file `ca`. `variables` tell programs of the listeners and of the CA."""

    url: str
    services: Services
    gateway: GatewayProcess | None
    secure: str | None = None
    ca: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def secure_door(self) -> SecureDoor:
        """What the load has to know of the listeners."""
        return SecureDoor(secure=self.secure, ca=self.ca, variables=self.variables)

    @property
    def children(self) -> list[Child]:
        """All processes; if one of them ends, the session is broken."""
        return [*self.services.children, *([self.gateway.child] if self.gateway is not None else [])]


@contextlib.asynccontextmanager
async def start(
    prepared: Prepared,
    gateway: GatewayPlan | str,
    *,
    seed: int,
    folder: Path | None = None,
    load: LoadProcess | None = None,
    program: Sequence[str] = (),
    drain: float = DRAIN,
    passes_on: bool = False,
    pace: Pace = Pace(),  # noqa: B008 - frozen
    say: Say = lambda level, text: None,
) -> AsyncIterator[Session]:
    """Start everything and yield the session when all of it accepts requests; end it with the block. Raises
    EnvironmentFailed if a process does not come up, InvalidInput for listeners that only another engine has.

    `gateway` is the plan of one of ours, or the URL of one that runs already. Logs go to `folder`, or to memory if it
    is None. `load` is ended first. `drain` is the seconds that the gateway has at the end for requests in flight, if
    its `pace` is no slower."""
    reading = prepared.reading
    if not program and (lacking := list(need_envoy(reading))):
        raise InvalidInput(lacking)
    async with contextlib.AsyncExitStack() as stack:
        services = Services(prepared.services, folder, seed=seed, base=prepared.reading.file, say=say)
        await stack.enter_async_context(services)
        certificates = None
        if isinstance(gateway, str):
            ours, url = None, gateway
            await _side_by_side(_reachable(gateway), services.start_builtin())
        else:
            placed = replace(gateway, addresses=services.addresses)
            if secure_listener(reading) is not None:
                place = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-tls-"))
                certificates = issue(Path(place), certified_hosts(reading, prepared.services))
                placed = replace(placed, certificate=(str(certificates.chain), str(certificates.key)))
            log = folder / "gateway.log" if folder is not None else None
            starting = _ended_with(
                stack,
                start_gateway(placed, log, program=program, passes_on=passes_on, pace=pace),
                max(drain, pace.end, GATEWAY_END if placed.otel else 0.0),
            )
            ours = await _side_by_side(starting, services.start_builtin())
            url = here(ours.url)
        if load is not None:
            stack.push_async_callback(load.child.stop, DRAIN)
        session = _session(url, services, ours, reading, certificates)
        await services.use_gateway(url, session.variables)
        yield session


def _session(
    url: str, services: Services, gateway: GatewayProcess | None, reading: Reading, certificates: Certificates | None
) -> Session:
    listeners = {name: here(url) for name, url in gateway.listeners.items()} if gateway is not None else {}
    variables, secure = listener_variables(listeners), secure_listener(reading)
    if certificates is None or secure is None:
        return Session(url, services, gateway, variables=variables)
    variables |= certificates.variables(os.environ)
    return Session(url, services, gateway, listeners[secure.name], str(certificates.ca), variables)


def here(url: str) -> str:
    """Return the URL of a gateway as this machine calls it, which one that listens on every address leaves open."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


async def _ended_with(
    stack: contextlib.AsyncExitStack, starting: Coroutine[Any, Any, GatewayProcess], drain: float
) -> GatewayProcess:
    """Return the gateway, which ends with the stack even if what starts beside it fails."""
    gateway = await starting
    stack.push_async_callback(gateway.child.stop, drain)
    return gateway


async def _reachable(url: str) -> None:
    """Raise EnvironmentFailed if nothing accepts connections there."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not await asyncio.to_thread(accepts, parts.hostname or "", port, 5.0):
        raise EnvironmentFailed(f"nothing accepts connections at {url} (--gateway)")


async def _side_by_side(first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]) -> Any:
    """Return the first one's result once both have ended. The first failure cancels the other and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(first)
            group.create_task(second)
    except ExceptionGroup as failures:
        raise next(
            (each for each in failures.exceptions if isinstance(each, ChaosError)), failures.exceptions[0]
        ) from None
    return task.result()
