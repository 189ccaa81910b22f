"""The file of an access log, to which a thread writes what it is handed: a slow disk or reader holds up no request.

All workers of a gateway, and other processes, may write to the same file, each line whole: it is opened for appending.
Pieces of more than 4096 bytes could mix in a pipe, so whoever writes to one holds a lock meanwhile. What cannot be
written is lost, with one warning."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue

from chaos.errors import InvalidInput

OPTION = "--access-log"
STDOUT = "-"
MOST_WAITING = 16 * 1024 * 1024
"""Bytes that wait for a slow reader; more are lost."""
LAST_SECONDS = 5.0
"""How long the end waits for a reader that takes nothing."""


def check(path: str) -> None:
    """Raise InvalidInput if this is no place for a log. Nothing is opened or made: who reads a pipe would notice."""
    folder = os.path.dirname(path) or "."
    if path == STDOUT:
        return
    if os.path.isdir(path):
        raise InvalidInput.of(OPTION, f"{path}: is a directory; name a file in it, or - for stdout")
    if not os.path.isdir(folder):
        raise InvalidInput.of(OPTION, f"{path}: there is no directory {folder}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise InvalidInput.of(OPTION, f"{path}: cannot be written: permission denied")


@dataclass(frozen=True, slots=True)
class LogFile:
    """An open log. `path` is None for a descriptor that cannot be opened again: stdout. `lock` is None for a file."""

    path: str | None
    handle: int
    lock: int | None

    @classmethod
    def opened(cls, where: str | int) -> LogFile:
        """Open a log: a path, `-` for stdout, or a descriptor that was handed down. Raises InvalidInput."""
        if isinstance(where, int) or where == STDOUT:
            path, handle = None, os.dup(1) if where == STDOUT else int(where)
        else:
            check(where)
            path = where
            try:
                handle = open_path(where)
            except OSError as error:
                raise InvalidInput.of(OPTION, f"{where}: {reason(error)}") from None
        pipe = not stat.S_ISREG(os.fstat(handle).st_mode)
        return cls(path, handle, os.memfd_create("access-log") if pipe else None)


def open_path(path: str) -> int:
    """Open a file for appending, or a pipe that somebody reads. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    os.set_blocking(handle, True)
    return handle


def reason(error: OSError) -> str:
    """Return why a log cannot be opened, in words."""
    if error.errno == 6:  # ENXIO
        return "nobody reads this pipe"
    return error.strerror or str(error)


class LogWriter:
    """The thread that writes. Its methods may be called from one other thread."""

    def __init__(self, file: LogFile):
        self._path, self._handle, self._lock = file.path, file.handle, file.lock
        self._queue: SimpleQueue[bytes | Future[str] | None] = SimpleQueue()
        self._handed = self._taken = 0  # bytes
        self._broken = False  # the last line was cut
        self._warned = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="access-log")
        self._thread.start()

    def write(self, lines: bytes) -> None:
        """Hand over whole lines."""
        if self._handed - self._taken > MOST_WAITING:
            self._warn("its reader is too slow")
            return
        self._handed += len(lines)
        self._queue.put(lines)

    def reopen(self) -> Future[str]:
        """Open the path again once all lines so far are written. The result says why that failed, or is empty."""
        done: Future[str] = Future()
        self._queue.put(done)
        return done

    def close(self) -> None:
        """Wait until everything is written; not for ever, if nobody reads."""
        self._queue.put(None)
        self._thread.join(LAST_SECONDS)

    # ------------------------------------------------------------------------------------------ in the thread

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, bytes):
                with self._alone():
                    self._write(item)
                self._taken += len(item)
            else:
                item.set_result(self._reopened())

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._lock is None else _held(self._lock)

    def _write(self, lines: bytes) -> None:
        left = memoryview(b"\n" + lines if self._broken else lines)
        try:
            while left:
                left = left[self._written(left) :]
            self._broken = False
        except OSError as error:
            self._broken = self._broken or len(left) != len(lines)
            self._warn(error.strerror or str(error))

    def _written(self, data: memoryview) -> int:
        try:
            return os.write(self._handle, data)
        except BlockingIOError:  # another process made it non-blocking, as ssh does
            select.select([], [self._handle], [])
            return 0

    def _reopened(self) -> str:
        if self._path is None:
            return ""
        try:
            another = open_path(self._path)
        except OSError as error:
            return f"the access log {self._path} cannot be opened again: {reason(error)}; the old file goes on"
        os.close(self._handle)
        self._handle, self._broken, self._warned = another, False, False
        return ""

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            name = "on stdout" if self._path is None else self._path
            print(f"the access log {name} loses lines: {why}; requests go on", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _held(lock: int) -> Iterator[None]:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.lockf(lock, fcntl.LOCK_UN)
