"""A gateway with the services that its file asks for, and no load: what `chaos gateway` and `chaos demo` run.

The services and the gateway are children of ours, as in a run; its words are passed on, and signals end all of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Literal

from chaos.errors import EnvironmentFailed, ExitCode, InvalidInput
from chaos.run.plan.checked import Prepared
from chaos.run.processes.child import Child, python
from chaos.run.processes.gateway import SUPERVISED
from chaos.run.processes.services import Services

Out = Callable[[str], None]


def needs_services(prepared: Prepared) -> bool:
    """Whether anything has to be started before the gateway can forward."""
    return any(instance.address is None for instance in prepared.services.instances())


def read_table(path: str) -> dict[str, tuple[str, int]]:
    """Instance keys and addresses, as a supervisor wrote them. Raises InvalidInput."""
    try:
        return {key: (str(host), int(port)) for key, (host, port) in json.loads(Path(path).read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput.at(path, f"is not a table of addresses: {error}") from None


def serve_with_services(
    prepared: Prepared,
    arguments: Sequence[str],
    *,
    seed: int,
    out: Out,
    started: Callable[[str, Services], None] | None = None,
) -> int:
    """Run `chaos gateway` with these arguments and the services behind it, until a signal or until one of them ends.

    `started(url, services)` is told when everything answers. The exit code is the gateway's."""
    return asyncio.run(_serve(prepared, arguments, seed, out, started))


async def _serve(
    prepared: Prepared,
    arguments: Sequence[str],
    seed: int,
    out: Out,
    started: Callable[[str, Services], None] | None,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        services = Services(
            prepared.services, folder, seed=seed, base=prepared.reading.file, say=lambda _, text: out(text)
        )
        async with services:
            table = folder / "addresses.json"
            table.write_text(json.dumps(services.addresses))
            gateway, _ = await asyncio.gather(
                Child.start(
                    "the gateway",
                    python("chaos.cli", "gateway", *arguments, "--addresses", str(table)),
                    log=folder / "gateway.log",
                    env=os.environ | {SUPERVISED: "watch"},
                ),
                services.start_builtin(),
            )
            try:
                return await _attend(gateway, services, stop, out, started)
            finally:
                await gateway.stop(grace=30.0)


async def _attend(
    gateway: Child, services: Services, stop: asyncio.Event, out: Out, started: Callable[[str, Services], None] | None
) -> int:
    """Pass on its words; once it listens, let the applications call through it."""
    stopped = asyncio.ensure_future(stop.wait())
    async for line in _until(gateway, stopped):
        if line.startswith("listening on "):
            url = line.split()[-1]
            await services.use_gateway(url)
            if started is not None:
                started(url, services)
        out(line)
    if stop.is_set():
        return int(ExitCode.VERIFIED)
    await gateway.process.wait()
    for line in gateway.log.text().splitlines()[-20:]:
        out(line)
    raise EnvironmentFailed(f"the gateway {gateway.how_it_ended()}")


async def _until(child: Child, stopped: asyncio.Task[Literal[True]]) -> AsyncIterator[str]:
    """The child's lines until it ends or we are told to stop."""
    assert child.process.stdout is not None
    while True:
        reading = asyncio.ensure_future(child.process.stdout.readline())
        await asyncio.wait([reading, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            reading.cancel()
            return
        line = reading.result()
        if not line:
            return
        yield line.decode("utf-8", "replace").rstrip("\n")
