"""How many requests a load process sends: the lean client beside Locust's FastHttpUser, in interleaved rounds.

    python -m benchmarks.load [--rounds 5] [--seconds 3]

Both clients run as the whole load process of `chaos run` does, digests on, against the same server (nginx when
installed, else a small asyncio one) on another core. Prints a Markdown table: medians, the ratio per round and its
spread; and what counting one answer costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

CLIENTS = {"lean client": "lean", "FastHttpUser": "locust"}
USERS = 32
BODY = "WebServer V1 from 1\n"
TAGS = {"x-chaos-route": "webserver[0]", "x-chaos-destination": "webserver.default.svc.cluster.local:80"}
NGINX = """
worker_processes 1; daemon off; error_log {folder}/error.log; pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ {headers} return 200 "{body}"; }} }} }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pin(core: int) -> Callable[[], None] | None:
    """For preexec_fn: run on one core; nothing where there is but one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A fast server on a core of its own: its name and its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("nginx"):
            headers = " ".join(f'add_header {name} "{value}";' for name, value in TAGS.items())
            config = Path(folder) / "nginx.conf"
            config.write_text(NGINX.format(folder=folder, port=port, headers=headers, body=BODY.replace("\n", "\\n")))
            name, command = "nginx", ["nginx", "-c", str(config), "-p", folder]
        else:
            name, command = "asyncio", [sys.executable, "-m", "benchmarks.load", "--serve", str(port)]
        process = subprocess.Popen(command, preexec_fn=pin(0), stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield name, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit("the server did not start")


def serve(port: int) -> None:
    """The fallback server: answers every request with the same octets."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in TAGS.items())
    answer = f"HTTP/1.1 200 OK\r\ncontent-length: {len(BODY)}\r\n{headers}\r\n{BODY}".encode()

    class Responder(asyncio.Protocol):
        transport: asyncio.Transport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(answer * data.count(b"\r\n\r\n"))

    async def run() -> None:
        await (await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", port)).serve_forever()

    import uvloop

    uvloop.run(run())


def requests_per_second(client: str, url: str, seconds: float) -> tuple[float, float]:
    """(requests per second, requests per second of CPU) of one load process, warmed up."""
    plan = {
        "gateway": url,
        "users": USERS,
        "spawn_rate": 1000,
        "client": client,
        "duration": seconds + 1,
        "interval": 0.5,
        "tasks": [{"name": "home", "method": "GET", "url": "http://webserver/"}],
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=pin(1),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(plan) + "\n")
    process.stdin.flush()
    digests = [line for line in map(json.loads, process.stdout) if line["type"] == "digest"]
    process.stdin.close()
    process.wait()
    warm = [line for line in digests if line["second"] >= 0.9 and line["users"] == USERS]
    count = sum(entry["count"] for line in warm for entry in line["entries"])
    wall = sum(line["seconds"] for line in warm)
    cpu = sum(line["cpu"] * line["seconds"] for line in warm)
    return count / wall, count / cpu


def nanoseconds_per_record() -> dict[str, float]:
    """What counting one answer costs: our recorder, and HdrHistogram's own record_value."""
    from hdrh.histogram import HdrHistogram

    from chaos.load.recorder import Recorder

    draw = Random(1)
    latencies = [int(draw.lognormvariate(7.5, 0.5)) for _ in range(50_000)]
    tail = "\r\n".join(f"{name}: {value}" for name, value in TAGS.items()).encode()
    recorder = Recorder(("home",))
    theirs = HdrHistogram(1, 3_600_000_000, 3)

    def ours(latency: int) -> None:
        recorder.add(recorder.outcome(0, 200, tail), latency)

    def best(record: Callable[[int], object]) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter_ns()
            for latency in latencies:
                record(latency)
            times.append((time.perf_counter_ns() - began) / len(latencies))
        return min(times)

    return {
        "Recorder (task, status and tags looked up, latency counted)": best(ours),
        "HdrHistogram.record_value": best(theirs.record_value),
    }


def measure(rounds: int = 5, seconds: float = 3.0) -> str:
    """The tables as Markdown."""
    rates: dict[str, list[float]] = {name: [] for name in CLIENTS}
    per_cpu: dict[str, list[float]] = {name: [] for name in CLIENTS}
    with server() as (serving, url):
        for _ in range(rounds):
            for name, client in CLIENTS.items():
                rate, efficiency = requests_per_second(client, url, seconds)
                rates[name].append(rate)
                per_cpu[name].append(efficiency)
    lean, fast = (per_cpu[name] for name in CLIENTS)
    ratios = sorted(ours / theirs for ours, theirs in zip(lean, fast, strict=True))
    lines = [
        f"One load process, {USERS} users, digests on, against {serving}; medians of {rounds} interleaved rounds"
        f" of {seconds:g} s.",
        "",
        "| client | requests/s | requests per second of CPU | x FastHttpUser (spread) |",
        "|---|--:|--:|--:|",
    ]
    for name in CLIENTS:
        ratio = (
            f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} .. {ratios[-1]:.1f})" if name != "FastHttpUser" else "1"
        )
        lines.append(
            f"| {name} | {statistics.median(rates[name]):.0f} | {statistics.median(per_cpu[name]):.0f} | {ratio} |"
        )
    lines += ["", "| counting one answer | ns |", "|---|--:|"]
    lines += [f"| {name} | {cost:.0f} |" for name, cost in nanoseconds_per_record().items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="measured in each round, after a second of warming up"
    )
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    else:
        print(measure(options.rounds, options.seconds))


if __name__ == "__main__":
    main()
