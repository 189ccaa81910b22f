"""Several workers: children that share one port (SO_REUSEPORT), and the parent that serves the admin API for all of
them.

The parent and each child exchange JSON over a socket pair, one line per command and per result. Rules are replaced in
two steps: every worker compiles them, and only when all have done so does any worker use them. A worker that dies ends
the whole gateway: its counts are lost, and a verdict from the rest would be wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import nullcontext, suppress
from typing import Any, NoReturn

import uvloop

from chaos.errors import EnvironmentFailed, ExitCode, InvalidInput, Problem
from chaos.gateway.process.app import Stop, admin, announced, reopen_logs_when_asked, running
from chaos.gateway.process.control import perform
from chaos.gateway.process.options import GatewayOptions, url_of
from chaos.gateway.state.counters import merge
from chaos.gateway.state.in_force import RuleSet
from chaos.gateway.telemetry.log_file import LogFile
from chaos.parent_death import die_with
from chaos.protocol.counters import (
    FaultedBatch,
    FaultedRequest,
    FaultsInForce,
    GatewayCounters,
    PhaseSettings,
    RulesInForce,
)
from chaos.protocol.fault_levels import Levels
from chaos.signals import ENDING

LINE_LIMIT = 64 * 1024 * 1024


def run_workers(
    options: GatewayOptions,
    rules: RuleSet,
    listeners: list[socket.socket],
    admin_listener: socket.socket,
    log: LogFile | None = None,
) -> int:
    """Fork one child per listener, serve the admin API in this process, and return the exit code. All children write to
    the access log `log`."""
    sys.stdout.flush()
    sys.stderr.flush()
    children: dict[int, socket.socket] = {}
    parent = os.getpid()
    for index, listener in enumerate(listeners):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            # The child keeps only its own listener: an inherited copy of a sibling's would go on taking connections
            # after the sibling has died.
            for other in (ours, admin_listener, *children.values(), *(one for one in listeners if one is not listener)):
                other.close()
            _child(options, rules, listener, theirs, index, parent, log)
        theirs.close()
        children[pid] = ours
    return uvloop.run(_parent(options, children, listeners, admin_listener))


# ---------------------------------------------------------------------------------------------- a worker


def _child(
    options: GatewayOptions,
    rules: RuleSet,
    listener: socket.socket,
    channel: socket.socket,
    index: int,
    parent: int,
    log: LogFile | None,
) -> NoReturn:
    code = 1
    try:
        die_with(parent)
        # Ctrl-C and a closed terminal reach the whole group; the parent says when to drain, and to open logs again.
        for number in (*ENDING, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        code = uvloop.run(_work(options, rules, listener, channel, index, log))
    finally:
        os._exit(code)


async def _work(
    options: GatewayOptions,
    rules: RuleSet,
    listener: socket.socket,
    channel: socket.socket,
    index: int,
    log: LogFile | None,
) -> int:
    reader, writer = await asyncio.open_connection(sock=channel, limit=LINE_LIMIT)
    async with running(options, rules, listener, index=index, log=log) as control:
        writer.write(b'{"ready": true}\n')
        while line := await reader.readline():
            command = json.loads(line)
            if command["do"] == "drain":
                break
            writer.write(json.dumps(await _answer(control, command)).encode() + b"\n")
        else:
            os._exit(0)  # the parent is gone
    return 0


async def _answer(control: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Perform one command. Returns `{"result": ...}`, or `{"problems": [...]}` when the rules are refused."""
    try:
        return {"result": await perform(control, command)}
    except InvalidInput as error:
        return {"problems": [problem.to_dict() for problem in error.problems]}


# ---------------------------------------------------------------------------------------------- the parent


class Worker:
    """The parent's end of one child."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.pid = pid
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self.seen = 0  # how many of its faulted requests the parent has fetched
        self.lost = asyncio.Event()

    async def ready(self) -> bool:
        """Wait for the child's first line. Returns False if the child ended instead."""
        return bool(await self._reader.readline())

    async def ask(self, **command: Any) -> Any:
        """Send a command and return its result. Raises InvalidInput when the worker refuses the rules, ConnectionError
        when it has died."""
        async with self._turn:
            self._writer.write(json.dumps(command).encode() + b"\n")
            line = await self._reader.readline()
        if not line:
            self.lost.set()
            raise ConnectionError(f"worker {self.pid} has died")
        answer = json.loads(line)
        if "problems" in answer:
            raise InvalidInput(map(Problem.from_dict, answer["problems"]))
        return answer["result"]

    def tell(self, **command: Any) -> None:
        """Send a command that has no result."""
        with suppress(ConnectionError):
            self._writer.write(json.dumps(command).encode() + b"\n")

    def close(self) -> None:
        self._writer.close()


