"""The channel between a load and its workers: Locust's own, of ZeroMQ, with every message signed (signing.py), Locust's
messages, too. What is not signed as agreed is dropped and counted."""

from __future__ import annotations

import os
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import gevent
import locust.runners
import zmq.green as zmq
from locust.exception import RPCError
from locust.rpc import Message
from locust.rpc.zmqrpc import BaseSocket
from zmq.error import ZMQError
from zmq.utils.monitor import parse_monitor_message

from chaos.load.signing import (
    HELLO,
    NONCE,
    REFUSED,
    Incoming,
    Outgoing,
    Pairing,
    Unsigned,
    greeted,
    greeting,
    welcomed,
)

MOST_UP = 16 << 20  # bytes of a message of a worker: a digest with many histograms is far below
MOST_DOWN = 64 << 20  # bytes of a message to one: a plan with a feeder's rows, and a locustfile's folder
MOST_STRANGERS = 10_000  # identities that have greeted and sent nothing since: a thousand workers may start at once
MOST_WAITING = 20_000  # messages that wait for a peer that is not there
POLL = 0.05  # seconds between looks whether there is a connection
AGAIN = 1.0  # seconds after which a greeting is repeated
FLUSH = 0.1  # seconds in which a message leaves this process
LISTENED = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED

WRONG_TOKEN = "wrong token"  # a kind of what is dropped


def use(server: Server | None = None, client: Client | None = None) -> None:
    """Let Locust's runners of this process use an end of the channel in place of their own."""
    ends = SimpleNamespace(Server=lambda host, port: server, Client=lambda host, port, identity: client)
    vars(locust.runners)["rpc"] = ends


class _Peer:
    """What a server knows of one identity."""

    def __init__(self, pairing: Pairing, address: str):
        self.pairing, self.address = pairing, address
        self.incoming, self.outgoing = Incoming(pairing.up), Outgoing(pairing.down)
        self.heard = monotonic()


class Server(BaseSocket):
    """The load's end. `port` is the one it is bound to; `dropped` counts by kind what was not taken; `on_dropped` is
    told the kind and the address from which it came."""

    def __init__(self, host: str, port: int, token: bytes, on_dropped: Callable[[str, str], None] = lambda *_: None):
        """Listen. Raises OSError."""
        super().__init__(zmq.ROUTER, ipv4_only=":" not in host)  # type: ignore[no-untyped-call]
        self._token = token
        self._peers: dict[bytes, _Peer] = {}
        self.dropped: Counter[str] = Counter()
        self.on_dropped = on_dropped
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_UP)
        self.socket.setsockopt(zmq.SNDHWM, MOST_WAITING)
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # who connects again is not kept out by what it left behind
        shown = f"[{host}]" if ":" in host else host
        try:
            self.socket.bind(f"tcp://{shown}:{port or '*'}")
        except ZMQError as error:
            raise OSError(f"cannot listen on {shown}:{port}: {os.strerror(error.errno or 0)}") from None
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(bound.rpartition(":")[2].rstrip("\0"))

    def address_of(self, identity: str) -> str:
        """Return the address from which a worker has connected."""
        peer = self._peers.get(identity.encode())
        return peer.address if peer is not None else ""

    def silent(self, identity: str) -> float:
        """Return for how many seconds nothing has come from a worker."""
        peer = self._peers.get(identity.encode())
        return monotonic() - peer.heard if peer is not None else 0.0

    def recv_from_client(self) -> tuple[str, Message]:
        """Wait for the next message that is signed. Raises RPCError."""
        while True:
            try:
                frames = self.socket.recv_multipart(copy=False)
            except ZMQError as error:
                raise RPCError("the channel is broken") from error
            identity, *rest = (frame.bytes for frame in frames)
            address = _address(frames[0])
            try:
                message = self._taken(identity, rest, address)
            except Unsigned as kind:
                self._drop(str(kind), address)
            else:
                if message is not None:
                    return message.node_id, message

    def _taken(self, identity: bytes, frames: list[bytes], address: str) -> Message | None:
        """Return the message; None for a greeting, which is answered. Raises Unsigned."""
        if frames[:1] == [HELLO]:
            self._greet(identity, frames, address)
            return None
        peer = self._peers.get(identity)
        if peer is None:
            raise Unsigned("unsigned")
        message = _read(peer.incoming.check(frames))
        peer.address, peer.heard, peer.pairing.proven = address, monotonic(), True
        message.node_id = identity.decode()  # whatever it says: nobody speaks for another
        return message

    def _greet(self, identity: bytes, frames: list[bytes], address: str) -> None:
        """Answer a greeting. One that is repeated gets the same answer. Raises Unsigned."""
        if not identity.isalnum():
            raise Unsigned("unsigned")  # it becomes a text
        known = self._peers.get(identity)
        pairing = greeted(self._token, identity, frames)
        if pairing is None:
            self._send([identity, REFUSED])
            raise Unsigned(WRONG_TOKEN)
        if known is not None and known.pairing.greeting == pairing.greeting:
            pairing = known.pairing
        elif known is not None and known.pairing.proven:
            raise Unsigned("repeated")
        else:
            self._forget_strangers()
            self._peers[identity] = _Peer(pairing, address)
        self._send([identity, *pairing.reply])

    def _forget_strangers(self) -> None:
        strangers = [name for name, peer in self._peers.items() if not peer.pairing.proven]
        for name in strangers[: len(strangers) - MOST_STRANGERS + 1 if len(strangers) >= MOST_STRANGERS else 0]:
            del self._peers[name]

    def _drop(self, kind: str, address: str) -> None:
        self.dropped[kind] += 1
        self.on_dropped(kind, address)

    def send_to_client(self, msg: Message) -> None:
        """Send a message; one that the worker cannot be given now is lost."""
        identity = msg.node_id.encode()
        peer = self._peers.get(identity)
        if peer is not None:
            self._send([identity, *peer.outgoing.sign(msg.serialize())])

    def end(self) -> None:
        """Close it, in a process that goes on."""
        _end(self.socket)

    def _send(self, frames: list[bytes]) -> None:
        with suppress(ZMQError):
            self.socket.send_multipart(frames, zmq.NOBLOCK)


