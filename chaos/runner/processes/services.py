"""Start the services behind the mesh's hosts, built-in ones and the user's own programs, and wait until they respond.

Addresses are known before anything starts (`addresses`), so the gateway can start at the same time. Programs start
once the gateway has an address, because their environment contains it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from chaos.errors import EnvironmentFailed, Severity
from chaos.experiment.model import Service
from chaos.experiment.services import Instance, ServicePlan
from chaos.runner.plan.files import beside
from chaos.runner.processes import guard
from chaos.runner.processes.child import Child, kill_group, python
from chaos.runner.processes.ports import LOOPBACK, accepts, free_port, listening_socket

Say = Callable[[Severity, str], None]
"""Reports one event, (level, text), to the journal and the terminal."""

START_TIMEOUT = 30.0
GUARD_GRACE = 5.0  # seconds; a guard sets its own limits, and one that is killed cannot end what it guards


READY = range(200, 400)
"""Statuses of a readiness path that is ready."""


class Services:
    """The started services of one run; an async context manager that ends them."""

    def __init__(
        self,
        plan: ServicePlan,
        folder: Path | None,
        *,
        seed: int,
        base: str,
        say: Say = lambda level, text: None,
    ):
        """Take the ports. Logs go to `folder`, or to memory if it is None. Raises EnvironmentFailed if a port is
        taken."""
        self.plan, self.folder, self.seed, self.base, self.say = plan, folder, seed, base, say
        self._sockets: dict[str, socket.socket] = {}
        self._ports: dict[str, int] = {}
        self._builtin: Child | None = None
        self.programs: dict[str, Child] = {}
        self._groups: dict[str, int] = {}  # of the programs
        for instance in plan.instances():
            if instance.kind in ("webserver", "proxy"):
                sock = self._sockets[instance.key] = listening_socket(port=instance.port or 0)
                self._ports[instance.key] = int(sock.getsockname()[1])
            elif instance.kind == "command":
                self._ports[instance.key] = instance.port or free_port()

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """The address of each instance to start, by key, whether or not it has started yet."""
        return {key: (LOOPBACK, port) for key, port in self._ports.items()}

    async def __aenter__(self) -> Services:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # ---------------------------------------------------------------- built-in services
    async def start_builtin(self) -> None:
        """Start the built-in services and wait until they respond. Raises EnvironmentFailed."""
        if not self._sockets:
            return
        builtin = [each for each in self.plan.instances() if each.key in self._sockets]
        fds = {instance.key: self._sockets[instance.key].fileno() for instance in builtin}
        self._builtin = await Child.start(
            "the built-in services",
            python("chaos.services"),
            log=self._log("services"),
            pass_fds=list(fds.values()),
        )
        await self._builtin.send({"seed": self.seed, "services": [_entry(each, fds[each.key]) for each in builtin]})
        for sock in self._sockets.values():
            sock.close()  # the child has its own; with ours open, connections to a dead service would hang
        await self._builtin.json_line(START_TIMEOUT)

    async def use_gateway(self, url: str, variables: Mapping[str, str]) -> None:
        """Give the built-in proxies the gateway's URL, then start the programs, with more `variables`, and wait until
        each responds."""
        if self._builtin is not None:
            await self._builtin.send({"gateway": url})
        commands = [each for each in self.plan.instances() if each.kind == "command"]
        await asyncio.gather(*(self._start_program(each, url, variables) for each in commands))

    # ---------------------------------------------------------------- the user's programs
    async def _start_program(self, instance: Instance, gateway: str, variables: Mapping[str, str]) -> None:
        service, port = instance.service, self._ports[instance.key]
        assert service is not None
        if accepts(LOOPBACK, port):
            raise EnvironmentFailed(
                f"{instance.name}: port {port} is taken already, before {instance.name} was started"
            )
        log = self._log(instance.name)
        child = await Child.start(
            instance.name,
            [sys.executable, "-S", guard.__file__, *_command(service)],
            log=log,
            env=_environment(service, port, gateway, variables),
            cwd=beside(self.base, service.cwd) if service.cwd else str(Path(self.base).parent),
            dies_with_us=False,
        )
        self.programs[instance.name] = child
        began = time.monotonic()
        async for line in child.lines():
            self._groups[instance.name] = int(line)
            break
        await self._wait_ready(child, service, port)
        took = time.monotonic() - began
        where = f"; its output is in {log.name}" if log is not None else ""
        self.say("info", f"{instance.name} answers on port {port} after {took:.1f} s{where}")

    def _log(self, name: str) -> Path | None:
        return self.folder / f"{name}.log" if self.folder is not None else None

    async def _wait_ready(self, child: Child, service: Service, port: int) -> None:
        """Wait until it accepts connections and, with a path, responds with 200 to 399, as a probe of Kubernetes has
        it. Raises EnvironmentFailed with the last line of its log."""
        timeout, status = service.readiness.timeout, 0
        deadline = time.monotonic() + timeout
        pause = 0.02
        while time.monotonic() < deadline:
            if not child.alive:
                raise EnvironmentFailed(f"{child.name} {child.how_it_ended()} before it answered{child.last_words()}")
            status = await _answer(port, service.readiness.path)
            if status in READY:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.process.wait(), pause)
            pause = min(pause * 1.5, 0.25)
        elsewhere = listening_ports(child.process.pid)
        hint = f"; it listens on {', '.join(map(str, elsewhere))}, not on PORT={port}" if elsewhere else ""
        path = service.readiness.path or ""
        if status:
            hint = f"; it answers {status} there, and 200 to 399 is ready"
        raise EnvironmentFailed(
            f"{child.name} did not answer on {LOOPBACK}:{port}{path} within {timeout:g} s{hint}{child.last_words()}"
        )

    @property
    def children(self) -> list[Child]:
        """The processes that have been started."""
        return [*self.programs.values(), *([self._builtin] if self._builtin is not None else [])]

    async def stop(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        await asyncio.gather(*(child.stop(GUARD_GRACE) for child in self.programs.values()))
        for name, group in self._groups.items():
            if (self.programs[name].process.returncode or 0) < 0:  # the guard was killed, so its program is still there
                kill_group(group)
        if self._builtin is not None:
            await self._builtin.stop()


def _entry(instance: Instance, fd: int) -> dict[str, object]:
    entry: dict[str, object] = {"kind": instance.kind, "name": instance.name, "version": instance.version, "fd": fd}
    if instance.kind == "proxy":
        assert instance.service is not None
        entry |= {"url": instance.service.url, "retries": instance.service.retries}
    return entry


def _command(service: Service) -> list[str]:
    """Return the program and its arguments. A single text with several words goes to the shell; `python` is the
    interpreter that runs us."""
    assert service.command is not None
    if len(service.command) == 1 and shlex.split(service.command[0])[1:]:
        return ["/bin/sh", "-c", service.command[0]]
    program, *arguments = service.command
    return [sys.executable if program == "python" else program, *arguments]


def _environment(service: Service, port: int, gateway: str, variables: Mapping[str, str]) -> dict[str, str]:
    own = {
        "PORT": str(port),
        "HTTP_PROXY": gateway,
        "http_proxy": gateway,
        "NO_PROXY": "",
        "no_proxy": "",
        "CHAOS_GATEWAY": gateway,
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **own, **variables, **service.env}


async def _answer(port: int, path: str | None) -> int:
    """Return the status with which a path is answered, 200 for a connection if there is no path; 0 without either."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                if path is None:
                    return READY.start
                writer.write(f"GET {path} HTTP/1.1\r\nhost: {LOOPBACK}:{port}\r\nconnection: close\r\n\r\n".encode())
                status = (await reader.readline()).split()
                return int(status[1]) if len(status) > 1 and status[1].isdigit() else 0
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0


def listening_ports(leader: int) -> list[int]:
    """Return the TCP ports that the descendants of a process listen on; empty on systems without /proc."""
    inodes = {inode for pid in _descendants(leader) for inode in _socket_inodes(pid)}
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    ports.add(int(fields[1].rpartition(":")[2], 16))
    return sorted(ports)


def _descendants(leader: int) -> list[int]:
    found, todo = [], [leader]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return found


def _socket_inodes(pid: int) -> list[str]:
    inodes = []
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(link)
                if target.startswith("socket:["):
                    inodes.append(target[8:-1])
    return inodes
