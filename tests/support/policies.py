"""Policies for tests: written as documents, compiled with the rules of a VirtualService."""

from __future__ import annotations

import asyncio
import shutil
import time

import aiohttp

from chaos.experiment.read import Reading, read_experiment
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.mesh.decision import Endpoint
from chaos.mesh.upstream.registry import Registry
from chaos.policies.compiled import compile_policies, policed


def policy(fault: str, *, name: str = "p", percentage: float = 100, host: str = "web", more: str = "") -> str:
    """Return a FaultPolicy as a document; `more` are further fields of its spec, one a line."""
    lines = "".join(f"  {line}\n" for line in more.splitlines())
    return (
        f"apiVersion: chaos/v1alpha1\nkind: FaultPolicy\nmetadata: {{name: {name}}}\nspec:\n"
        f"  targets: [{{host: {host}}}]\n  percentage: {percentage}\n  fault: {fault}\n{lines}"
    )


def reading(*documents: str) -> Reading:
    """Return what is read from these documents."""
    return read_experiment([("policies.yaml", "---\n".join(documents))])


def rules(*documents: str, port: int = 80) -> Rules:
    """Return the rules and policies of these documents; `web` has its endpoint at this port of loopback."""
    read = reading(*documents).require()
    made = compile_rules(read.resources, Registry.of([("web", 80, [Endpoint("127.0.0.1", port)])]))
    return policed(made, compile_policies(read.policies, made))


async def others_take(port: int, body: bytes, seconds: float) -> None:
    """Assert that aiohttp, twice on one connection, and curl get this body, and that it takes at least so long."""
    url = f"http://127.0.0.1:{port}/"
    async with aiohttp.ClientSession(headers={"host": "web"}) as session:
        for _ in range(2):
            began = time.monotonic()
            async with session.get(url) as answer:
                assert await answer.read() == body
            assert time.monotonic() - began >= seconds
    if curl := shutil.which("curl"):
        run = [curl, "-s", "-H", "host: web", "-w", " %{time_total}", url]
        process = await asyncio.create_subprocess_exec(*run, stdout=asyncio.subprocess.PIPE)
        got, _, took = (await process.communicate())[0].rpartition(b" ")
        assert got == body and float(took) >= seconds