class Client(BaseSocket):
    """A worker's end. `connected`: whether there is a connection; `broken`: whether one has been closed since the load
    answered, with which messages may be lost. `heard` is when (monotonic) the last message came; `dropped` counts what
    was not taken."""

    def __init__(self, host: str, port: int, token: bytes):
        """Begin to connect. Raises OSError for a name that cannot be resolved."""
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        super().__init__(zmq.DEALER, ipv4_only=family == socket.AF_INET)  # type: ignore[no-untyped-call]
        self.identity = uuid4().hex
        self._token = token
        self._incoming: Incoming | None = None
        self._outgoing: Outgoing | None = None
        self.dropped = 0
        self.connected = self.broken = False
        self.heard = monotonic()
        self.socket.setsockopt(zmq.IDENTITY, self.identity.encode())
        self.socket.setsockopt(zmq.SNDHWM, MOST_WAITING)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_DOWN)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        self._monitor = self.socket.get_monitor_socket(LISTENED)
        self._watching = gevent.spawn(self._watch)
        shown = f"[{where[0]}]" if family == socket.AF_INET6 else where[0]
        self.socket.connect(f"tcp://{shown}:{port}")

    def _watch(self) -> None:
        """Note when the connection breaks, and when there is one again."""
        while True:
            event = parse_monitor_message(self._monitor.recv_multipart())["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.connected = True
            elif event == zmq.EVENT_DISCONNECTED:
                self.connected = False
                self.broken = self.greeted

    def greet(self) -> bool:
        """Wait for the load's answer to a greeting, as long as it takes. Return whether its token is ours."""
        nonce, identity = secrets.token_bytes(NONCE), self.identity.encode()
        while True:
            if self.connected:
                self._send(greeting(self._token, identity, nonce))
            with gevent.Timeout(AGAIN if self.connected else POLL, False):
                while True:
                    try:
                        pairing = welcomed(self._token, identity, nonce, self.socket.recv_multipart())
                    except Unsigned:
                        self.dropped += 1
                        continue
                    if pairing is not None:
                        self._incoming, self._outgoing = Incoming(pairing.down), Outgoing(pairing.up)
                        self.heard = monotonic()
                    return pairing is not None

    @property
    def greeted(self) -> bool:
        """Whether the load and this worker know of each other."""
        return self._outgoing is not None

    def recv(self) -> Message:
        """Wait for the next message that is signed. Raises RPCError."""
        assert self._incoming is not None
        while True:
            try:
                frames = self.socket.recv_multipart()
            except ZMQError as error:
                raise RPCError("the channel is broken") from error
            try:
                message = _read(self._incoming.check(frames))
            except Unsigned:
                self.dropped += 1
                continue
            self.heard = monotonic()
            return message

    def send(self, msg: Message) -> None:
        """Send a message once there is a connection."""
        assert self._outgoing is not None
        self._send(self._outgoing.sign(msg.serialize()))

    def end(self) -> None:
        """Close it, in a process that goes on."""
        self._watching.kill()
        self.socket.disable_monitor()
        self._monitor.close(linger=0)
        _end(self.socket)

    def _send(self, frames: list[bytes]) -> None:
        with suppress(ZMQError):
            self.socket.send_multipart(frames, zmq.NOBLOCK)

    def close(self, linger: Any = None) -> None:
        """Do nothing: Locust closes an end to open it anew, which would begin again what has been agreed upon."""


def _end(socket: Any) -> None:
    context = socket.context
    socket.close(linger=0)
    context.term()


def flush() -> None:
    """Wait until what was sent is on its way; the process may then end."""
    gevent.sleep(FLUSH)


def _read(body: bytes) -> Message:
    """Return a message. Raises Unsigned for what is none."""
    try:
        message: Message = Message.unserialize(body)
        return message
    except (ValueError, TypeError):
        raise Unsigned("malformed") from None


def _address(frame: Any) -> str:
    """Return the address of the peer that sent a frame, as ZeroMQ knows it."""
    try:
        return str(frame.get("Peer-Address"))
    except (ZMQError, KeyError):
        return "an unknown address"