class Fleet:
    """All workers behind the interface of one (control.Controls)."""

    def __init__(self, workers: list[Worker], options: GatewayOptions):
        self._members = workers
        self.workers = len(workers)
        self._options = options
        self._draining = False
        self._faulted: list[FaultedRequest] = []
        self._replacing = asyncio.Lock()

    async def _ask_all(self, **command: Any) -> list[Any]:
        return await asyncio.gather(*(worker.ask(**command) for worker in self._members))

    async def generation(self) -> int:
        return int((await self._members[0].ask(do="rules"))["generation"])

    async def accepting(self) -> bool:
        return not self._draining

    async def counters(self) -> GatewayCounters:
        return merge(await self._ask_all(do="counters"))

    async def faulted(self, after: int) -> FaultedBatch:
        """Return faulted requests as one sequence: what each worker has recorded since the last call is appended."""
        total = 0
        for worker in self._members:
            answer = await worker.ask(do="faulted", after=worker.seen)
            worker.seen, total = answer["next"], total + answer["total"]
            self._faulted += answer["faulted"]
        after = max(after, 0)
        return {"faulted": self._faulted[after:], "next": max(after, len(self._faulted)), "total": total}

    async def rules(self) -> RulesInForce:
        found: RulesInForce = await self._members[0].ask(do="rules")
        return found

    async def source(self) -> str:
        return str(await self._members[0].ask(do="source"))

    async def replace(self, text: str | None) -> int:
        """Replace the rules in every worker, or in none (see the module's docstring)."""
        async with self._replacing:
            await self._ask_all(do="prepare", text=text)
            generations = await self._ask_all(do="commit")
            return int(generations[0])

    async def faults(self) -> FaultsInForce:
        found: FaultsInForce = await self._members[0].ask(do="faults?")
        return found

    async def switch_faults(self, enabled: bool) -> None:
        await self._ask_all(do="faults", enabled=enabled)

    async def set_levels(self, key: str, levels: Levels) -> None:
        await self._ask_all(do="levels", key=key, levels=levels)

    async def phase(self) -> PhaseSettings:
        found: PhaseSettings = await self._members[0].ask(do="phase?")
        return found

    async def enter_phase(self, name: str, faults: bool, scale: dict[str, float]) -> None:
        await self._ask_all(do="phase", name=name, faults=faults, scale=scale)

    async def reopen_logs(self) -> int:
        if failed := [found for found in await self._ask_all(do="reopen") if found]:
            raise EnvironmentFailed(failed[0])
        return int(self._options.access_log is not None)

    def drain(self) -> None:
        self._draining = True
        for worker in self._members:
            worker.tell(do="drain")


async def _parent(
    options: GatewayOptions,
    children: dict[int, socket.socket],
    listeners: list[socket.socket],
    admin_listener: socket.socket,
) -> int:
    members = []
    for pid, channel in children.items():
        reader, writer = await asyncio.open_connection(sock=channel, limit=LINE_LIMIT)
        members.append(Worker(pid, reader, writer))
    ready = await asyncio.gather(*(worker.ready() for worker in members))
    fleet = Fleet(members, options)
    stop = Stop(options)
    deaths = asyncio.ensure_future(_first_death(list(children)))
    stopping = asyncio.ensure_future(stop.requested.wait())
    reopen_logs_when_asked(fleet)
    async with admin(options, fleet, admin_listener):
        with announced(options, url_of(admin_listener), url_of(listeners[0])) if all(ready) else nullcontext():
            for listener in listeners:
                listener.close()
            await asyncio.wait([stopping, deaths], return_when=asyncio.FIRST_COMPLETED)
        died = deaths.done()
        fleet.drain()
        stopping.cancel()
        if died:
            print(f"worker {deaths.result()} has died; its counts are lost", file=sys.stderr, flush=True)
        await asyncio.to_thread(_reap, set(children) - ({deaths.result()} if died else set()), at_once=died)
    for worker in members:
        worker.close()
    return int(ExitCode.ENVIRONMENT) if died else 0


async def _first_death(pids: list[int]) -> int:
    """Wait until a child ends. Returns its process id."""
    while True:
        for pid in pids:
            found, _ = os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - it does not wait
            if found:
                return pid
        await asyncio.sleep(0.1)


def _reap(pids: set[int], *, at_once: bool) -> None:
    """Wait for the children to end; `at_once` kills them first."""
    for pid in pids:
        with suppress(ProcessLookupError, ChildProcessError):
            if at_once:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
