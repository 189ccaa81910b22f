"""What a report costs, whether the run had ten thousand requests or a hundred million: time and memory.

    python -m benchmarks.report [--rounds 5]

The journals are made by the recorder's own digests from simulated traffic (tests/support/traffic.py): 10 s, 100 s and
an hour. Each round starts `python -m chaos.report` anew for each of them, in turn, imports included; `warm` is a child
that waits with everything imported, as `chaos run` keeps one. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SIZES = {10_000: 10, 1_000_000: 100, 100_000_000: 3600}
COMMAND = [sys.executable, "-m", "chaos.report"]


@dataclass
class Measured:
    """Of one size: seconds of a new process, its CPU seconds, its peak memory in MB, seconds in a warm one."""

    journal: float
    cold: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)


def main() -> int:
    rounds = arguments().rounds
    with tempfile.TemporaryDirectory() as root:
        folders = {size: made(Path(root), size, seconds) for size, seconds in SIZES.items()}
        measured = {size: Measured((folder / "journal.jsonl").stat().st_size / 1e6) for size, folder in folders.items()}
        for _ in range(rounds):
            for size, folder in folders.items():
                cold(folder, measured[size])
            for size, seconds in warm(folders):
                measured[size].warm.append(seconds)
    print(table(measured, rounds))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def made(root: Path, size: int, seconds: int) -> Path:
    """A run's folder with so many requests."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from support.journals import Scenario, write

    return write(root / "abort50" / str(size), Scenario(requests=size, seconds=seconds))


def cold(folder: Path, into: Measured) -> None:
    """One report by a process that has nothing imported."""
    began = time.perf_counter()
    child = subprocess.Popen([*COMMAND, str(folder)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{folder}: the report failed")
    into.cold.append(time.perf_counter() - began)
    into.cpu.append(used.ru_utime + used.ru_stime)
    into.memory.append(used.ru_maxrss / 1024)


def warm(folders: dict[int, Path]) -> Iterator[tuple[int, float]]:
    """Each report once by a process that was ready for it."""
    with waiting() as child:
        assert child.stdin
        assert child.stdout
        for size, folder in folders.items():
            began = time.perf_counter()
            child.stdin.write(f"{folder}\n")
            child.stdin.flush()
            if not json.loads(child.stdout.readline())["ok"]:
                raise SystemExit(f"{folder}: the report failed")
            yield size, time.perf_counter() - began


@contextmanager
def waiting() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*COMMAND, "--wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()  # ready
        yield child
        child.stdin.close()


def table(measured: dict[int, Measured], rounds: int) -> str:
    lines = [
        f"Report of a run, medians of {rounds} rounds (lowest .. highest):",
        "",
        "| requests | journal | new process | of which CPU | peak memory | warm process |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for size, found in measured.items():
        cells = (
            f"{size:.0e}",
            f"{found.journal:.2f} MB",
            spread(found.cold, "s"),
            spread(found.cpu, "s"),
            spread(found.memory, "MB", 0),
            spread(found.warm, "s"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: list[float], unit: str, digits: int = 2) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} {unit} ({low:.{digits}f} .. {high:.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
