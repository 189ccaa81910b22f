"""What a load's master costs with many workers: the real master of `chaos run`, and simulated workers on another core.

    python -m benchmarks.workers [--seconds 20]

Each simulated worker greets, joins, and then says what a real one does: Locust's heartbeat and now and then its
statistics, and a digest with four kinds of outcome. They sign as real ones do. Prints a Markdown table: the master's
CPU by number of workers, and with ten times the requests."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from typing import Any

from benchmarks.load import pin

TOKEN = "0123456789abcdef0123456789abcdef"
KINDS = 16  # different digests; making a thousand would keep the simulated workers from saying that they are there
RATE = 20  # requests per second and worker
CASES = ((10, RATE), (100, RATE), (1000, RATE), (1000, 10 * RATE))


# ---------------------------------------------------------------------- the simulated workers
@cache
def digest_of(process: int, count: int, requests: int) -> dict[str, Any]:
    """What a worker tells of one interval."""
    from random import Random

    from chaos.load.recorder import Outcome, Recorder
    from chaos.load.tags import Tags

    rng, recorder = Random(process), Recorder(("home", "cart"), "", 0.0, process, count)
    user, previous = recorder.new_user(), None
    for number in range(requests):
        fault = "abort" if rng.random() < 0.5 else ""
        tags = Tags("shop", "" if fault else rng.choice(("web:80/v1", "web:80/v2")), fault)
        outcome: Outcome = recorder.tagged(rng.randrange(2), 503 if fault else 200, tags)
        recorder.order.placed[process + number * count] = outcome
        recorder.add(outcome, int(rng.lognormvariate(7.5, 0.4)), previous, user)
        previous = outcome
    made = recorder.digest()
    return {
        "entries": made.entries(),
        "pairs": made.pair_entries(),
        "parts": made.parts.record(),
        "pending": [],
        "untold": [["", "home", 2]],
        "held": [],
        "users": 1,
        "cpu": 0.1,
        "late": 0,
        "behind": 0.0,
        "paused": 0.0,
        "samples": [],
        "exemplars": [],
        "share": 0.0,
        "abandoned": 0,
    }


def simulate(port: int, count: int, rate: int) -> None:
    """Be so many workers until the load is over. Prints how many joined."""
    import gevent
    import zmq.green as zmq
    from locust import __version__
    from locust.rpc import Message
    from locust.stats import RequestStats

    from chaos.load.signing import Incoming, Outgoing, greeting, welcomed
    from chaos.load.versions import boot, versions
    from chaos.load.worker import DIGEST, FINISH, HEARTBEAT, interval_of
    from chaos.protocol.load_plan import Plan
    from chaos.protocol.load_workers import JOIN, OVER, PLAN, Newcomer, Share

    context, joined = zmq.Context(), [0]
    context.set(zmq.MAX_SOCKETS, 4 * count)
    total = RequestStats().total.get_stripped_report()
    stats = {"stats": [], "stats_total": total, "errors": {}, "user_classes_count": {}, "user_count": 1}

    class Simulated:
        def __init__(self) -> None:
            self.identity = secrets.token_hex(16).encode()
            self.socket = context.socket(zmq.DEALER)
            self.socket.setsockopt(zmq.IDENTITY, self.identity)
            self.socket.connect(f"tcp://127.0.0.1:{port}")
            self.sent, self.began, self.over = 0, 0.0, False

        def send(self, kind: str, data: Any = None) -> None:
            message = Message(kind, data, self.identity.decode())
            self.socket.send_multipart(self.outgoing.sign(message.serialize()))

        def run(self) -> None:
            nonce = secrets.token_bytes(32)
            self.socket.send_multipart(greeting(TOKEN.encode(), self.identity, nonce))
            pairing = welcomed(TOKEN.encode(), self.identity, nonce, self.socket.recv_multipart())
            assert pairing is not None
            self.incoming, self.outgoing = Incoming(pairing.down), Outgoing(pairing.up)
            self.send(JOIN, asdict(Newcomer("simulated", boot(), versions(), False)))
            while not self.over:
                message = Message.unserialize(self.incoming.check(self.socket.recv_multipart()))
                self.take(message.type, message.data)

        def take(self, kind: str, data: Any) -> None:
            if kind == PLAN:
                share = Share.of(data)
                self.number, plan = share.number, Plan.of(json.loads(share.plan))
                self.every = interval_of(plan)
                self.body = digest_of(self.number % KINDS, count, max(1, round(rate * self.every)))
                joined[0] += 1
                self.send("client_ready", __version__)
                gevent.spawn(self.beat)
            elif kind == "spawn":
                self.users = data["user_classes_count"]
                self.send("spawning")
                self.send(
                    "spawning_complete", {"user_classes_count": self.users, "user_count": sum(self.users.values())}
                )
                if not self.began:
                    self.began = time.perf_counter()
                    gevent.spawn(self.tell_all)
            elif kind == FINISH:
                self.tell(last=True)
            elif kind == OVER:
                self.over = True

        def beat(self) -> None:
            gevent.sleep(secrets.randbelow(1000) / 1000)
            turn = 0
            while not self.over:
                self.send("heartbeat", {"state": "running", "current_cpu_usage": 5.0, "current_memory_usage": 1})
                if turn % 20 == 0:
                    self.send("stats", stats)
                turn += 1
                gevent.sleep(max(HEARTBEAT, self.every))

        def tell_all(self) -> None:
            self.tell()
            gevent.sleep(self.every * secrets.randbelow(1000) / 1000)
            while not self.over:
                self.tell()
                gevent.sleep(self.every)

        def tell(self, last: bool = False) -> None:
            age = time.perf_counter() - self.began
            self.sent += sum(entry["count"] for entry in self.body["entries"])
            now = {
                "process": self.number,
                "last": last,
                "age": age,
                "told_until": age,
                "finished": last,
                "sent": self.sent,
            }
            self.send(DIGEST, self.body | now)

    everyone = [gevent.spawn(Simulated().run) for _ in range(count)]
    gevent.joinall(everyone)
    print(joined[0])


# ---------------------------------------------------------------------- the master
def master_cpu(count: int, rate: int, seconds: float) -> tuple[float, float]:
    """The share of a core that the master uses once all workers are at work, and the requests it was told of per
    second."""
    plan = {
        "gateway": "http://127.0.0.1:1",
        "users": count,
        "spawn_rate": 10 * count,
        "processes": count,
        "interval": 0.5,
        "tasks": [{"name": "home", "method": "GET", "url": "http://web/"}],
        "joining": {"bind": "127.0.0.1:0", "wait": 120.0, "token": TOKEN, "gateway": "http://127.0.0.1:1"},
    }
    with _process("-m", "chaos.load", core=1) as master:
        assert master.stdin is not None
        master.stdin.write(json.dumps(plan) + "\n")
        master.stdin.flush()
        simulate = ("--simulate", str(_port(master)), str(count), str(rate))
        with _process("-m", "benchmarks.workers", *simulate, core=0) as workers:
            told, used = _measured(master, count, seconds)
            _end(master)
            out, _ = workers.communicate(timeout=60)
    assert int(out) == count, f"{out} of {count} workers joined"
    return used / seconds, told / seconds


@contextmanager
def _process(*arguments: str, core: int) -> Iterator[subprocess.Popen[str]]:
    """A Python process on a core of its own, which ends with the block."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, *arguments], stdin=pipe, stdout=pipe, text=True, preexec_fn=pin(core))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _end(master: subprocess.Popen[str]) -> None:
    """Stop the load, and wait until it has told everything."""
    assert master.stdin is not None
    assert master.stdout is not None
    master.stdin.write('{"command": "stop", "drain": 1}\n')
    master.stdin.flush()
    for line in master.stdout:
        if json.loads(line)["type"] == "done":
            return


