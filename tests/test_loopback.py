"""Which hosts are this machine (chaos/loopback.py): the gateway, the load and the experiment's check all ask it."""

from __future__ import annotations

import pytest

from chaos.loopback import is_loopback


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.10",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "app.localhost",
    ],
)
def test_these_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "10.0.0.5",
        "::ffff:10.0.0.5",
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.example.com",
    ],
)
def test_these_may_lead_elsewhere(host: str) -> None:
    assert not is_loopback(host)
