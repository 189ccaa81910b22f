"""A load worker that joins a load of another process, mostly of another host: `chaos load-worker` starts it with one
JSON line on stdin, {"join": "10.0.0.5:5557", "token": "", "code": false, "folder": ""}.

It takes one share of one load, and ends with it. What it writes on stdout are events, for people."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

import gevent
from gevent.event import Event
from locust.rpc import Message

from chaos.load.channel import Client, flush
from chaos.load.code import unpack
from chaos.load.joining import address_of
from chaos.load.lines import Lines, SupervisorGone, leave
from chaos.load.versions import boot, versions
from chaos.load.worker import Worker
from chaos.loopback import is_loopback
from chaos.protocol.load_messages import Level
from chaos.protocol.load_plan import BadPlan, Plan
from chaos.protocol.load_workers import JOIN, LEAVE, OVER, PLAN, REFUSED, REFUSES, Newcomer, Share

USAGE, FAILED, INTERRUPTED = 2, 5, 130  # exit codes
QUEUED = 0.3  # seconds for messages that came before the connection was closed
SILENT = 60.0  # seconds without a word after which it has
AGAIN = 1.0  # seconds after which a name is looked up once more
PROBE = 3.0  # seconds for a connection to the gateway
LAST = 10.0  # seconds for the load to say that it has the last digest
LEAVING = 0.5  # seconds for the last digest of a worker that leaves


class Ended(Exception):  # noqa: N818 - named for what happened
    """The worker takes no part, or no more; says why. `code` is the exit code."""

    def __init__(self, why: str, code: int = FAILED):
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Settings:
    """The line on stdin. `code`: whether the load's locustfile may run here, which comes into `folder`."""

    join: str
    token: str = field(default="", repr=False)
    code: bool = False
    folder: str = ""


def run(value: Mapping[str, Any]) -> int:
    """Join a load and take part to its end. Returns the exit code."""
    settings, out = Settings(**value), Lines()
    remote = Remote(settings, out)
    try:
        return remote.run()
    except Ended as ended:
        remote.say("error", str(ended))
        return ended.code


