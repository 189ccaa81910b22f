"""How long whole commands take, start-up included: `chaos --help`, `validate`, and a run from return to report.

    python -m benchmarks.commands [--rounds 5]

Rounds are interleaved; the bare interpreter stands beside them. Prints a Markdown table."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXPERIMENT = str(Path(__file__).parents[1] / "experiments" / "abort50.yaml")
CHAOS = [sys.executable, "-m", "chaos.cli"]


def commands(out: str) -> dict[str, tuple[list[str], float | None]]:
    """What is timed, and the goal in seconds."""
    return {
        "python -c pass": ([sys.executable, "-c", "pass"], None),
        "chaos --help": ([*CHAOS, "--help"], 0.3),
        "chaos validate experiments/abort50.yaml": ([*CHAOS, "validate", EXPERIMENT], 0.5),
        "chaos run experiments/abort50.yaml": ([*CHAOS, "run", EXPERIMENT, "--out", out], 5.0),
    }


def seconds(argv: list[str]) -> float:
    began = time.perf_counter()
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {ended.returncode}: {ended.stderr}{ended.stdout}")
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as out:
        timed = commands(out)
        for argv, _ in timed.values():  # a first round warms the file cache
            seconds(argv)
        taken = [{name: seconds(argv) for name, (argv, _) in timed.items()} for _ in range(rounds)]
    print(f"\n## Commands: seconds from return to exit, {rounds} rounds\n")
    print("| command | median | least .. most | goal |\n|---|--:|--:|--:|")
    for name, (_, goal) in timed.items():
        found = sorted(each[name] for each in taken)
        shown = f"{goal:g}" if goal else "-"
        print(f"| `{name}` | {statistics.median(found):.2f} | {found[0]:.2f} .. {found[-1]:.2f} | {shown} |")


if __name__ == "__main__":
    main()
