"""The web UI has no login, so it listens on loopback only."""

from __future__ import annotations

import socket

import pytest

from chaos.load.address import free_address, own_hosts
from chaos.protocol.load_plan import BadPlan


def test_port_0_becomes_a_free_one() -> None:
    host, port = free_address("127.0.0.1:0")
    assert host == "127.0.0.1"
    with socket.create_server((host, port)):
        assert port > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0.0.0:8089", "not loopback"),
        ("example.com:80", "not loopback"),
        ("8089", "host:port"),
        ("127.0.0.1:x", "host:port"),
    ],
)
def test_addresses_it_will_not_listen_on(text: str, reason: str) -> None:
    with pytest.raises(BadPlan, match=reason):
        free_address(text)


def test_a_taken_port_is_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="already in use"):
        free_address(f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_browser_that_means_this_server_names_one_of_these() -> None:
    assert {"127.0.0.1:8089", "localhost:8089"} <= own_hosts("127.0.0.1", 8089)
    assert "[::1]:8089" in own_hosts("::1", 8089)
