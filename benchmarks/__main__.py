"""`make bench`: every benchmark in turn, each with its peers beside it; one Markdown text on stdout.

docs/performance.md shows the last one. Nothing else should run on the machine meanwhile."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

PARTS = ("gateway", "telemetry", "load", "workers", "report", "commands")


def main() -> int:
    print(
        f"# Benchmarks\n\nPython {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}.", flush=True
    )
    ended = [subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=False).returncode for part in PARTS]
    for part, code in zip(PARTS, ended, strict=True):
        if code:
            print(f"benchmarks.{part} ended with exit code {code}", file=sys.stderr)
    return max(ended)


if __name__ == "__main__":
    sys.exit(main())