def _port(master: subprocess.Popen[str]) -> int:
    assert master.stdout is not None
    for line in master.stdout:
        text = json.loads(line).get("text", "")
        if text.startswith("waiting for "):
            return int(text.split(" at ")[1].split(",")[0].rpartition(":")[2])
    raise SystemExit("the master did not start")


def _measured(master: subprocess.Popen[str], count: int, seconds: float) -> tuple[int, float]:
    """Requests told of, and CPU seconds, of a stretch that begins when all users are there."""
    assert master.stdout is not None
    told, began, cpu, quiet = 0, 0.0, 0.0, 3.0
    for line in map(json.loads, master.stdout):
        if line["type"] != "digest":
            continue
        if not began and line["users"] >= count:
            quiet -= line["seconds"]
            if quiet < 0:
                began, cpu, told = time.monotonic(), _cpu(master.pid), 0
        told += sum(entry["count"] for entry in line["entries"])
        if began and time.monotonic() - began >= seconds:
            return told, (_cpu(master.pid) - cpu) * seconds / (time.monotonic() - began)
    raise SystemExit("the master ended early")


def _cpu(process: int) -> float:
    with open(f"/proc/{process}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(seconds: float) -> str:
    """The table as Markdown."""
    lines = [
        f"The real master on one core, simulated workers on the other; {seconds:g} s each, once all users are there.",
        "",
        "| workers | requests/s in all | master's share of a core |",
        "|--:|--:|--:|",
    ]
    for count, rate in CASES:
        used, told = master_cpu(count, rate, seconds)
        lines.append(f"| {count} | {told:.0f} | {used:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--simulate", nargs=3, type=int, metavar=("PORT", "COUNT", "RATE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.simulate:
        simulate(*options.simulate)
    else:
        print(f"## Many load workers\n\n{measure(options.seconds)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
