"""What has an https URL goes to the run's HTTPS listener, with the URL's host as server name and authority."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.load import plan, run
from support.origin import Asked, Origin, ok

from chaos.protocol.digest import Key

pytestmark = pytest.mark.slow

LOCUSTFILE = """
import os
from locust import FastHttpUser, HttpUser, task

class Fast(FastHttpUser):
    host = "https://web:8443"
    @task
    def work(self):
        self.client.get(os.environ["PLACE"], name="fast")

class Classic(HttpUser):
    host = "http://shop"
    @task
    def work(self):
        self.client.get("https://shop/cart", name="classic")
        self.client.get("/cart", name="plain")
"""


async def answer(asked: Asked, writer: Any) -> None:
    writer.write(ok(asked))


class Listener(Origin):
    """An HTTPS listener with a certificate for web and shop; `names` are the server names that it was asked for."""

    def __init__(self, folder: Path):
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.names: set[str | None] = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = lambda sock, name, _: self.names.add(name)
        authority.issue_cert("web", "shop").configure_cert(context)
        super().__init__(answer, context)

    @property
    def plan(self) -> dict[str, Any]:
        return {"client": "locust", "secure": self.url, "ca": str(self.ca)}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with Listener(tmp_path) as found:
        yield found


def test_tasks_go_to_the_door_for_their_scheme(listener: Listener) -> None:
    tasks = [
        {"name": url, "method": "GET", "url": url} for url in ("https://web:8443/a", "https://shop/b", "http://web/c")
    ]
    with Origin(answer) as origin:
        load = run(plan(origin.url, tasks=tasks, requests=30, **listener.plan))
    assert load.lines[-1]["errors"] == {} and load.lines[-1]["requests"] == 30
    assert {(asked.headers["host"], asked.target) for asked in listener.asked} == {("web:8443", "/a"), ("shop", "/b")}
    assert {(asked.headers["host"], asked.target) for asked in origin.asked} == {("web", "/c")}
    assert listener.names == {"web", "shop"}


def test_a_certificate_for_another_host_is_an_error(listener: Listener) -> None:
    tasks = [{"name": "home", "method": "GET", "url": "https://cart/"}]
    load = run(plan("http://127.0.0.1:1", tasks=tasks, requests=3, **listener.plan))
    assert load.lines[-1]["errors"] == {"refused": 3} and listener.asked == []


def test_both_clients_of_a_locustfile_do_so_and_it_finds_its_variables(listener: Listener, tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    given: dict[str, Any] = {"tasks": [], "locustfile": str(file), "requests": 40, "variables": {"PLACE": "/place"}}
    with Origin(answer) as origin:
        load = run(plan(origin.url, **given, **listener.plan))
    assert load.lines[-1]["errors"] == {}, load.lines[-1]
    assert {key for key, _ in load.digest().items()} == {
        Key("", name, "", "", 200) for name in ("fast", "classic", "plain")
    }
    assert {(asked.headers["host"], asked.target) for asked in listener.asked} == {
        ("web:8443", "/place"),
        ("shop", "/cart"),
    }
    assert {asked.target for asked in origin.asked} == {"http://shop/cart"} and listener.names == {"web", "shop"}
