"""What the options about load workers mean, and which of them cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaos.errors import InvalidInput
from chaos.experiment.model import Load
from chaos.runner.plan.load_hosts import LoadHosts, gateway_address, joining_of, read_wait, split_address
from chaos.runner.plan.token_file import Token, read_token

TOKEN = Token("0123456789abcdef0123456789abcdef")


def joining(load: Load | None = None, **options: Any) -> Any:
    return joining_of(LoadHosts(**options), load or Load())


def test_without_workers_nobody_joins() -> None:
    assert joining() is None
    assert gateway_address(None) == "127.0.0.1:0"


def test_workers_are_counted_by_the_file_or_the_option() -> None:
    """They join on this machine unless something else is said."""
    for found in (joining(Load(workers=4)), joining(workers=4), joining(Load(workers=9), workers=4)):
        assert (found.bind, found.wait, found.advertised) == ("127.0.0.1:5557", 60.0, False)


@pytest.mark.parametrize(
    ("bind", "where"),
    [
        ("127.0.0.1:6000", "127.0.0.1:0"),
        ("localhost", "127.0.0.1:0"),
        ("10.0.0.5", "10.0.0.5:0"),
        ("10.0.0.5:6000", "10.0.0.5:0"),
        ("*:6000", "0.0.0.0:0"),
        ("[::]:6000", "[::]:0"),
    ],
)
def test_the_gateway_listens_where_workers_join(bind: str, where: str) -> None:
    assert gateway_address(joining(bind=bind, workers=2, token=TOKEN)) == where


def test_the_gateway_listens_on_the_port_of_the_url_that_workers_are_given() -> None:
    found = joining(workers=2, gateway="http://127.0.0.1:15001")
    assert (found.gateway, found.advertised) == ("http://127.0.0.1:15001", True)
    assert gateway_address(found) == "127.0.0.1:15001"
    outside = joining(workers=2, gateway="http://lb.example.com:15001", bind="10.0.0.5", token=TOKEN)
    assert gateway_address(outside) == "10.0.0.5:15001"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bind": "127.0.0.1:5557"}, "--load-bind: how many load workers will join"),
        ({"gateway": "http://127.0.0.1:1"}, "--load-gateway: how many load workers will join"),
        ({"token": TOKEN}, "--load-token-file: how many load workers will join"),
        ({"workers": 2, "bind": "10.0.0.5:5557"}, "openssl rand -hex 32 > token"),
        ({"workers": 2, "bind": "0.0.0.0"}, "openssl rand -hex 32 > token"),
        ({"workers": 2, "bind": "10.0.0.5:x"}, "is not an address"),
        ({"workers": 2, "gateway": "10.0.0.5:15001"}, "--load-gateway: '10.0.0.5:15001' is not a URL"),
        ({"workers": 30}, "--load-workers: 20 users are too few for 30 load workers"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        joining(**options)
    assert message in str(refused.value)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60.0), ("1m30s", 90.0), ("45", 45.0), ("0.5", 0.5)])
def test_a_number_alone_is_seconds_as_locust_has_it(text: str, seconds: float) -> None:
    assert read_wait(text) == seconds


@pytest.mark.parametrize("text", ["0", "-1s", "soon", ""])
def test_a_wait_has_to_be_a_time(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_wait(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [("web-1", ("web-1", 5557)), ("web-1:6", ("web-1", 6)), ("[::1]:6", ("::1", 6)), ("::1", ("::1", 5557))],
)
def test_locusts_port_stands_for_one_that_is_left_out(text: str, address: tuple[str, int]) -> None:
    assert split_address(text, "--load-bind") == address


def test_a_token_is_the_text_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(f"{TOKEN.text}\n")
    found = read_token(str(file), "--token-file")
    assert (found.text, found.warning) == (TOKEN.text, "")
    assert TOKEN.text not in repr(found) + repr(joining(workers=2, token=found))
    file.chmod(0o644)
    assert "everybody on this machine can read the token" in read_token(str(file), "--token-file").warning


def test_a_token_that_is_short_or_missing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(InvalidInput, match="no such file"):
        read_token(str(file), "--token-file")
    file.write_text("0123456789abcde\n")
    with pytest.raises(InvalidInput, match=r"fewer than 16 bytes; make one with `openssl rand"):
        read_token(str(file), "--token-file")


def test_workers_and_processes_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="workers and processes exclude each other"):
        Load(workers=2, processes=2)
