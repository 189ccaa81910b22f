"""What is imported by those who make no report and send no load: nothing that only these need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "abort50.yaml"
HEAVY = {"pandas", "numpy", "matplotlib", "PIL", "jinja2", "locust", "gevent", "flask", "scipy"}

COMMANDS = [
    ["validate", str(EXPERIMENT)],
    ["plan", str(EXPERIMENT), "--no-probe"],
    ["explain", str(EXPERIMENT), "GET http://webserver/"],
]
MODULES = ["chaos.pytest_plugin, chaos.testing", "chaos.gateway.process.main", "chaos.runner.serve"]


def heavy_after(code: str, *arguments: str) -> set[str]:
    """Which of HEAVY a new Python has imported after running the code."""
    told = f"import sys\ntry:\n    {code}\nfinally:\n    print('imported', *sys.modules)"
    ended = subprocess.run([sys.executable, "-c", told, *arguments], capture_output=True, text=True, check=True)
    return HEAVY & set(ended.stdout.rpartition("imported")[2].split())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_commands_without_a_report_or_load_import_neithers_packages(command: list[str]) -> None:
    assert heavy_after("from chaos.cli.main import main; main()", *command) == set()


@pytest.mark.parametrize("modules", MODULES)
def test_a_gateway_and_the_users_own_tests_import_neithers_packages(modules: str) -> None:
    assert heavy_after(f"import {modules}") == set()
