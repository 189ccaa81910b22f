"""Loopback sockets and ports, taken before the processes that will use them exist.

A listening socket of ours queues connections until the child that inherits it accepts, so everything can start at once.
"""

from __future__ import annotations

import socket

from chaos.errors import EnvironmentFailed

LOOPBACK = "127.0.0.1"


def listening_socket(host: str = LOOPBACK, port: int = 0) -> socket.socket:
    """Return a listening socket that children inherit. Raises EnvironmentFailed if the port is taken."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(4096)
    except OSError as error:
        sock.close()
        raise EnvironmentFailed(f"cannot listen on {host}:{port}: {error.strerror}") from None
    sock.set_inheritable(True)
    return sock


def free_port(host: str = LOOPBACK) -> int:
    """Return a port that nobody listens on now, for a program that needs to know its port in advance."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def accepts(host: str, port: int, timeout: float = 1.0) -> bool:
    """Return whether something accepts connections there within `timeout` seconds."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False
