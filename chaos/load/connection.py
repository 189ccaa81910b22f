"""One HTTP/1.1 keep-alive connection of one user, on a bare non-blocking socket under gevent's loop.

Reads what a load test needs and no more: status, framing, the gateway's tags; bodies are received and dropped. When the
answer is small a request costs one send, one wait and one receive.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Any, NoReturn

import gevent
from gevent import Timeout, monkey

from chaos.load.framing import CHUNKED, UNTIL_CLOSE, Head, chunk_size, read_head

MOST_HEAD = 256 * 1024  # octets; more than any server lets pass
CHUNK = 64 * 1024
READ, WRITE = 1, 2  # libev's EV_READ and EV_WRITE
IDLE = 0.05  # seconds after which a kept connection is looked at before it is used again

Address = tuple[int, Any]  # family and what connect() takes
_plain_socket: Any = monkey.get_original("socket", "socket")  # gevent's own costs twice as much per call
_lookup: Any = monkey.get_original("socket", "getaddrinfo")


class Failed(Exception):  # noqa: N818 - named for what happened
    """No complete answer: `kind` is refused, reset, timeout, closed or malformed."""

    def __init__(self, kind: str):
        self.kind = kind
        super().__init__(kind)


class Connection:
    """To one host, opened when first used and again after it was closed.

    `deadline` (0.0: none) is watched by `Deadlines`. `used` is when the last answer came; whoever calls `exchange` sets
    it. `previous` is whatever the caller keeps with a connection; None again on a new one.
    `size` counts the octets of the last answer's body."""

    __slots__ = (
        "_addresses",
        "_at",
        "_rest",
        "_socket",
        "_wait",
        "_watcher",
        "deadline",
        "expired",
        "previous",
        "size",
        "used",
    )

    def __init__(self, addresses: list[Address]):
        self._addresses = addresses
        self._socket: Any = None
        self._watcher: Any = None
        self._wait = gevent.get_hub().wait
        self._rest = b""
        self._at = 0
        self.size = 0
        self.used = 0.0
        self.deadline = 0.0
        self.expired = False
        self.previous: Any = None

    def exchange(self, request: bytes, bodiless: bool, now: float, timeout: float) -> tuple[int, bytes, bytes]:
        """Send a request, receive its answer: status, the head from the first tag on, the first octets of the body.

        `bodiless` for HEAD; `now` as perf_counter has it; `timeout` in seconds for everything. Raises Failed."""
        try:
            if self._socket is None or (now - self.used > IDLE and self._is_stale()):
                self.close()
                self._open(timeout)
            self.deadline = now + timeout
            self._send(request)
            answer = self._answer(bodiless)
        except (Failed, OSError, ValueError, Timeout) as error:
            self._fail(error)
        except BaseException:  # the user is stopped in the middle: nobody will read the rest
            self.close()
            raise
        self.deadline = 0.0
        if self.expired:  # it was woken as its answer came
            self.close()
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._watcher.close()
            self._socket.close()
        self._socket = self._watcher = None
        self._rest = b""
        self.deadline = 0.0
        self.expired = False

    def expire(self) -> None:
        """Wake whoever waits on this connection; they find it closed, and that it expired."""
        self.deadline = 0.0
        self.expired = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _fail(self, error: BaseException) -> NoReturn:
        kind = "timeout" if self.expired else kind_of(error)
        self.close()
        raise Failed(kind) from None

    def _is_stale(self) -> bool:
        """Whether the server closed the connection, or sent what nobody asked for, while it was idle."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _open(self, timeout: float) -> None:
        self.previous = None
        error: OSError = ConnectionRefusedError()
        with Timeout(timeout):
            for family, where in self._addresses:
                try:
                    self._connect(family, where)
                except OSError as failed:
                    error = failed
                    self.close()
                else:
                    return
        raise error

    def _connect(self, family: int, where: Any) -> None:
        made = self._socket = _plain_socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = gevent.get_hub().loop
        self._watcher = loop.io(made.fileno(), WRITE)
        code = made.connect_ex(where)
        if code == errno.EINPROGRESS:
            self._wait(self._watcher)
            code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")
        self._watcher.close()
        self._watcher = loop.io(made.fileno(), READ)

    def _send(self, request: bytes) -> None:
        try:
            sent = self._socket.send(request)
        except BlockingIOError:
            sent = 0
        if sent < len(request):
            self._send_rest(memoryview(request)[sent:])

    def _send_rest(self, rest: memoryview) -> None:
        """Goes on as the server reads; a server that refuses the rest may still have answered."""
        writable = gevent.get_hub().loop.io(self._socket.fileno(), WRITE)
        try:
            while rest:
                self._wait(writable)
                rest = rest[self._socket.send(rest) :]
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            writable.close()

    def _receive(self) -> bytes:
        """Some octets. Raises Failed at the end of the stream."""
        data = self._receive_any()
        if not data:
            raise Failed("closed")
        return data

    def _receive_any(self) -> bytes:
        while True:
            self._wait(self._watcher)
            try:
                return bytes(self._socket.recv(CHUNK))
            except BlockingIOError:  # woken for nothing
                continue

    def _answer(self, bodiless: bool) -> tuple[int, bytes, bytes]:
        data = self._receive()
        while True:
            end = data.find(b"\r\n\r\n")
            while end < 0:
                if len(data) > MOST_HEAD:
                    raise Failed("malformed")
                data += self._receive()
                end = data.find(b"\r\n\r\n")
            head = read_head(data, end)
            if head.status >= 200 or head.status == 101:
                break
            data = data[end + 4 :]  # 1xx: the answer is still to come
            if not data:
                data = self._receive()
        start = end + 4
        if bodiless or head.status in (204, 304):
            surplus = len(data) > start
            body = b""
            self.size = 0
        elif 0 <= head.length <= len(data) - start:  # all of it came at once
            surplus = head.length < len(data) - start
            self.size = head.length
            body = data[start : start + 32]
        else:
            body, surplus = self._body(data[start:], head)
        if head.closes or surplus:
            self.close()
        return head.status, head.tail, body

    def _body(self, data: bytes, head: Head) -> tuple[bytes, bool]:
        """Receive and drop the rest of a body: its first octets, and whether the connection must not be used again."""
        self._rest, self._at, self.size = data, 0, 0
        if head.length == CHUNKED:
            first = self._drop_chunks()
        elif head.length == UNTIL_CLOSE:
            return self._drop_until_close(), True
        else:
            first = self._drop(head.length)
        surplus = len(self._rest) > self._at
        self._rest = b""
        return first, surplus

    def _drop_until_close(self) -> bytes:
        first, self.size = self._rest[:32], len(self._rest)
        while more := self._receive_any():
            first = first or more[:32]
            self.size += len(more)
        if self.expired:
            raise Failed("timeout")
        return first

    def _drop(self, count: int) -> bytes:
        """Drop so many octets; gives the first of them."""
        self.size += count
        first = self._rest[self._at : self._at + min(count, 32)]
        while (left := len(self._rest) - self._at) < count:
            count -= left
            self._rest, self._at = self._receive(), 0
            first = first or self._rest[: min(count, 32)]
        self._at += count
        return first

    def _drop_chunks(self) -> bytes:
        first = b""
        while size := chunk_size(self._line()):
            dropped = self._drop(size)
            first = first or dropped
            if self._line():
                raise Failed("malformed")
        while self._line():  # trailers
            pass
        return first

    def _line(self) -> bytes:
        """Up to the next CRLF, without it."""
        while (end := self._rest.find(b"\r\n", self._at)) < 0:
            self._rest, self._at = self._rest[self._at :] + self._receive(), 0
            if len(self._rest) > MOST_HEAD:
                raise Failed("malformed")
        line = self._rest[self._at : end]
        self._at = end + 2
        return line


def kind_of(error: BaseException) -> str:
    """The word for what happened to a connection."""
    match error:
        case Failed():
            return error.kind
        case Timeout() | TimeoutError():
            return "timeout"
        case ValueError():
            return "malformed"
        case ConnectionResetError() | BrokenPipeError():
            return "reset"
        case _:
            return "refused"


def resolve(host: str, port: int) -> list[Address]:
    """Where to connect, in the system's order; once, when the load starts. Raises OSError when the name is unknown."""
    try:
        found = _lookup(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"{host}: {error.strerror}") from None
    return list(dict.fromkeys((family, where) for family, _, _, _, where in found))
