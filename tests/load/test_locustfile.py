"""A locustfile of the user's own runs as it is; its requests carry the run's ids and are counted like ours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.ids import first_ids
from support.load import plan, run
from support.origin import Asked, Origin, ok
from support.ports import held_port

from chaos.protocol.digest import MOST_NAMES, OTHERS, Digest, Key

pytestmark = pytest.mark.slow

LOCUSTFILE = """
from locust import FastHttpUser, HttpUser, constant, task

class Fast(FastHttpUser):
    host = "http://webserver:8080"
    @task
    def home(self):
        self.client.get("/home", name="home")

class Classic(HttpUser):
    host = "http://webserver"
    wait_time = constant(0.001)
    @task
    def cart(self):
        with self.client.post("/cart", json={"a": 1}, headers={"x-user": "jason"}, catch_response=True) as response:
            if response.status_code == 200:
                response.failure("nothing in the cart")

class Hostless(FastHttpUser):
    @task
    def missing(self):
        self.client.get("/missing", headers={"x-request-id": "my-own"})
"""


async def tagged(asked: Asked, writer: asyncio.StreamWriter) -> None:
    status = "404 Not Found" if asked.target.endswith("/missing") else "200 OK"
    writer.write(ok(asked, status=status, headers="x-chaos-route: web[0]\r\n"))


def test_its_requests_go_through_the_gateway_and_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    with Origin(tagged) as origin:
        load = run(plan(origin.url, tasks=[], locustfile=str(file), users=6, requests=90))
    done = load.lines[-1]
    assert (done["reason"], done["requests"], load.code) == ("requests", 90, 0)
    keys = {key: tally.count for key, tally in load.digest().items()}
    assert set(keys) == {
        Key("", "home", "web[0]", "", 200),
        Key("", "/cart", "web[0]", "", 200, error="failed"),
        Key("", "/missing", "web[0]", "", 404),
    }
    assert sum(keys.values()) == len(origin.asked) == 90
    own = [each for each in origin.ids if each != "my-own"]
    assert len(own) == len(set(own)) < 90
    assert set(own) < set(first_ids(7, 90))
    forms = {each.target: each.headers["host"] for each in origin.asked}
    assert forms == {
        "http://webserver:8080/home": "webserver:8080",
        "http://webserver/cart": "webserver",
        "/missing": f"127.0.0.1:{origin.port}",
    }


def test_a_connection_that_cannot_be_made_is_a_failure_by_its_kind(tmp_path: Path) -> None:
    """Of both clients of Locust, whose responses have a method `failure`."""
    file = tmp_path / "locustfile.py"
    with held_port() as nobody:
        file.write_text(
            "from locust import FastHttpUser, HttpUser, task\n"
            + "\n".join(
                f"class {base[:4]}({base}):\n    host = 'http://127.0.0.1:{nobody}'\n    @task\n    def gone(self):\n"
                f"        self.client.get('/', name='{base}')\n"
                for base in ("FastHttpUser", "HttpUser")
            )
        )
        with Origin(tagged) as origin:
            load = run(plan(origin.url, tasks=[], locustfile=str(file), users=2, requests=4))
    assert load.code == 0
    assert {(key.status, key.error) for key, _ in load.digest().items()} == {(0, "refused")}


def test_its_loopback_hosts_are_reached_directly(tmp_path: Path) -> None:
    with Origin(tagged) as origin:
        file = tmp_path / "direct.py"
        file.write_text(
            "from locust import FastHttpUser, task\n"
            f"class Direct(FastHttpUser):\n    host = {origin.url!r}\n"
            "    @task\n    def home(self):\n        self.client.get('/home')\n"
        )
        load = run(plan("http://127.0.0.1:1", tasks=[], locustfile=str(file), requests=10))
    assert load.lines[-1]["requests"] == 10
    assert {each.target for each in origin.asked} == {"/home"}


def test_its_load_shape_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "shaped.py"
    file.write_text(
        "from locust import FastHttpUser, LoadTestShape, task\n"
        "class User(FastHttpUser):\n    @task\n    def home(self):\n        self.client.get('/home')\n"
        "class Three(LoadTestShape):\n"
        "    def tick(self):\n        return (3, 100) if self.get_run_time() < 1 else None\n"
    )
    with Origin(tagged) as origin:
        load = run(plan(origin.url, tasks=[], locustfile=str(file), users=50, interval=0.2))
    assert max(line["users"] for line in load.lines if line["type"] == "digest") == 3
    assert load.lines[-1]["reason"] == "shape"


def test_mistakes_in_it_are_told_with_their_line(tmp_path: Path) -> None:
    cases = {
        "import locust\nimport no_such_module\n": ":2: ModuleNotFoundError: No module named 'no_such_module'",
        "def broken(:\n": ":1: SyntaxError",
    }
    for text, message in cases.items():
        file = tmp_path / "locustfile.py"
        file.write_text(text)
        load = run(plan("http://127.0.0.1:1", tasks=[], locustfile=str(file)))
        assert load.lines[0]["type"] == "error"
        assert load.lines[0]["reason"].startswith(str(file))
        assert message in load.lines[0]["reason"]
        assert load.code == 2
    empty = tmp_path / "empty.py"
    empty.touch()
    assert "no user class" in run(plan("http://127.0.0.1:1", tasks=[], locustfile=str(empty))).lines[0]["reason"]


IDS = """
from itertools import count
from locust import FastHttpUser, task