class Remote:
    """One worker. `client` is its end of the channel."""

    def __init__(self, settings: Settings, out: Lines):
        self.settings, self.out = settings, out
        self.client: Client | None = None
        self.worker: Worker | None = None
        self._over = Event()

    def say(self, level: Level, text: str) -> None:
        """Tell the terminal."""
        with suppress(SupervisorGone):
            self.out.write({"type": "event", "level": level, "text": text})

    def run(self) -> int:
        """Join, take part, and return the exit code. Raises Ended."""
        gevent.signal_handler(signal.SIGTERM, self._interrupted)
        gevent.spawn(self._end_with_parent)
        client = self.client = self._connected()
        if not client.greet():
            raise Ended(self._wrong_token())
        gevent.spawn(self._watch)
        share = self._share(client)
        try:
            plan = self._plan(share)
            probe(plan, share)
            worker = self.worker = Worker(plan, share.number, client, remote=share.remote)
        except (BadPlan, OSError) as error:
            client.send(Message(REFUSES, {"reason": str(error)}, client.identity))
            flush()
            raise Ended(str(error), USAGE if isinstance(error, NoCode) else FAILED) from None
        worker.load.runner.register_message(OVER, lambda environment, msg, **_: self._hear_over(worker))
        self.say("info", f"joined {self.settings.join} as load worker {share.number + 1} of {share.count}")
        gevent.spawn(self._tell_of_begin, worker)
        worker.run()
        self._over.wait(LAST)
        self.say("info", f"ended: sent {worker.sent} requests")
        return 0

    def _connected(self) -> Client:
        """Return the end of a channel to the load, once the name of its host is known: in a cluster workers may be
        there before it is."""
        said = ""
        while True:
            try:
                return Client(*address_of(self.settings.join), self.settings.token.encode())
            except OSError as error:
                if not said:
                    said = f"{self.settings.join} is not known: {error.strerror or error}; trying again"
                    self.say("warning", said)
            except BadPlan as error:
                raise Ended(str(error), USAGE) from None
            gevent.sleep(AGAIN)

    def _wrong_token(self) -> str:
        if not self.settings.token:
            return f"the load at {self.settings.join} wants a token (--token-file)"
        return f"the token is not that of the load at {self.settings.join}"

    def _share(self, client: Client) -> Share:
        """Ask to join, and wait for the answer. Raises Ended."""
        newcomer = Newcomer(socket.gethostname(), boot(), versions(), self.settings.code)
        client.send(Message(JOIN, asdict(newcomer), client.identity))
        while True:
            message = client.recv()
            if message.type == PLAN:
                return Share.of(message.data)
            if message.type == REFUSED:
                reason = str(message.data["reason"]).replace("{}", self.settings.join)
                raise Ended(f"refused: {reason}", int(message.data["code"]))
            if message.type == OVER:
                raise Ended(f"the load at {self.settings.join} ended before it began")

    def _plan(self, share: Share) -> Plan:
        """Return the plan as it is carried out here. Raises BadPlan."""
        plan = Plan.of(json.loads(share.plan))
        # What variables name on the load's own host, files of CAs and listeners on loopback, is not there on another.
        variables = {} if share.remote else plan.variables
        plan = replace(plan, gateway=self._reachable(plan.gateway), variables=variables)
        if plan.secure is not None:
            plan = replace(plan, secure=self._reachable(plan.secure), ca=_file_of(share.ca))
        if not plan.locustfile:
            return plan
        if not self.settings.code:
            raise NoCode("the load sends a locustfile, and this worker takes no code without --allow-code")
        folder = Path(self.settings.folder)
        count = unpack(share.code or b"", share.sha256, folder)
        self.say("info", f"runs {plan.locustfile} of the load, {count} files, sha256 {share.sha256[:12]}")
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        return replace(plan, locustfile=plan.locustfile)

    def _reachable(self, gateway: str) -> str:
        """Return the gateway's URL with the host at which the load was reached, if it has none of its own."""
        parts = urlsplit(gateway)
        if parts.hostname not in ("0.0.0.0", "::"):
            return gateway
        host = address_of(self.settings.join)[0]
        shown = f"[{host}]" if ":" in host else host
        return urlunsplit(parts._replace(netloc=f"{shown}:{parts.port}"))

    def _hear_over(self, worker: Worker) -> None:
        """End, if the load ends before it has begun; else it has the last digest."""
        if not worker.over.is_set():
            self._leave(f"the load at {self.settings.join} ended before it began", FAILED)
        self._over.set()

    def _tell_of_begin(self, worker: Worker) -> None:
        worker.begun.wait()
        self.say("info", "started")

    def _watch(self) -> None:
        """End this process when the load is gone. After the last digest that is a good end. A partition closes no
        connection; when one is closed, what was on its way is lost, so a new one would not do."""
        client = self.client
        assert client is not None
        while True:
            gevent.sleep(0.1)
            if client.broken:
                gevent.sleep(QUEUED)
            if self.worker is not None and self.worker.over.is_set():
                if client.broken:
                    self._over.set()
            elif client.broken or monotonic() - client.heard > SILENT:
                why = "has gone: the connection is closed" if client.broken else f"was not heard of for {SILENT:g} s"
                self._leave(f"the load at {self.settings.join} {why}", FAILED)

    def _interrupted(self) -> None:
        """End in good order, as far as that takes no time: tell what was counted, and that this worker leaves."""
        worker, client = self.worker, self.client
        if client is not None and client.greeted:
            if worker is not None and not worker.over.is_set() and worker.load.began is not None:
                worker.finish(0.0)
                with gevent.Timeout(LEAVING, False):
                    worker.told_last.wait()
            client.send(Message(LEAVE, None, client.identity))
            flush()
        self._leave("interrupted", INTERRUPTED)

    def _leave(self, why: str, code: int) -> NoReturn:
        sent = f"; sent {self.worker.sent} requests" if self.worker is not None and self.worker.sent else ""
        self.say("error", f"{why}{sent}")
        leave(code)
        raise AssertionError("leave does not return")

    def _end_with_parent(self) -> None:
        """End when stdin closes: nobody shows what this process says."""
        gevent.get_hub().threadpool.apply(sys.stdin.buffer.readline)
        self._interrupted()


class NoCode(BadPlan):
    """The load sends code, and none may run here."""


def _file_of(text: str) -> str:
    """Return the name of a file with this text, which ends with this process."""
    if not hasattr(os, "memfd_create"):
        file, name = tempfile.mkstemp()
    else:
        file = os.memfd_create("ca")
        name = f"/proc/self/fd/{file}"
    os.write(file, text.encode())
    return name


def probe(plan: Plan, share: Share) -> None:
    """Connect to where the requests go. Raises BadPlan that names an address which cannot be reached from here."""
    gateway = urlsplit(plan.gateway)
    for url in (plan.gateway, plan.secure or plan.gateway):
        if share.remote and is_loopback(urlsplit(url).hostname or "") and not share.advertised:
            raise BadPlan(f"the gateway is at {url}, on the load's own host: give the run --load-gateway URL")
    for task in plan.tasks:
        if task.direct and share.remote and is_loopback(urlsplit(task.url).hostname or ""):
            raise BadPlan(f"task {task.name!r} goes to {task.host} on the load's own host, which is not this one")
    if plan.locustfile:
        _connect((gateway.hostname or "", gateway.port or 80), f"the gateway at {plan.gateway}")
    for place, what in {plan.address_of(each): _named(plan, each) for each in plan.tasks}.items():
        _connect(place, what)


def _named(plan: Plan, task: Any) -> str:
    return f"{task.host}, where task {task.name!r} goes," if task.direct else f"the gateway at {plan.gateway}"


def _connect(place: tuple[str, int], what: str) -> None:
    try:
        socket.create_connection(place, PROBE).close()
    except OSError as error:
        raise BadPlan(f"cannot reach {what}: {error.strerror or error}") from None
