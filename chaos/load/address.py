"""Find where the web UI listens, and by which names a browser may call it."""

from __future__ import annotations

import socket

from chaos.loopback import is_loopback
from chaos.protocol.load_plan import BadPlan


def free_address(text: str) -> tuple[str, int]:
    """Return host and port to listen on; port 0 becomes a free one. Raises BadPlan for a host beyond loopback, OSError
    when the address is in use."""
    host, colon, port = text.rpartition(":")
    host = (host or "127.0.0.1").strip("[]")
    if not colon or not port.isdigit():
        raise BadPlan(f"ui: {text!r} is not host:port")
    if not is_loopback(host):
        raise BadPlan(f"ui: {host} is not loopback; the web UI has no login")
    family, _, _, _, where = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as error:
            raise OSError(f"ui: {text}: {error.strerror}") from None
        name = probe.getsockname()
        return str(name[0]), int(name[1])


def own_hosts(host: str, port: int) -> set[str]:
    """Return the values that a browser on this server's own pages sends in Host and Origin."""
    names = (host, f"[{host}]", "localhost", "127.0.0.1")
    return {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
