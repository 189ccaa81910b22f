"""One run of a whole experiment in which something is killed, and what has to be true two seconds later."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from chaos.journal.records import End, Plan
from chaos.runner.processes.ports import accepts
from chaos.runner.processes.services import listening_ports
from support.experiments import experiment, journal, virtual_service, write
from support.processes import command_line, wait_for

MARK = "CHAOS_KILL_MARK"
"""In the environment of everything that a run starts, so that also a daemon which has detached itself is found."""
AFTER = 2.0  # seconds until nothing may be left
LIMIT = 60.0

ONCE = {"KILL": (signal.SIGKILL,), "TERM": (signal.SIGTERM,), "HUP": (signal.SIGHUP,)}
SIGNALS = {**ONCE, "INT twice": (signal.SIGINT, signal.SIGINT)}
TARGETS = ("supervisor", "gateway", "worker", "Locust", "program")
MOMENTS = (
    *itertools.product(("start", "run"), TARGETS),
    ("report", "supervisor"),
    ("run", "report"),
    ("report", "report"),
)

# Starts a helper in its own group and a daemon in a session of its own, and gives neither a thought when it ends.
APPLICATION = """
    import http.server, os, signal, subprocess, sys

    sleep = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    subprocess.Popen(sleep)
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(sleep)
        os._exit(0)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Kill:
    """At a moment of the run, plus `delay` seconds, `target` is sent the signals, `pause` seconds apart."""

    moment: str
    target: str
    signals: str
    delay: float
    pause: float

    def __str__(self) -> str:
        return f"{self.moment}: {self.signals} to the {self.target}, after {self.delay:.2f} s"


def kills(count: int, seed: int) -> list[Kill]:
    """Every combination once, in an order that depends on the seed, and then again."""
    draw = random.Random(seed)
    found: list[Kill] = []
    while len(found) < count:
        combined = [(moment, target, signals) for (moment, target) in MOMENTS for signals in SIGNALS]
        draw.shuffle(combined)
        found += [Kill(*each, _delay(draw, *each), draw.uniform(0.0, 0.2)) for each in combined]
    return found[:count]


def _delay(draw: random.Random, moment: str, target: str, signals: str) -> float:
    """Start-up takes the supervisor a second; the others are hit as soon as they exist."""
    return draw.uniform(0.0, 0.8 if target == "supervisor" and moment != "run" else 0.3)