class Orders(FastHttpUser):
    host = "http://webserver"
    numbers = count()

    @task
    def order(self):
        self.client.get(f"/orders/{next(self.numbers)}")
"""


def test_ids_in_urls_are_counted_together_once_there_are_too_many_and_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(IDS)
    with Origin(tagged) as origin:
        load = run(plan(origin.url, tasks=[], locustfile=str(file), users=4, requests=MOST_NAMES + 200))
    tasks = {key.task for key, _ in load.digest().items()}
    assert len(tasks) == MOST_NAMES + 1 and OTHERS in tasks
    assert load.digest().count == MOST_NAMES + 200
    said = [line["text"] for line in load.lines if line["type"] == "event"]
    assert len(said) == 1 and said[0].startswith(f"more than {MOST_NAMES} different names of requests")


WAITING = """
from locust import FastHttpUser, HttpUser, task

class Fast(FastHttpUser):
    @task
    def home(self):
        self.client.get("/home")

class Judging(HttpUser):
    @task
    def home(self):
        with self.client.get("/home", catch_response=True) as response:
            response.success()
"""


def test_its_requests_are_counted_when_all_that_were_sent_with_them_are_answered(tmp_path: Path) -> None:
    """Every second response takes 0.6 s. By the order of the responses the quick ones would come first; by cohorts each
    digest has half of each."""

    async def every_second_is_late(asked: Asked, writer: asyncio.StreamWriter) -> None:
        late = asked.headers["x-request-id"][-1] in "02468ace"
        await asyncio.sleep(0.6 if late else 0)
        writer.write(ok(asked, status="404 Not Found" if late else "200 OK"))

    file = tmp_path / "locustfile.py"
    file.write_text(WAITING)
    with Origin(every_second_is_late) as origin:
        load = run(plan(origin.url, tasks=[], locustfile=str(file), users=40, requests=800, interval=0.2, hold=1.6))
    digests = [
        Digest.of(line["entries"], line["pairs"], line["pending"]) for line in load.lines if line["type"] == "digest"
    ]
    assert sum(digest.count for digest in digests) == 800
    assert all(not digest.pending for digest in digests)
    late = n = 0
    for digest in digests:
        late += sum(tally.count for key, tally in digest.items() if key.status == 404)
        n += digest.count
        assert abs(late - n / 2) <= 3 * n**0.5, "six standard deviations: less than one in ten million"
