"""`chaos gateway` with the services that its file asks for: what it says, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.experiments import descendants, experiment, start, virtual_service, write
from support.processes import command_line, wait_for


@contextlib.contextmanager
def serving(file: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the gateway's URL."""
    process = start("gateway", file, "--listen", "127.0.0.1:0", *arguments, cwd=Path(file).parent)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("admin on http://127.0.0.1:")
        words = process.stdout.readline().split()
        assert words[:2] == ["listening", "on"]
        yield process, words[2]
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def get(url: str, answers: list[int]) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/", headers={"host": "web"})
        answers.append(connection.getresponse().status)


TERMINATE = pytest.param(signal.SIGTERM, marks=pytest.mark.representative)


@pytest.mark.slow
@pytest.mark.parametrize("number", [TERMINATE, signal.SIGINT, signal.SIGHUP])
def test_a_request_in_flight_is_answered_before_it_ends(number: int, tmp_path: Path) -> None:
    delay = {"fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 100}}}}
    file = write(tmp_path, experiment(), virtual_service(**delay))
    with serving(file) as (process, url):
        children = descendants(process.pid)
        assert len(children) == 2
        answers: list[int] = []
        asking = threading.Thread(target=get, args=(url, answers))
        asking.start()
        wait_for(lambda: connected(url), 10, "the request to arrive")
        process.send_signal(number)
        asking.join()
        assert answers == [200]
        assert process.wait(10) == 0
        wait_for(lambda: not any(command_line(pid) for pid in children), 2, "the children to end")


def connected(url: str) -> bool:
    """Whether somebody has a connection to the gateway."""
    port = f"{urlsplit(url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port}") and row[3] == "01" for row in rows)


@pytest.mark.slow
def test_it_says_that_rules_were_reloaded_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    """Written again and again: the watch begins a moment after the gateway listens."""
    file = Path(write(tmp_path, experiment(), virtual_service(abort=50)))
    text = file.read_text()
    said: list[str] = []
    with serving(str(file)) as (process, _):
        assert process.stderr is not None
        reading = threading.Thread(target=said.extend, args=(process.stderr,))
        reading.start()
        for value, expected in (("120", "the rules in force stay as they were"), ("100", "rules reloaded")):

            def told(value: str = value, expected: str = expected) -> bool:
                whole = tmp_path / "whole"  # a file that is read while it is written is another mistake
                whole.write_text(text.replace("value: 50", f"value: {value}"))
                whole.replace(file)
                return any(line.startswith(expected) for line in said)

            wait_for(told, 20, expected)
        process.terminate()
        process.wait(10)
        reading.join()
    assert any("120 is not between 0 and 100" in line for line in said)


@pytest.mark.slow
def test_a_service_that_dies_ends_it_with_exit_code_5(tmp_path: Path) -> None:
    with serving(write(tmp_path, experiment(), virtual_service())) as (process, _):
        services = next(pid for pid in descendants(process.pid) if "chaos.services" in command_line(pid))
        subprocess.run(["kill", "-KILL", str(services)], check=True)
        _, said = process.communicate(timeout=10)
        assert process.returncode == 5
        assert "the built-in services was killed by SIGKILL" in said
