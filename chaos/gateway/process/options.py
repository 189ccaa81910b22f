"""The options of `chaos gateway`. The rules come from functions that the caller passes in: the gateway reads no
experiment files."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from chaos.errors import ChaosError, EnvironmentFailed
from chaos.gateway.state.in_force import RuleSet
from chaos.loopback import is_loopback

BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """How one gateway runs.

    `load` compiles the files and `parse` a YAML text sent to the admin API; both raise InvalidInput. `files` are
    watched, and loaded again when they change; `named` are those that the user named. `text` returns the documents in
    force; without it they are read from the files. Without a `seed` the draws differ from run to run."""

    load: Callable[[], RuleSet]
    parse: Callable[[str], RuleSet]
    text: Callable[[], str] | None = None
    named: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    listen: str = "127.0.0.1:8080"
    admin: str = "127.0.0.1:0"
    admin_token: str | None = None
    workers: int = 1
    seed: int | str | None = None
    tags: bool = True
    watch: bool = True
    exit_with_stdin: bool = False  # end when whoever started us closes our stdin, or dies
    access_log: str | int | None = None  # a path, `-` for stdout, or a descriptor that was handed down
    access_log_sample: float = 100.0  # percent of the requests
    otel: bool = False  # export spans and metrics
    drain_seconds: float = 30.0  # for requests in flight after SIGTERM

    def documents(self) -> str:
        """Return the documents in force as one YAML stream. Raises OSError when they have to be read from files that
        cannot be read."""
        return read_files(self.files) if self.text is None else self.text()

    def check(self) -> None:
        """Raise ChaosError for options that cannot be used."""
        if self.workers < 1:
            raise ChaosError(f"--workers {self.workers}: at least one is needed")
        host, _ = split_address(self.admin, "--admin")
        split_address(self.listen, "--listen")
        if not 0 <= self.access_log_sample <= 100:
            raise ChaosError(f"--access-log-sample {self.access_log_sample:g}: must be from 0 to 100 percent")
        if not is_loopback(host) and not self.admin_token:
            raise ChaosError(f"--admin {self.admin} is reachable from outside: it needs a token (--admin-token)")


def read_files(files: tuple[str, ...]) -> str:
    """Return the files' texts as one YAML stream. Raises OSError for a file that cannot be read."""
    texts = []
    for file in files:
        with open(file, encoding="utf-8") as stream:
            texts.append(stream.read().rstrip("\n"))
    return "\n---\n".join(texts) + "\n"


def split_address(text: str, option: str) -> tuple[str, int]:
    """Split `HOST:PORT` into host (127.0.0.1 when empty) and port. Raises ChaosError, naming `option`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ChaosError(f"{option} {text!r} is not an address; write it like 127.0.0.1:8080")
    return host.strip("[]") or "127.0.0.1", int(port)


def bind(address: str, option: str, *, copies: int = 1) -> list[socket.socket]:
    """Bind sockets to one address, all `copies` to the same port; the server calls listen. Raises EnvironmentFailed
    when the address cannot be bound, for example because it is in use."""
    host, port = split_address(address, option)
    sockets: list[socket.socket] = []
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        for _ in range(copies):
            one = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if copies > 1:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(where)
            one.setblocking(False)
            where = one.getsockname()  # port 0 has become a real one, which the other copies must share
    except OSError as error:
        for one in sockets:
            one.close()
        raise EnvironmentFailed(f"cannot listen on {address} ({option}): {error.strerror or error}") from None
    return sockets


def url_of(listener: socket.socket) -> str:
    """Return the http URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
