"""What the gateway's telemetry costs: requests per second and CPU per request with it, beside the same without.

    python -m benchmarks.telemetry [--rounds 5] [--seconds 3]

As benchmarks.gateway: the gateway on one core, wrk and nginx on the other, rounds interleaved, ratios taken within a
round. Prints a Markdown table. Needs wrk and nginx."""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.gateway import Bench, Measured, _all, abort, cpu_seconds

WITH = {
    "access log": ("--access-log", "access.log"),
    "access log, not in the sample": ("--access-log", "sampled.log", "--access-log-sample", "1"),  # wrk has one id
    "--otel, all sampled": ("--otel",),
    "--otel, none sampled": ("--otel", "OTEL_TRACES_SAMPLER=always_off"),
}


def measure(bench: Bench, what: str, percent: int, rounds: int, sink: str) -> list[str]:
    """One line for each kind of telemetry."""
    rates, costs = Measured(), Measured()
    gateways: dict[str, tuple[list[str], int] | None] = {"none": bench.chaos(abort(percent))}
    for name, options in WITH.items():
        program, port = bench.chaos(abort(percent))
        variables = [each for each in options if "=" in each]
        arguments = [_placed(bench.folder, each) for each in options if "=" not in each]
        gateways[name] = ["env", f"OTEL_EXPORTER_OTLP_ENDPOINT={sink}", *variables, *program, *arguments], port
    with _all(gateways, []) as running:
        for turn in range(rounds + 1):
            for name, (child, port) in running.items():
                before = cpu_seconds(child.pid)
                got = bench.wrk(port, seconds=None if turn else 1)
                assert not got["bad"], name
                if turn:  # the first round warms up
                    rates.add(name, got["n"] / got["us"] * 1e6)
                    costs.add(name, (cpu_seconds(child.pid) - before) / got["n"] * 1e6)
    return [
        f"| {what} | {name} | {statistics.median(rates.values[name]):.0f} /s | {rates.ratio(name, 'none')} "
        f"| {statistics.median(costs.values[name]):.1f} us | {costs.ratio(name, 'none')} |"
        for name in gateways
    ]


def _placed(folder: Path, option: str) -> str:
    return str(folder / option) if option.endswith(".log") else option


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} not installed (Debian packages wrk, nginx-light)")
        return 0
    print("| what | telemetry | median | of none | CPU per request | of none |\n|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.seconds)
        sink = f"http://127.0.0.1:{bench.upstream}"  # nginx takes whatever is posted, and answers with JSON
        with bench.running():
            for what, percent in (("forwarded", 0), ("aborted", 100)):
                print("\n".join(measure(bench, what, percent, arguments.rounds, sink)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
