"""Run our own command line as users do, and look at the processes it has started (Linux: /proc)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"


def chaos(*arguments: str | Path, cwd: Path | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """One whole command, from its start to its exit code."""
    argv = [sys.executable, "-m", "chaos", *map(str, arguments)]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


def start_chaos(*arguments: str | Path) -> subprocess.Popen[str]:
    """The same, left running; the caller ends it."""
    argv = [sys.executable, "-m", "chaos", *map(str, arguments)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def descendants(pid: int) -> dict[int, str]:
    """Command lines of all living processes below `pid`."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found: dict[int, str] = {}
    ring = {pid}
    while ring:
        ring = {child for child, parent in parents.items() if parent in ring}
        found |= {child: command_line(child) for child in ring}
    return found


def command_line(pid: int) -> str:
    """Empty for one that is gone or waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def wait_for(condition: Callable[[], T], seconds: float, what: str) -> T:
    """The condition's value as soon as it is true; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)
    return value
