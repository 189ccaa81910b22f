"""The pytest plugin: the fixture `chaos`, which runs gateways for a test and verifies what clients saw.

    def test_checkout(chaos):
        with chaos.rules(host="payments", to="127.0.0.1:9001", abort={"percentage": 50, "httpStatus": 503}) as gateway:
            for _ in range(3000):
                gateway.record(requests.get(f"{gateway.url}/pay", headers={"Host": "payments"}))
        chaos.verify("failures < 60%")

The plugin is installed with the package; everything is imported when the fixture is first used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chaos.testing import Chaos


@pytest.fixture
def chaos(tmp_path: Path) -> Chaos:
    """Run gateways that apply a VirtualService's faults to the test's own requests; see `chaos.testing.Chaos`."""
    from chaos.testing import Chaos

    return Chaos(tmp_path)


@pytest.fixture(scope="module")
def chaos_module(tmp_path_factory: pytest.TempPathFactory) -> Chaos:
    """Do the same as `chaos`, for gateways that the tests of a module share; `gateway.renew()` begins a test's own."""
    from chaos.testing import Chaos

    return Chaos(tmp_path_factory.mktemp("chaos"))


@pytest.fixture(scope="session")
def chaos_session(tmp_path_factory: pytest.TempPathFactory) -> Chaos:
    """Do the same as `chaos_module`, for all tests of a session."""
    from chaos.testing import Chaos

    return Chaos(tmp_path_factory.mktemp("chaos"))
