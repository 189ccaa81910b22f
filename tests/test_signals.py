"""Which signals end a process: all of them, but SIGHUP only where nohup has not ignored it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

HEEDED = "from chaos.signals import heeded; print(*(number.name for number in heeded()))"


@pytest.mark.parametrize(
    ("handler", "names"), [(signal.SIG_DFL, "SIGINT SIGTERM SIGHUP"), (signal.SIG_IGN, "SIGINT SIGTERM")]
)
def test_a_sighup_that_is_ignored_already_is_not_heeded(handler: signal.Handlers, names: str) -> None:
    """A child inherits what its parent ignores, which is how nohup works."""
    set_up = f"import signal; signal.signal(signal.SIGHUP, signal.Handlers({int(handler)}))"
    found = subprocess.run([sys.executable, "-c", f"{set_up}\n{HEEDED}"], capture_output=True, text=True, check=True)
    assert found.stdout.split() == names.split()
