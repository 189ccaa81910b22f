"""`chaos plan` measures how fast the load is; where it cannot, or should not, it says so or assumes."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.experiments import CHAOS, experiment, virtual_service, write
from support.origin import Asked, Origin, ok

pytestmark = pytest.mark.slow

WAIT = 0.1  # seconds that this upstream takes


def plan(file: str, *options: str) -> tuple[dict[str, Any], str]:
    """The forecast, and what is said on stderr."""
    ended = subprocess.run(
        [*CHAOS, "plan", file, "--format", "json", *options], capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout), ended.stderr


def before(origin: Origin, folder: Path, **spec: Any) -> str:
    services = {"web": {"endpoints": [{"address": f"127.0.0.1:{origin.port}"}]}}
    return write(folder, experiment(services=services, **spec), virtual_service(abort=50))


def test_the_rate_is_that_of_the_users_and_the_upstream(tmp_path: Path) -> None:
    """Ten users of an upstream that takes 0.1 s get 100 responses a second, and at most that."""

    async def slow(asked: Asked, writer: Any) -> None:
        await asyncio.sleep(WAIT)
        writer.write(ok(asked))

    with Origin(slow) as origin:
        found, said = plan(before(origin, tmp_path, load={"users": 10}))
        assumed, _ = plan(before(origin, tmp_path, load={"users": 10}), "--no-probe")
    assert found["measured"] and said == ""
    assert 10 < found["rate"] <= 10 / WAIT * 1.2, "requests of the warm-up may end in the second"
    assert not assumed["measured"] and assumed["rate"] == 4000
    assert found["claims"] == assumed["claims"]
    assert found["seconds"] > assumed["seconds"]


def test_where_nothing_listens_that_is_said_and_a_rate_assumed(tmp_path: Path) -> None:
    async def never(asked: Asked, writer: Any) -> None:
        raise AssertionError

    with Origin(never) as origin:
        file = before(origin, tmp_path)
    found, said = plan(file)
    assert not found["measured"] and "the rate was not measured: nothing listens on 127.0.0.1:" in said


def test_a_program_of_the_users_own_is_not_started_for_it(tmp_path: Path) -> None:
    touched = tmp_path / "started"
    service = {"shop": {"command": ["touch", str(touched)]}, "web": {"builtin": "webserver"}}
    file = write(
        tmp_path, experiment(services=service, load={"tasks": [{"get": "http://web/"}]}), virtual_service(abort=50)
    )
    found, _ = plan(file)
    assert not found["measured"] and not touched.exists()
