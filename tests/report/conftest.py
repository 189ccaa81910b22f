"""Rendered runs that several tests look at, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.journals import Scenario, write

from chaos.report.pages.render import render

PHASES = (("baseline", False, 0.25), ("fault", True, 0.5), ("recovery", False, 0.25))


@pytest.fixture(scope="session")
def phased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a rendered run with three phases, two tasks, delays, aborts, an open model and lost requests."""
    scenario = Scenario(
        name="phased",
        requests=24_000,
        seconds=24,
        abort=0.1,
        status=503,
        delay_share=0.5,
        delay=0.1,
        phases=PHASES,
        tasks=("GET http://webserver/", "GET http://webserver/cart"),
        destinations=("a:80/v1", "a:80/v2"),
        lost=0.002,
        open_model=True,
    )
    folder = write(tmp_path_factory.mktemp("reports") / "phased" / "20261122-214605", scenario)
    render(folder)
    return folder