class KilledRun:
    """The run and its folders. `check` raises AssertionError with what is not as it should be."""

    def __init__(self, folder: Path, kill: Kill):
        self.folder, self.kill, self.mark = folder, kill, uuid.uuid4().hex
        self.out, self.temporary, self.printed = folder / "reports", folder / "tmp", folder / "printed.txt"
        self.temporary.mkdir()
        (folder / "app.py").write_text(textwrap.dedent(APPLICATION))
        self.ports: set[int] = set()  # that something of the run listens on before the kill

    def happen(self) -> None:
        """Start the run, kill, and wait until the supervisor has ended."""
        with self.printed.open("wb") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chaos", "run", self._file(), "--workers", "2", "--out", str(self.out)],
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, MARK: self.mark, "TMPDIR": str(self.temporary)},
            )
        try:
            self._wait_for_moment()
            victim = wait_for(lambda: self._target() or self._ended, LIMIT, f"the {self.kill.target}")
            self.ports = set(listening_ports(self.process.pid))
            time.sleep(self.kill.delay)
            for number in SIGNALS[self.kill.signals]:
                with contextlib.suppress(ProcessLookupError):
                    if victim is not True:
                        os.kill(victim, number)
                time.sleep(self.kill.pause)
            self.process.wait(LIMIT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def _file(self) -> str:
        load = {"users": 4, "tasks": [{"get": "http://web/"}, {"get": "http://app/"}], "processes": 2}
        load |= (
            {"requests": 300} if self.kill.moment == "report" else {"duration": "3s" if self._passed_over else "60s"}
        )
        services = {"web": {"builtin": "webserver"}, "app": {"command": [sys.executable, "app.py"]}}
        verify = {"tolerance": 20}  # so that no luck makes 50 % look wrong
        document = experiment(services=services, load=load, verify=verify)
        return write(self.folder, document, virtual_service(abort=50, status=418))

    @property
    def _ended(self) -> bool:
        return self.process.poll() is not None

    def _wait_for_moment(self) -> None:
        wanted = {"start": None, "run": '"type":"digest"', "report": '"type":"end"'}[self.kill.moment]
        if wanted is None:
            wait_for(lambda: self._find("chaos.load") or self._ended, LIMIT, "the first child")
        else:
            wait_for(lambda: wanted in self._journal_text() or self._ended, LIMIT, wanted)

    def _journal_text(self) -> str:
        return "".join(path.read_text() for path in self.out.glob("*/*/journal.jsonl"))

    # ---------------------------------------------------------------- who is there
    def marked(self) -> list[int]:
        """Every living process that carries the run's mark."""
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if f"{MARK}={self.mark}".encode() in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
        return found

    def _find(self, words: str) -> list[int]:
        return sorted(pid for pid in self.marked() if words in command_line(pid) and pid != self.process.pid)

    def _target(self) -> int | None:
        match self.kill.target:
            case "supervisor":
                return self.process.pid
            case "gateway":
                found = self._find("chaos.runner.gateway")[:1]
            case "worker":
                found = self._find("chaos.runner.gateway")[1:]
            case "Locust":
                found = self._find("chaos.load")[:1]
            case "report":
                found = self._find("chaos.report")[:1]
            case _:
                found = [pid for pid in self._find("app.py") if "guard.py" not in command_line(pid)][:1]
        return found[0] if found else None

    def end_what_is_left(self) -> None:
        """For a test that has failed."""
        for pid in self.marked():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # ---------------------------------------------------------------- what has to be true
    def check(self) -> None:
        wait_for(lambda: not self.marked(), AFTER, f"an end of {[command_line(pid) for pid in self.marked()]}")
        assert not [port for port in self.ports if accepts("127.0.0.1", port)]
        assert list(self.temporary.iterdir()) == []
        printed = self.printed.read_text()
        assert "Traceback" not in printed and "Unknown child" not in printed, printed
        end = self._readable_journal()
        if self.kill.target == "supervisor":
            self._check_supervisor(end, printed)
        else:
            assert end is not None and self.process.returncode == end.exit_code, printed
            assert self._summary(printed), printed
            assert self.process.returncode in self._codes(), printed
            if self.kill.target == "report" and not list(self.out.glob("*/*/report.html")):
                assert "the report" in printed and "tries again" in printed, printed

    def _readable_journal(self) -> End | None:
        """The last record of the journal, if there is one and it has come that far."""
        folders = [path.parent for path in self.out.glob("*/*/journal.jsonl")]
        records = [record for folder in folders for record in journal(folder)]
        assert not records or isinstance(records[0], Plan)
        return next((record for record in records if isinstance(record, End)), None)

    def _check_supervisor(self, end: End | None, printed: str) -> None:
        code = self.process.returncode
        if self.kill.signals == "KILL":
            assert code == -signal.SIGKILL or (end is not None and code == end.exit_code)
            return
        assert self._summary(printed) or (end is None and "interrupted" in printed), printed
        made = bool(list(self.out.glob("*/*/report.html")))
        assert code == 130 or (self.kill.moment == "report" and made and end is not None and code == end.exit_code)

    def _codes(self) -> set[int]:
        """A verdict (0, 1 would be a wrong one, 3) where the signal is passed over; else the environment failed."""
        if self.kill.target == "report":
            return {0, 3}
        if self._passed_over:
            return {0, 3} if self.kill.moment == "run" else {0, 3, 5}  # 5: before it knows what to pass over
        return {5}

    @property
    def _passed_over(self) -> bool:
        """Whether the run goes on: a worker leaves signals to its parent, the load leaves Ctrl-C to the supervisor."""
        return self.kill.target == "report" or {
            "worker": self.kill.signals != "KILL",
            "Locust": self.kill.signals == "INT twice",
        }.get(self.kill.target, False)

    @staticmethod
    def _summary(printed: str) -> bool:
        return re.search(r"\((no requests|[\d ,]+ requests in [\d.]+ s)\)", printed) is not None
