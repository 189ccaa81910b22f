"""Load workers that join, from this host or others: who may, which share each has, and whether all are there.

The n-th to join sends every request whose number is n modulo their number (chaos/load/sequence.py), so many workers
send what one process would."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

import gevent

from chaos.load.channel import WRONG_TOKEN, Server, flush
from chaos.load.code import Code, pack
from chaos.load.local import NotAll, Say
from chaos.load.master import Master
from chaos.load.roster import Roster
from chaos.load.versions import boot, versions
from chaos.loopback import is_loopback
from chaos.protocol.load_plan import BadPlan, Plan
from chaos.protocol.load_workers import (
    JOIN,
    LEAVE,
    OVER,
    PLAN,
    PORT,
    REFUSED,
    REFUSES,
    Joining,
    Newcomer,
    Share,
    differences,
)

if TYPE_CHECKING:
    from chaos.load.distributed import Note

SILENT = 10.0  # seconds after which a worker is gone that has joined a load which has not begun
POLL = 0.02
MOST_REFUSED = 5  # refusals that the last word about a load without its workers repeats

_COST_NOTHING = {"unsigned": "a message without a signature", "repeated": "a message that was sent before"}


@dataclass(slots=True)
class Member:
    """A worker that has joined: the `number` of its share, the name and address of its host."""

    number: int
    host: str
    address: str

    @property
    def place(self) -> str:
        return f"{self.host} at {self.address}"


class Joined:
    """The workers that have joined."""

    def __init__(self, plan: Plan, joining: Joining):
        """Make ready what they will be sent. Raises BadPlan for a locustfile that cannot be."""
        self.trouble = ""
        self.say: Say = lambda level, text: None
        self.count = plan.processes
        self._joining = joining
        self._members: dict[str, Member] = {}
        self._refused: dict[str, None] = {}
        self._dropped: Counter[str] = Counter()
        self._runner: Master | None = None
        self._began = False
        self._code: Code | None = pack(plan.locustfile) if plan.locustfile else None
        self._ca = _text_of(plan.ca) if plan.ca is not None else ""
        name = self._code.name if self._code is not None else None
        gateway = joining.gateway or plan.gateway
        secure = joining.secure or plan.secure
        sent = replace(plan, gateway=gateway, secure=secure, joining=None, admin=None, locustfile=name)
        self._plan = json.dumps(asdict(sent), separators=(",", ":"))

    def listen(self) -> Server:
        """Return the load's end of the channel. Raises BadPlan and OSError."""
        host, port = address_of(self._joining.bind)
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0][4]
        return Server(str(found[0]), port, self._joining.token.encode(), self._hear_of_dropped)

    def admits(self, identity: str) -> bool:
        """Return whether a worker has joined."""
        return identity in self._members

    def attach(self, runner: Master, roster: Roster, note: Note) -> None:
        """Listen for those who want to join."""
        self._runner, self._roster, self._note = runner, roster, note
        for name, hear in ((JOIN, self._join), (REFUSES, self._hear_refusal), (LEAVE, self._hear_leave)):
            runner.register_message(name, hear)

    @property
    def runner(self) -> Master:
        assert self._runner is not None, "attach comes first"
        return self._runner

    @property
    def address(self) -> str:
        """Where they join, with the real port."""
        host = self._joining.bind.rpartition(":")[0] or self._joining.bind
        return f"{host}:{self.runner.server.port}"

    def _told_of_hosts(self) -> str:
        found = Counter(each.place for each in self._members.values())
        return ", ".join(f"{count} on {place}" for place, count in sorted(found.items()))

    def gather(self, say: Say, over: Callable[[], bool]) -> None:
        """Wait until all have joined and are ready. Returns early when the load is `over`. Raises NotAll."""
        self.say = say
        try:
            self._gather(over)
        except NotAll:
            self.dismiss()
            raise
        if over():
            self.dismiss()
            return
        now = perf_counter()
        for member in self._members.values():
            self._roster.join(member.number, member.place, now)
        self._began = True

    def _gather(self, over: Callable[[], bool]) -> None:
        wait = self._joining.wait
        self.say("info", f"waiting for {_workers(self.count)} at {self.address}, {wait:g} s at most")
        if self._code is not None:
            self.say("info", f"workers with --allow-code get {self._code}")
        end = monotonic() + wait
        while len(self._ready()) < self.count and not over():
            if monotonic() > end:
                raise NotAll(self._missing(wait))
            gevent.sleep(POLL)
            self._forget_silent()
        if not over():
            self.say("info", f"{_workers(self.count)}: {self._told_of_hosts()}")

    def _ready(self) -> list[str]:
        return [identity for identity in self._members if identity in self.runner.clients]

    def _missing(self, wait: float) -> str:
        there = f"{len(self._ready())} of {_workers(self.count)} joined within {wait:g} s"
        where = f": {self._told_of_hosts()}" if self._members else f" (at {self.address})"
        refused = "".join(f"; {text}" for text in list(self._refused)[:MOST_REFUSED])
        return there + where + refused

    def _forget_silent(self) -> None:
        """Give the share of a worker that has gone before the load begins to another."""
        for identity in self._ready():
            if self.runner.server.silent(identity) > SILENT:
                self._forget(identity, "has gone before the load began")

    def _forget(self, identity: str, why: str) -> None:
        member = self._members.pop(identity)
        self.runner.clients.pop(identity, None)
        self.say("warning", f"load worker {member.number + 1} ({member.place}) {why}")

    def _join(self, environment: Any, msg: Any, **_: Any) -> None:
        identity = msg.node_id
        if identity in self._members:
            return
        address = self.runner.server.address_of(identity)
        try:
            newcomer = Newcomer.of(msg.data)
        except (TypeError, KeyError, AttributeError):
            return
        ours = versions()
        if other := differences(newcomer.versions, ours):
            mine = differences(ours, newcomer.versions)
            self._refuse(identity, f"worker at {address} has {other}", f"the load at {{}} has {mine}")
        elif len(self._members) >= self.count:
            why = f"the load has its {_workers(self.count)}"
            self._refuse(identity, f"worker at {address}: {why} already", f"{why} already")
        elif self._code is not None and not newcomer.code:
            why = "the load sends a locustfile, and takes only workers with --allow-code"
            self._refuse(
                identity, f"worker at {address} takes no code: the locustfile needs --allow-code there", why, 2
            )
        else:
            self._admit(identity, newcomer, address)

    def _admit(self, identity: str, newcomer: Newcomer, address: str) -> None:
        taken = {each.number for each in self._members.values()}
        number = next(each for each in range(self.count) if each not in taken)
        self._members[identity] = Member(number, newcomer.host, address)
        code = self._code
        share = Share(
            number=number,
            count=self.count,
            plan=self._plan,
            remote=not (newcomer.boot == boot() and self._is_ours(address)),
            advertised=self._joining.advertised,
            code=code.archive if code is not None else None,
            sha256=code.sha256 if code is not None else "",
            ca=self._ca,
        )
        self.runner.send_message(PLAN, asdict(share), identity)

    def _is_ours(self, address: str) -> bool:
        """Return whether an address is this host's, as this process sees it: one can bind to it."""
        if is_loopback(address):
            return True
        with suppress(OSError), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
            one.bind((address, 0))
            return True
        return False

    def _refuse(self, identity: str, ours: str, theirs: str, code: int = 5) -> None:
        """Refuse a worker, in our words to the run and in its own to itself."""
        self.runner.send_message(REFUSED, {"reason": theirs, "code": code}, identity)
        self._say_once(ours)

    def _say_once(self, text: str) -> None:
        if text not in self._refused and len(self._refused) < 1000:
            self._refused[text] = None
            self.say("warning", text)

    def _hear_refusal(self, environment: Any, msg: Any, **_: Any) -> None:
        """A worker cannot carry out the plan."""
        member = self._members.get(msg.node_id)
        if member is not None:
            reason = str(msg.data["reason"])[:500]
            del self._members[msg.node_id]
            self._say_once(f"worker at {member.address} cannot take part: {reason}")

    def _hear_leave(self, environment: Any, msg: Any, **_: Any) -> None:
        member = self._members.get(msg.node_id)
        if member is None:
            return
        if self._began:
            self._note(self._roster.left(member.number, perf_counter()))
        else:
            self._forget(msg.node_id, "has left before the load began")

    def _hear_of_dropped(self, kind: str, address: str) -> None:
        """Say once of each kind that a message was not taken."""
        self._dropped[kind] += 1
        if self._dropped[kind] > 1:
            return
        if kind == WRONG_TOKEN:
            self.say("warning", f"somebody at {address} who wanted to join has another token, or none; still waiting")
        else:
            what = _COST_NOTHING.get(kind, f"a {kind} message")
            self.say("warning", f"{what} came from {address} and was dropped; others are dropped and counted")

    def dismiss(self) -> None:
        """Tell the workers that nothing more is wanted of them, and the run how much was dropped."""
        for identity in self._members:
            self.runner.send_message(OVER, None, identity)
        flush()
        if self._dropped.total() > len(self._dropped):
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self._dropped.items()))
            self.say("warning", f"{self._dropped.total()} messages to the load were dropped: {kinds}")


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        raise BadPlan(f"{path}: cannot be read: {error.strerror}") from None


def _workers(count: int) -> str:
    return "1 load worker" if count == 1 else f"{count} load workers"


def address_of(text: str) -> tuple[str, int]:
    """Split `HOST:PORT`; Locust's port stands for one that is left out. Raises BadPlan."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return text.strip("[]"), PORT
    if not port.isdecimal() or int(port) > 65535:
        raise BadPlan(f"{text!r} is not an address; write it like 127.0.0.1:{PORT}")
    return host.strip("[]"), int(port)
