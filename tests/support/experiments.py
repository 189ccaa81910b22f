"""Experiment files for tests, and ways to run them: in this process, or as the command that a user types."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos.journal.records import Record, decode_lines
from chaos.mesh.source.writing import to_yaml_stream
from chaos.runner.plan.options import RunOptions
from chaos.runner.start import run_file
from chaos.runner.terminal.result import RunResult
from chaos.runner.terminal.view import View

CHAOS = (sys.executable, "-m", "chaos")


def virtual_service(host: str = "web", *, abort: float | None = None, status: int = 503, **more: Any) -> dict[str, Any]:
    """One rule for a host that leads to the host itself."""
    fault = {"fault": {"abort": {"percentage": {"value": abort}, "httpStatus": status}}} if abort is not None else {}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": host},
        "spec": {"hosts": [host], "http": [{**fault, "route": [{"destination": {"host": host}}], **more}]},
    }


def experiment(**spec: Any) -> dict[str, Any]:
    """An Experiment whose `web` is built in, unless the spec says otherwise."""
    spec.setdefault("services", {"web": {"builtin": "webserver"}})
    return {"apiVersion": "chaos/v1alpha1", "kind": "Experiment", "metadata": {"name": "case"}, "spec": spec}


def write(folder: Path, *documents: dict[str, Any], name: str = "case.yaml") -> str:
    """The file's path."""
    path = folder / name
    path.write_text(to_yaml_stream(documents))
    return str(path)


def run(file: str, folder: Path, *, view: Callable[[], View] = View, **options: Any) -> RunResult:
    """Run an experiment in this process, without a report."""
    return asyncio.run(run_file(file, RunOptions(out=folder / "reports", report=False, **options), view))


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """The command as a user types it."""
    return subprocess.Popen(
        [*CHAOS, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def journal(folder: Path) -> list[Record]:
    """Every whole line of a run's journal."""
    with (folder / "journal.jsonl").open(encoding="utf-8") as lines:
        return list(decode_lines(lines))


def descendants(pid: int) -> list[int]:
    """The processes below one, from /proc."""
    found: list[int] = []
    todo = [pid]
    while todo:
        try:
            children = Path(f"/proc/{todo[-1]}/task/{todo.pop()}/children").read_text().split()
        except OSError:
            continue
        found += map(int, children)
        todo += map(int, children)
    return found


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
