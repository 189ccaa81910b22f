"""`chaos doctor`: look at the machine for what makes a run fail, or its figures worse."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from chaos.cli.output import say_lines
from chaos.errors import EnvironmentFailed, ExitCode

FILES = 1024
"""Open files from which a run of some hundred users has enough."""
SPACE = 200 * 1024 * 1024
"""Bytes: a long run's journal and report."""
PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `advice` says what to do about it, empty if nothing has to be done."""

    state: Literal["ok", "note", "wrong"]
    what: str
    advice: str = ""


def doctor(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the runs.")] = Path("reports"),
) -> int:
    """Look at this machine for what makes a run fail, or its figures worse. Exit code 5 if something is wrong."""
    checks = list(looked_at(out))
    say_lines(f"{each.state:5}  {each.what}{f'; {each.advice}' if each.advice else ''}" for each in checks)
    return int(ExitCode.ENVIRONMENT if any(each.state == "wrong" for each in checks) else ExitCode.VERIFIED)


def looked_at(out: Path) -> Iterator[Check]:
    """Yield the checks."""
    yield _python()
    yield from _packages()
    yield _loopback()
    yield _files()
    yield _cores()
    yield _folder(out)
    yield from _environment()
    yield _command()
    yield _envoy()
    yield _grpc()


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform != "linux":
        return Check("note", f"Python {version} on {sys.platform}", "Linux ends the children of a run that is killed")
    return Check("ok", f"Python {version} on Linux")


def _packages() -> Iterator[Check]:
    for name, what in (("locust", "load"), ("aiohttp", "the gateway"), ("matplotlib", "reports"), ("uvloop", "speed")):
        there = importlib.util.find_spec(name) is not None
        yield Check("ok" if there else "wrong", name, "" if there else f"{what} needs it: pip install chaos-harness")


def _loopback() -> Check:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            return Check("ok", "connections on 127.0.0.1")
    except OSError as error:
        return Check(
            "wrong", f"no connection on 127.0.0.1: {error.strerror}", "a run needs nothing else of the network"
        )


def _files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FILES:
        return Check("note", f"{soft} open files at most", f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}")
    return Check("ok", f"{soft if soft >= 0 else 'any number of'} open files")


def _cores() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        return Check("note", "one core", "gateway and load share it, so latencies are theirs, too")
    return Check("ok", f"{cores} cores")


def _folder(out: Path) -> Check:
    there = next(each for each in (out.absolute(), *out.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK):
        return Check("wrong", f"{there} cannot be written", "--out names another folder for the runs")
    free = shutil.disk_usage(there).free
    if free < SPACE:
        return Check("wrong", f"{free // 1_000_000} MB are free in {there}", "journals and reports need more")
    return Check("ok", f"{out} can be written")


def _environment() -> Iterator[Check]:
    named = [name for name in PROXIES if os.environ.get(name)]
    if named:
        yield Check("note", f"{', '.join(named)} is set", "runs ignore it, applications under test get the gateway's")


def _grpc() -> Check:
    from chaos.runner.plan.calls import installed

    if installed():
        return Check("ok", "grpcio")
    return Check("ok", "no grpcio, which only tasks of kind grpc need: pip install 'chaos-harness[grpc]'")


def _command() -> Check:
    found = shutil.which("chaos")
    if found is None:
        return Check("note", "no chaos on the PATH", "python -m chaos is the same")
    if importlib.util.find_spec("chaostoolkit") is not None:
        return Check("note", f"{found} may be Chaos Toolkit's, which is installed, too", "chaos-harness is always ours")
    return Check("ok", found)


def _envoy() -> Check:
    from chaos.engines.envoy.binary import GET, envoy_binary, find_envoy

    if find_envoy() is None and not os.environ.get("ENVOY"):
        return Check("ok", f"no Envoy, which only --engine envoy needs: {GET}")
    try:
        found = envoy_binary()
    except EnvironmentFailed as error:
        return Check("note", str(error))
    return Check("ok", f"Envoy {found.version}: {found.path}")
