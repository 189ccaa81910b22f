"""The process: what it says, how it ends, several workers, and files that change."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.raw_client import send
from support.scripted import get, until

from chaos.errors import ChaosError, EnvironmentFailed
from chaos.faults import count_of
from chaos.gateway.process.options import GatewayOptions, bind, split_address

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from chaos.errors import ChaosError, InvalidInput
from chaos.faults import FaultKind
from chaos.gateway.process.main import run_gateway
from chaos.gateway.process.options import GatewayOptions
from chaos.mesh.decision import Abort
from support.decisions import ABORT_REPLY, HandRules, decided, delayed, direct

def parse(text):
    if text.startswith("bad"):
        raise InvalidInput.at("rules.yaml", "this is bad", line=2)
    def answer(request, draws):
        if request.target == b"/slow":
            return delayed(0.5, direct(200, b"slow"))
        if request.target == b"/half" and draws.fault(FaultKind.ABORT) < 0.5:
            return decided(Abort(ABORT_REPLY))
        return direct(200, text.encode())
    return HandRules(answer)

file = {file!r}
options = GatewayOptions(load=lambda: parse(Path(file).read_text()), parse=parse, files=(file,), **{options!r})
try:
    sys.exit(run_gateway(options))
except ChaosError as error:
    print(error, file=sys.stderr)
    sys.exit(int(error.exit_code))
"""


@dataclass
class Process:
    child: subprocess.Popen[bytes]
    file: Path
    errors: Path
    port: int = 0
    admin: str = ""

    async def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        def ask() -> Any:
            request = urllib.request.Request(self.admin + path, body, method=method)
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read())

        return await asyncio.to_thread(ask)

    async def ended(self) -> int:
        return await asyncio.to_thread(self.child.wait, 10)


@asynccontextmanager
async def process(folder: Path, *, stdin: int = subprocess.DEVNULL, **options: Any) -> AsyncIterator[Process]:
    file, errors = folder / "rules.yaml", folder / "stderr"
    file.write_text("one")
    options = {"listen": "127.0.0.1:0", "watch": False, "seed": 1} | options
    program = PROGRAM.format(tests=str(Path(__file__).parents[2]), file=str(file), options=options)
    with errors.open("wb") as stderr:  # not asyncio's: uvloop's pipes do not survive children of children
        command = [sys.executable, "-c", program]
        child = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr)  # noqa: ASYNC220
    found = Process(child, file, errors)
    assert child.stdout is not None
    with child.stdout as stdout:
        try:
            first, second = await asyncio.to_thread(lambda: (stdout.readline(), stdout.readline()))
            if second:
                assert re.fullmatch(rb"admin on http://127\.0\.0\.1:\d+\n", first)
                found.admin = first.split()[-1].decode()
                found.port = int(second.decode().strip().rpartition(":")[2])
            yield found
        finally:
            if child.stdin is not None:
                child.stdin.close()
            child.kill()
            child.wait()


WORKERS = [1, 2]


@pytest.mark.parametrize("workers", WORKERS)
async def test_it_says_where_it_listens_and_ends_on_sigterm(tmp_path: Path, workers: int) -> None:
    async with process(tmp_path, workers=workers) as gateway:
        assert (await send(gateway.port, get())).body == b"one"
        assert (await gateway.call("GET", "/health"))["workers"] == workers
        gateway.child.terminate()
        assert await gateway.ended() == 0
        assert gateway.errors.read_text() == ""


@pytest.mark.parametrize("workers", WORKERS)
async def test_requests_in_flight_finish_before_it_ends(tmp_path: Path, workers: int) -> None:
    async with process(tmp_path, workers=workers) as gateway:
        asked = [asyncio.ensure_future(send(gateway.port, get("/slow"))) for _ in range(8)]
        idle = await asyncio.open_connection("127.0.0.1", gateway.port)
        idle[1].write(get())
        await idle[0].readuntil(b"one")

        while await _delayed(gateway) < 8:
            pass
        gateway.child.terminate()
        assert await asyncio.wait_for(idle[0].read(), 5) == b"", "idle connections close at once"
        answers = await asyncio.gather(*asked)
        assert {(answer.status, answer.body, answer.first("connection")) for answer in answers} == {
            (200, b"slow", "close")
        }
        assert await gateway.ended() == 0
        idle[1].close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with process(tmp_path) as gateway:
        idle, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(get())
        await idle.readuntil(b"one")
        asked = asyncio.ensure_future(send(gateway.port, get("/slow")))
        while not await _delayed(gateway):
            pass
        gateway.child.terminate()
        assert await asyncio.wait_for(idle.read(), 5) == b"", "the first has been noticed"
        gateway.child.send_signal(signal.SIGINT)
        assert await gateway.ended() == 128 + signal.SIGINT
        assert (await asked).status == 0
        writer.close()


async def _delayed(gateway: Process) -> int:
    """How many requests it has delayed."""
    rules = (await gateway.call("GET", "/counters"))["phases"][""].values()
    return sum(count_of("delay", rule["faults"]) for rule in rules)


