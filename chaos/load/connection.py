"""One HTTP/1.1 keep-alive connection of one user, on a bare non-blocking socket under gevent's loop.

It reads only what a load test needs: status, framing, the gateway's tags; of bodies the beginning is kept. When the
response is small, a request costs one send, one wait and one receive."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Any, NoReturn

import gevent
from gevent import Timeout, monkey

from chaos.load.framing import CHUNKED, UNTIL_CLOSE, Head, chunk_size, read_head
from chaos.protocol.exemplars import MOST_BODY

MOST_HEAD = 256 * 1024  # bytes; more than any server lets pass
CHUNK = 64 * 1024
READ, WRITE = 1, 2  # libev's EV_READ and EV_WRITE
FIRST = MOST_BODY  # bytes of a body that are returned
IDLE = 0.05  # seconds after which a kept connection is checked before it is used again

Address = tuple[int, Any]  # family and what connect() takes
_plain_socket: Any = monkey.get_original("socket", "socket")  # gevent's own costs twice as much per call
_lookup: Any = monkey.get_original("socket", "getaddrinfo")


class Failed(Exception):  # noqa: N818 - named for what happened
    """No complete response: `kind` is refused, reset, timeout, closed or malformed; `reason` says more. `tail` is the
    head from the first tag on, if the head had come."""

    def __init__(self, kind: str, reason: str = "", tail: bytes = b""):
        self.kind, self.reason, self.tail = kind, reason, tail
        super().__init__(kind)


class Connection:
    """A connection to one host, opened when first used and again after it was closed.

    `deadline` (0.0 for no deadline) is watched by `Deadlines`. `used` is when the last response came; the caller of
    `exchange` sets it. `previous` belongs to the caller, and is None again on a new connection. `size` is the length in
    bytes of the last response's body. `head` is its head when `whole` asks for it. `first` is how many bytes of a body
    `exchange` returns. With `once` it is closed after each response."""

    __slots__ = (
        "_addresses",
        "_at",
        "_rest",
        "_socket",
        "_tail",
        "_wait",
        "_watcher",
        "deadline",
        "expired",
        "first",
        "head",
        "once",
        "previous",
        "size",
        "used",
        "whole",
    )

    def __init__(self, addresses: list[Address], whole: bool = False, once: bool = False):
        self._addresses = addresses
        self.once = once
        self.whole = whole
        self.first = FIRST
        self.head = b""
        self._socket: Any = None
        self._watcher: Any = None
        self._wait = gevent.get_hub().wait
        self._rest = b""
        self._at = 0
        self._tail = b""
        self.size = 0
        self.used = 0.0
        self.deadline = 0.0
        self.expired = False
        self.previous: Any = None

    def exchange(self, request: bytes, bodiless: bool, now: float, timeout: float) -> tuple[int, bytes, bytes]:
        """Send a request and receive its response: the status, the head from the first tag on, the `first` bytes of the
        body.

        `bodiless` for HEAD; `now` is perf_counter's value; `timeout` in seconds covers everything. Raises Failed."""
        self._tail = b""
        try:
            if self._socket is None or (now - self.used > IDLE and self._is_stale()):
                self.close()
                self._open(timeout)
            self.deadline = now + timeout
            self._send(request)
            answer = self._answer(bodiless)
        except (Failed, OSError, ValueError, Timeout) as error:
            self._fail(error, timeout)
        except BaseException:  # the user is being stopped: nobody will read the rest of the response
            self.close()
            raise
        self.deadline = 0.0
        if self.expired:  # the deadline passed just as the response came: `expire` has shut the socket down
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
        """Wake the user that waits on this connection: it finds the connection closed and expired."""
        self.deadline = 0.0
        self.expired = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _fail(self, error: BaseException, timeout: float) -> NoReturn:
        kind = "timeout" if self.expired else kind_of(error)
        self.close()
        raise Failed(kind, reason_of(kind, error, timeout), self._tail) from None

    def _is_stale(self) -> bool:
        """Return whether the server closed the connection, or sent bytes unasked, while it was idle."""
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
        """Send the rest as the server reads it; a server that refuses the rest may still have sent a response."""
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
        """Receive at least one byte. Raises Failed at the end of the stream."""
        data = self._receive_any()
        if not data:
            raise Failed("closed")
        return data

    def _receive_any(self) -> bytes:
        while True:
            self._wait(self._watcher)
            try:
                return bytes(self._socket.recv(CHUNK))
            except BlockingIOError:  # a spurious wake-up
                continue

    def _answer(self, bodiless: bool) -> tuple[int, bytes, bytes]:
        data = self._receive()
        while True:
            end = data.find(b"\r\n\r\n")
            while end < 0:
                if len(data) > MOST_HEAD:
                    raise Failed("malformed", "the head does not end")
                data += self._receive()
                end = data.find(b"\r\n\r\n")
            head = read_head(data, end)
            if head.status >= 200 or head.status == 101:
                break
            data = data[end + 4 :]  # 1xx: the final response is still to come
            if not data:
                data = self._receive()
        self._tail = head.tail
        if self.whole:
            self.head = data[:end]
        start = end + 4
        if bodiless or head.status in (204, 304):
            surplus = len(data) > start
            body = b""
            self.size = 0
        elif 0 <= head.length <= len(data) - start:  # the whole body is here
            surplus = head.length < len(data) - start
            self.size = head.length
            body = data[start : start + (min(self.first, head.length) if surplus else self.first)]
        else:
            body, surplus = self._body(data[start:], head)
        if head.closes or surplus or self.once:
            self.close()
        return head.status, head.tail, body

    def _body(self, data: bytes, head: Head) -> tuple[bytes, bool]:
        """Receive and drop the rest of a body. Returns its first bytes, and whether the connection must not be used
        again."""
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
        first, self.size = self._rest[: self.first], len(self._rest)
        while more := self._receive_any():
            first = self._more(first, more)
            self.size += len(more)
        if self.expired:
            raise Failed("timeout")
        return first

    def _more(self, first: bytes, more: bytes) -> bytes:
        """Return the first bytes of a body with those that came next, as far as they are wanted."""
        return first + more[: self.first - len(first)] if len(first) < self.first else first

    def _drop(self, count: int) -> bytes:
        """Receive and drop `count` bytes. Returns the first of them."""
        self.size += count
        first = self._rest[self._at : self._at + min(count, self.first)]
        while (left := len(self._rest) - self._at) < count:
            count -= left
            self._rest, self._at = self._receive(), 0
            first = self._more(first, self._rest[:count])
        self._at += count
        return first

    def _drop_chunks(self) -> bytes:
        first = b""
        while size := chunk_size(self._line()):
            first = self._more(first, self._drop(size))
            if self._line():
                raise Failed("malformed", "a chunk is longer than it says")
        while self._line():  # trailers
            pass
        return first

    def _line(self) -> bytes:
        """Return the bytes up to the next CRLF, without it."""
        while (end := self._rest.find(b"\r\n", self._at)) < 0:
            self._rest, self._at = self._rest[self._at :] + self._receive(), 0
            if len(self._rest) > MOST_HEAD:
                raise Failed("malformed", "the line before a chunk does not end")
        line = self._rest[self._at : end]
        self._at = end + 2
        return line


def kind_of(error: BaseException) -> str:
    """Return the kind of a connection's failure, as `Failed` names it."""
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


def reason_of(kind: str, error: BaseException, timeout: float) -> str:
    """Return in words why there is no response."""
    if kind == "timeout":
        return f"no complete response within {timeout:g} s"
    if kind == "closed":
        return "the connection was closed before the response was complete"
    if isinstance(error, Failed):
        return error.reason or kind
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error) or kind


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses to connect to, in the system's order. Called once, when the load starts. Raises OSError for
    an unknown name."""
    try:
        found = _lookup(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"{host}: {error.strerror}") from None
    return list(dict.fromkeys((family, where) for family, _, _, _, where in found))
