"""Load workers that join from other hosts: the options, and what follows for the load's plan and for the gateway's
address."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chaos.errors import InvalidInput
from chaos.loopback import is_loopback
from chaos.protocol.load_workers import PORT, Joining
from chaos.runner.plan.token_file import HOW, Token
from chaos.units import parse_duration

if TYPE_CHECKING:
    from chaos.experiment.model import Load

WAIT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class LoadHosts:
    """The options of `chaos run` about load workers. `bind` is where they join, `workers` how many are expected within
    `wait` seconds; `gateway` is the URL under which they reach the gateway, if that is another than its own."""

    bind: str | None = None
    workers: int | None = None
    wait: float = WAIT
    token: Token = field(default_factory=Token)
    gateway: str | None = None

    @property
    def given(self) -> str:
        """The first option that says that workers will join; empty if none does."""
        found = {"--load-bind": self.bind, "--load-gateway": self.gateway, "--load-token-file": self.token.text}
        return next((option for option, value in found.items() if value), "")


def read_wait(text: str) -> float:
    """Return the seconds of `--load-wait`; a number alone is seconds, as Locust has it. Raises InvalidInput."""
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else parse_duration(text)
    except ValueError as error:
        raise InvalidInput.of("--load-wait", str(error)) from None
    if seconds <= 0:
        raise InvalidInput.of("--load-wait", "has to be more than 0, like 60s")
    return seconds


def joining_of(hosts: LoadHosts, load: Load) -> Joining | None:
    """Return how the workers of a load join; None if none do. Raises InvalidInput."""
    workers = hosts.workers or load.workers
    if workers is None:
        if hosts.given:
            message = "how many load workers will join? Say --load-workers N, or load.workers in the file"
            raise InvalidInput.of(hosts.given, message)
        return None
    host, port = split_address(hosts.bind or f"127.0.0.1:{PORT}", "--load-bind")
    host = "0.0.0.0" if host in ("", "*") else host
    if load.users < workers:
        message = f"{load.users} users are too few for {workers} load workers, each of which needs one"
        raise InvalidInput.of("--load-workers" if hosts.workers else "load.workers", message)
    if not is_loopback(host) and not hosts.token.text:
        message = f"workers from other hosts have to show that they may join; {HOW} (--load-token-file)"
        raise InvalidInput.of(f"--load-bind {hosts.bind}", message)
    if hosts.gateway is not None:
        parts = urlsplit(hosts.gateway)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = f"{hosts.gateway!r} is not a URL; write it like http://127.0.0.1:15001"
            raise InvalidInput.of("--load-gateway", message)
    shown = f"[{host}]" if ":" in host else host
    return Joining(
        f"{shown}:{port}", hosts.wait, hosts.token.text, hosts.gateway or "", advertised=hosts.gateway is not None
    )


def split_address(text: str, option: str) -> tuple[str, int]:
    """Split `HOST:PORT`; Locust's port stands for one that is left out. Raises InvalidInput, naming `option`."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, str(PORT)
    if not port.isdecimal() or int(port) > 65535:
        raise InvalidInput.of(option, f"{text!r} is not an address; write it like 10.0.0.5:{PORT}")
    return host.strip("[]"), int(port)


def gateway_address(joining: Joining | None) -> str:
    """Return where our gateway listens: on the host where the workers join, if that is beyond this machine; on the port
    of the URL that was given for them, if one was. Raises InvalidInput."""
    if joining is None:
        return "127.0.0.1:0"
    host, port = joining.bind.rpartition(":")[0].strip("[]"), 0
    if joining.advertised:
        parts = urlsplit(joining.gateway)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    if is_loopback(host):
        return f"127.0.0.1:{port}"
    try:
        found = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise InvalidInput.of("--load-bind", f"{host}: {error.strerror or error}") from None
    return f"[{found}]:{port}" if ":" in found else f"{found}:{port}"