async def test_it_ends_when_its_stdin_closes(tmp_path: Path) -> None:
    async with process(tmp_path, stdin=subprocess.PIPE, exit_with_stdin=True, workers=2) as gateway:
        assert (await send(gateway.port, get())).status == 200
        assert gateway.child.stdin is not None
        gateway.child.stdin.close()
        assert await gateway.ended() == 0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_workers_end_with_their_parent_however_it_dies(tmp_path: Path) -> None:
    async with process(tmp_path, workers=2) as gateway:
        children = _children(gateway.child.pid)
        assert len(children) == 2
        gateway.child.kill()
        await gateway.ended()
        await until(lambda: not any(_alive(child) for child in children), 1.0)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_worker_that_dies_takes_the_gateway_with_it(tmp_path: Path) -> None:
    """What it had counted is lost; a verdict from the rest would be wrong."""
    async with process(tmp_path, workers=2) as gateway:
        victim, other = _children(gateway.child.pid)
        os.kill(victim, signal.SIGKILL)
        assert await gateway.ended() == 5
        assert f"worker {victim} has died" in gateway.errors.read_text()
        assert not _alive(other)


async def test_workers_share_the_port_and_speak_with_one_voice(tmp_path: Path) -> None:
    """The same draws whatever the number of workers; counters are sums; rules, phases and faults hold in all."""
    found = []
    for workers in (1, 3):
        async with process(tmp_path, workers=workers) as gateway:
            statuses = [(await send(gateway.port, get("/half", f"x-request-id: {n}"))).status for n in range(60)]
            found.append(statuses)
            rule = (await gateway.call("GET", "/counters"))["phases"][""]["virtualservice/default/web/0"]
            assert (rule["requests"], rule["faults"]) == (60, {"abort": statuses.count(503)})
            faulted = await gateway.call("GET", "/faulted?after=0")
            assert faulted["total"] == faulted["next"] == len(faulted["faulted"]) == statuses.count(503)
            assert (await gateway.call("GET", f"/faulted?after={faulted['next']}"))["faulted"] == []
            await gateway.call("PUT", "/phase", b'{"name": "off", "faults": false}')
            assert await gateway.call("PUT", "/rules", b"two") == {"generation": 2}
            for n in range(30):
                assert (await send(gateway.port, get("/half", f"x-request-id: {n}"))).body == b"two"
            counters = await gateway.call("GET", "/counters")
            assert counters["phases"]["off"]["virtualservice/default/web/0"]["requests"] == 30
            assert (counters["workers"], counters["generation"]) == (workers, 2)
            with pytest.raises(urllib.error.HTTPError) as refused:
                await gateway.call("PUT", "/rules", b"bad")
            refused.value.close()
            assert refused.value.code == 400
            assert (await send(gateway.port, get())).body == b"two"
    assert found[0] == found[1] and {200, 503} == set(found[0])


@pytest.mark.parametrize("workers", WORKERS)
async def test_rules_are_loaded_again_when_their_file_changes(tmp_path: Path, workers: int) -> None:
    async with process(tmp_path, workers=workers, watch=True) as gateway:

        async def answers(text: bytes) -> None:
            async with asyncio.timeout(10):
                while (await send(gateway.port, get())).body != text:
                    pass

        # The watch begins just after the first line is printed, so the file is written until it is seen.
        async with asyncio.timeout(10):
            while (await send(gateway.port, get())).body != b"two":
                gateway.file.write_text("two")
        replacement = tmp_path / "other"
        replacement.write_text("three")
        replacement.replace(gateway.file)
        await answers(b"three")
        gateway.file.write_text("bad")
        await until(lambda: "this is bad" in gateway.errors.read_text())
        assert (await send(gateway.port, get())).body == b"three"
        gateway.file.write_text("four")
        await answers(b"four")


async def test_a_port_in_use_is_one_line_and_exit_code_5(tmp_path: Path) -> None:
    taken = bind("127.0.0.1:0", "--listen")[0]
    taken.listen()
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    for options in ({"listen": address}, {"admin": address}):
        async with process(tmp_path, **options) as gateway:
            assert await gateway.ended() == 5
            option = "--listen" if "listen" in options else "--admin"
            expected = f"cannot listen on {address} ({option}): Address already in use\n"
            assert gateway.errors.read_text() == expected
    taken.close()


OPTIONS = [
    ({"workers": 0}, "at least one"),
    ({"listen": "8080"}, "is not an address"),
    ({"listen": "127.0.0.1:http"}, "is not an address"),
    ({"listen": "127.0.0.1:99999"}, "is not an address"),
    ({"admin": "0.0.0.0:0"}, "needs a token"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ChaosError, match=message):
        GatewayOptions(load=lambda: None, parse=lambda _: None, **options).check()  # type: ignore[arg-type, return-value]


def test_addresses() -> None:
    assert split_address("127.0.0.1:80", "x") == ("127.0.0.1", 80)
    assert split_address("[::1]:80", "x") == ("::1", 80)
    assert split_address(":80", "x") == ("127.0.0.1", 80)
    with pytest.raises(EnvironmentFailed, match=r"cannot listen on no\.such\.host\.invalid:80"):
        bind("no.such.host.invalid:80", "--listen")
