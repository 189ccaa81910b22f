"""Load workers on this machine: children that are forked before this process has a loop, and die with it."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
from gevent import monkey

from chaos.load.channel import Client, Server
from chaos.load.local import Say
from chaos.load.master import Master
from chaos.load.roster import Roster
from chaos.load.worker import Worker
from chaos.parent_death import die_with
from chaos.protocol.load_plan import BadPlan, Plan
from chaos.protocol.worker_messages import THIS_HOST

if TYPE_CHECKING:
    from chaos.load.distributed import Note

HERE = "127.0.0.1"

_fork: Any = monkey.get_original("os", "fork")  # used before there is a loop or a zmq context, which survive no fork
_waitpid: Any = monkey.get_original("os", "waitpid")


class Forked:
    """The workers of a plan. `trouble` is why the load cannot go on."""

    def __init__(self, plan: Plan):
        """Fork them; they wait for the load's port."""
        self.trouble = ""
        self._token = secrets.token_bytes()
        self._pipes: dict[int, int] = {}
        master = os.getpid()
        for process in range(plan.processes):
            reader, writer = os.pipe()
            child = _fork()
            if child == 0:
                for other in (*self._pipes.values(), writer):
                    os.close(other)
                _be_worker(plan, process, master, reader, self._token)
            os.close(reader)
            self._pipes[child] = writer
        self._processes = {process: index for index, process in enumerate(self._pipes)}

    def listen(self) -> Server:
        """Return the load's end of the channel."""
        return Server(HERE, 0, self._token)

    def admits(self, identity: str) -> bool:
        """Return whether a worker may take part: everybody that has the token was forked here."""
        return True

    def attach(self, runner: Master, roster: Roster, note: Note) -> None:
        """Let the workers come."""
        for index in range(len(self._processes)):
            roster.join(index, THIS_HOST, perf_counter())
        for pipe in self._pipes.values():
            os.write(pipe, b"%d" % runner.server.port)
            os.close(pipe)
        gevent.spawn(self._guard, roster, note)

    def gather(self, say: Say, over: Callable[[], bool]) -> None:
        """Wait for nobody: they come while the users start."""

    def dismiss(self) -> None:
        """End the workers, whose counts have been taken."""
        processes, self._processes = self._processes, {}
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with suppress(ChildProcessError):
                _waitpid(process, 0)

    def _guard(self, roster: Roster, note: Note) -> None:
        """Fail the load when a worker dies before the end, because its counts are lost with it."""
        while not self.trouble:
            gevent.sleep(0.1)
            for process in list(self._processes):
                ended, status = _waitpid(process, os.WNOHANG)
                if ended:
                    note(roster.gone(self._processes.pop(process), "it has died", perf_counter()))
                    self.trouble = f"a load worker died ({os.waitstatus_to_exitcode(status)})"
                    return


def _be_worker(plan: Plan, process: int, master: int, reader: int, token: bytes) -> NoReturn:
    """Run a worker in the forked child, to the end of the process."""
    die_with(master)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    port = os.read(reader, 16)
    try:
        if port:
            client = Client(HERE, int(port), token)
            client.greet()
            Worker(plan, process, client).run()
            gevent.sleep(60)  # the load kills this process once it has the last digest
    except (BadPlan, OSError):
        pass  # the load has the same plan and reports the same error
    finally:
        os._exit(0)
