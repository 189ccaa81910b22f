"""Record what a real Envoy answers when Istio's own code configures it: python -m tests.conformance.record_istio

Makes tests/conformance/istio_sets anew. Needs Go and the real Envoy; the tests that read the sets need neither."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from support.envoy import Envoy  # noqa: E402
from support.istio_recorded import RecordedRequest, RecordedSet, written  # noqa: E402
from support.istio_sets import IstioSet, make_set  # noqa: E402
from support.istiod import CLUSTER, addresses, bootstrap, listeners, translate  # noqa: E402
from support.raw_client import send  # noqa: E402
from support.upstreams import Upstreams  # noqa: E402

SETS = HERE / "istio_sets"
AT_ONCE = 20
NOBODY = {"status": 404, "body": ""}
"""What is recorded where no listener or virtual host would take the request: a mesh passes it through to its original
destination, which a gateway on a laptop does not have."""


def built(program: str) -> str:
    """Return the program that asks istiod, built if none is given. The first build takes some minutes."""
    if program:
        return program
    made = Path(tempfile.gettempdir()) / "istio-truth"
    without_c = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-trimpath", "-o", str(made), "."], cwd=HERE / "istiod", check=True, env=without_c)
    return str(made)


async def record(made: IstioSet, answer: dict[str, Any]) -> RecordedSet:
    """Return the set with the answers to its requests."""
    pods = {pod.address: pod.name for each in made.services for pod in each.pods}
    endpoints = {name: [pods[each] for each in found] for name, found in addresses(answer).items()}
    answers = []
    async with AsyncExitStack() as stack:
        upstreams = await stack.enter_async_context(Upstreams(pods.values()))
        ports = {address: upstreams.ports[name] for address, name in pods.items()}
        running = {
            port: await stack.enter_async_context(Envoy(bootstrap(answer, manager, ports)))
            for port, manager in listeners(answer).items()
        }
        for number, request in enumerate(made.requests):
            envoy = running.get(_listener(made, request["host"]))
            if envoy is None:
                answers.append(dict(NOBODY))
                continue
            identifier = f"{made.number}-{number}"
            got = await send(envoy.port, RecordedRequest(**request, answer={}).octets(identifier))
            answers.append(written(got, upstreams.seen[identifier], endpoints.get(got.first(CLUSTER))))
    return RecordedSet.of(made, answers)


def as_text(record: dict[str, Any]) -> str:
    """Return a record as JSON with one document, and one request, a line."""
    lines = [
        f'"{name}": [\n' + ",\n".join(map(json.dumps, value)) + "\n]"
        if isinstance(value, list)
        else f'"{name}": {json.dumps(value)}'
        for name, value in record.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _listener(made: IstioSet, host: str) -> int:
    """Return the port whose listener takes a request: that of its Host, or the only one of a Gateway."""
    return made.port if made.port is not None else int(host.partition(":")[2] or 80)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="", help="the built program of tests/conformance/istiod")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    program = built(chosen.program)
    SETS.mkdir(exist_ok=True)
    kept, number = 0, chosen.first
    while kept < chosen.count:
        sets = [make_set(each) for each in range(number, number + AT_ONCE)]
        number += AT_ONCE
        for made, answer in zip(sets, translate(program, sets), strict=True):
            if "error" in answer or kept == chosen.count:
                continue  # istiod refuses the set: there is nothing to compare
            found = asyncio.run(record(made, answer))
            (SETS / f"{made.number:04d}.json").write_text(as_text(found.record()))
            kept += 1
        print(f"{kept} sets", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
