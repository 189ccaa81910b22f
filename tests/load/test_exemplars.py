"""A load keeps single requests by themselves: what failed, what had no response, what was slowest."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from support.ids import first_ids
from support.load import Load, plan, run
from support.origin import Asked, Origin, ok

from chaos.load.body_text import text_of
from chaos.protocol.exemplars import BY_ID, FIRST, SLOWEST, Exemplars


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"not found\n", "not found\n"),
        ("größer".encode(), "größer"),
        ("größer".encode("latin-1"), r"gr\xf6\xdfer"),
        (b"a\x00b\x1b[2J and so on", r"a\x00b\x1b[2J and so on"),
        ("a\u202eb and so on".encode(), r"a\u202eb and so on"),
        (b"x" * 1000, "x" * 300),
        (b"x" + "ü".encode() * 1000, "x" + "ü" * 149),  # the 150th was cut in half
        (gzip.compress(b"compressed " * 50, mtime=0), ("compressed " * 50)[:300]),
        (b"\x1f\x8b no gzip after all", r"\x1f\x8b no gzip after all"),
        (bytes(range(128, 228)), "(100 bytes that are no text: 80 81 82 83 84 85 86 87 88 89 8a 8b 8c 8d 8e 8f ...)"),
    ],
)
def test_the_beginning_of_a_body_is_shown_safely(body: bytes, text: str) -> None:
    assert text_of(body) == text


@pytest.mark.parametrize("length", [40, 75, 300, 301, 2000])
def test_a_body_that_is_compressed_and_cut_is_shown_as_far_as_it_goes(length: int) -> None:
    text = "".join(first_ids(1, 200))
    assert text.startswith(text_of(gzip.compress(text.encode(), mtime=0)[:length]))


def kept(load: Load) -> Exemplars:
    found = Exemplars()
    for line in load.lines:
        if line["type"] == "exemplars":
            found.merge(line["requests"])
    return found


async def mixed(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """By the request's id: a failure with a tag, a connection that is reset, a slow response, or a plain one."""
    number = int(asked.headers["x-request-id"][:8], 16) % 8
    tags = "x-chaos-route: web[0]\r\nx-chaos-phase: fault\r\n"
    if number == 0:
        writer.write(ok(asked, status="500 Oh", body=b"it broke: " + b"x" * 500, headers=tags))
    elif number == 1:
        writer.transport.abort()
    elif number == 2:
        await asyncio.sleep(0.02)
        writer.write(ok(asked, headers=f"{tags}x-chaos-fault: delay\r\nx-chaos-destination: v1:80\r\n"))
    else:
        writer.write(ok(asked, headers=tags))


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"client": "locust"}, {"processes": 2}])
def test_each_client_keeps_failures_and_the_slowest(more: dict[str, Any]) -> None:
    with Origin(mixed) as origin:
        load = run(plan(origin.url, requests=240, phase="fault", **more))
    found = kept(load)
    ids = first_ids(7, 240)
    failures = {(kind.status, kind.error): list(shelf) for kind, shelf in found.failures.items()}
    broken = [each for each in ids if int(each[:8], 16) % 8 == 0]
    assert set(failures) == {(500, ""), (0, "reset")} or set(failures) == {(500, ""), (0, "closed")}
    assert set(sorted(broken)[:BY_ID]) <= {each.id for each in failures[500, ""]} <= set(broken)
    assert BY_ID <= len(failures[500, ""]) <= BY_ID + FIRST
    for each in failures[500, ""]:
        assert each.body == "it broke: " + "x" * 290 and each.key.route == "web[0]" and each.key.phase == "fault"
    (lost,) = (shelf for (status, _), shelf in failures.items() if status == 0)
    assert all(each.reason and not each.body for each in lost)
    delayed = found.slowest["fault", "home", True].kept
    assert len(delayed) == SLOWEST and all(each.micros >= 20_000 for each in delayed)
    assert {each.key.destination for each in delayed} == {"v1:80"} and delayed[0].body == "fine"
    assert all(0 <= each.second < 30 for each in found)


LOCUSTFILE = """
from locust import FastHttpUser, HttpUser, task

class Classic(HttpUser):
    fixed_count = 1
    @task
    def cart(self):
        with self.client.get("/cart", catch_response=True) as response:
            response.failure("nothing in the cart")

class Streams(FastHttpUser):
    fixed_count = 1
    @task
    def streamed(self):
        with self.client.get("/stream", stream=True, catch_response=True) as response:
            assert response.text == "fine"
            response.failure("and yet")
"""


async def fine(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(ok(asked))


@pytest.mark.slow
def test_a_locustfiles_requests_have_method_and_url_and_its_own_words(tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    with Origin(fine) as origin:
        load = run(plan(origin.url, tasks=[], locustfile=str(file), users=2, requests=40))
    failures = {kind.task: next(iter(shelf)) for kind, shelf in kept(load).failures.items()}
    cart, streamed = failures["/cart"], failures["/stream"]
    assert (cart.key.error, cart.reason, cart.body) == ("failed", "nothing in the cart", "fine")
    assert cart.request == f"GET {origin.url}/cart" and cart.id in first_ids(7, 40)
    assert (streamed.reason, streamed.body) == ("and yet", "")
