"""A load that waits for workers, and hand-made workers, all in the test's own process: Locust without its patches."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any, ClassVar

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # of this process, whose other tests want their sockets as they are
import gevent
import locust.rpc

del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

import zmq.green as zmq
from locust.rpc import Message

from chaos.load.channel import Client
from chaos.load.distributed import DistributedLoad
from chaos.load.joining import Joined
from chaos.load.local import NotAll
from chaos.load.versions import boot, versions
from chaos.protocol.load_plan import Plan
from chaos.protocol.load_workers import JOIN, Joining, Newcomer
from support.load import plan

TOKEN = "0123456789abcdef0123456789abcdef"
LIMIT = 10.0  # seconds


class Waiting:
    """A load that waits for its workers. `said` are the events."""

    def __init__(self, token: str = TOKEN, wait: float = LIMIT, workers: int = 2, **more: Any):
        joining = Joining("127.0.0.1:0", wait, token, "http://127.0.0.1:1")
        wanted = Plan.of(plan("http://127.0.0.1:1", processes=workers, joining=asdict(joining), **more))
        self.said: list[str] = []
        self.workers = Joined(wanted, joining)
        self.load = DistributedLoad(wanted, self.workers)
        self.over = False
        self.gathering = gevent.spawn(self._gather)
        gevent.sleep(0)

    def _gather(self) -> str:
        try:
            self.load.gather(lambda level, text: self.said.append(text), lambda: self.over)
        except NotAll as error:
            return str(error)
        return ""

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.gathering.join(LIMIT)
        self.load.runner.greenlet.kill(block=True)
        self.load.runner.server.end()
        while Peer.open:
            Peer.open.pop().client.end()

    @property
    def port(self) -> int:
        return self.load.runner.server.port

    def until(self, text: str) -> str:
        """The first event with this text."""
        with gevent.Timeout(LIMIT):
            while True:
                for said in self.said:
                    if text in said:
                        return said
                gevent.sleep(0.005)

    def outcome(self) -> str:
        """Empty if all came, else what was said."""
        return str(self.gathering.get(timeout=LIMIT))


class Peer:
    """A hand-made worker, until the load that waits is over. `greeted` is whether that has taken its token."""

    open: ClassVar[list[Peer]] = []

    def __init__(self, port: int, token: str = TOKEN):
        self.client = Client("127.0.0.1", port, token.encode())
        self.open.append(self)
        with gevent.Timeout(LIMIT):
            self.greeted = self.client.greet()

    def send(self, kind: str, data: Any = None) -> None:
        self.client.send(Message(kind, data, "somebody else"))

    def join(self, code: bool = False, **other: str) -> Message:
        """The load's answer."""
        self.send(JOIN, asdict(Newcomer("web-1", boot(), versions() | other, code)))
        return self.hear()

    def hear(self) -> Message:
        """The next message that is not Locust's."""
        with gevent.Timeout(LIMIT):
            while True:
                message = self.client.recv()
                if message.type.startswith("chaos_"):
                    return message

    def ready(self) -> None:
        self.send("client_ready", locust.__version__)

    @property
    def socket(self) -> zmq.Socket:
        return self.client.socket
