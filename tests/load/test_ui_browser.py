"""Locust's web UI in a real browser: its own buttons work, and no page from elsewhere can press them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.load import Load, plan
from support.origin import Asked, Origin, ok

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def gateway() -> Iterator[Origin]:
    """The gateway and its admin API, as far as the UI knows it."""
    bodies = {"/faults": b'{"enabled": true, "by_hand": [], "rules": []}'}

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.002)
        if asked.method == "PUT":
            bodies[asked.target] = json.dumps({"by_hand": [], "rules": [], **json.loads(asked.body)}).encode()
        writer.write(ok(asked, body=bodies.get(asked.target, b"fine")))

    with Origin(answer) as made:
        yield made


@pytest.fixture
def load(gateway: Origin) -> Iterator[Load]:
    with Load(plan(gateway.url, ui="127.0.0.1:0", admin=gateway.url, interval=0.1)) as made:
        yield made


FORM = (
    '<form method="post" action="{url}/{path}"><input name="user_count" value="50">'
    '<input name="spawn_rate" value="50"><button>send</button></form>'
)


@pytest.mark.parametrize("path", ["swarm", "stop"])
def test_a_foreign_page_changes_nothing(browser: Browser, load: Load, tmp_path: Path, path: str) -> None:
    """A form in a sandboxed frame (Origin: null), and one of a page from a file."""
    url = load.until_type("ready")["ui"]
    load.until(lambda line: line["type"] == "digest" and line["users"] == 4)
    form = FORM.format(url=url, path=path)
    (tmp_path / "form.html").write_text(form)
    framed = form.replace("&", "&amp;").replace('"', "&quot;")
    (tmp_path / "frame.html").write_text(f'<iframe sandbox="allow-forms allow-scripts" srcdoc="{framed}"></iframe>')
    for name in ("form.html", "frame.html"):
        page = browser.new_page()
        page.goto((tmp_path / name).as_uri())
        place = page if name == "form.html" else page.frame_locator("iframe")
        # A form that sends itself would replace a page that is not there yet, and its answer is then not always told.
        with page.expect_response(lambda response: response.url == f"{url}/{path}") as answered:
            place.locator("button").click()
        assert answered.value.status == 403
        page.close()
    line = load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    assert line["users"] == 4


SENT = """
<title>elsewhere</title><script>
const ui = "{url}", form = new URLSearchParams({{user_count: 50, spawn_rate: 50}});
for (const path of ["/swarm", "/stop", "/stats/reset", "/chaos/faults"]) {{
  for (const referrerPolicy of ["no-referrer", "unsafe-url"]) {{
    fetch(ui + path, {{method: "POST", mode: "no-cors", body: form, referrerPolicy}});
    fetch(ui + path, {{mode: "no-cors", referrerPolicy}});
    fetch(ui + path, {{method: "PUT", body: "{{}}", referrerPolicy}}).catch(() => 0);
  }}
  navigator.sendBeacon(ui + path, form);
  const image = new Image();
  image.referrerPolicy = "no-referrer";
  image.src = ui + path;
}}
</script><iframe src="{url}/"></iframe>
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_another_port_changes_nothing(browser: Browser, load: Load, gateway: Origin, host: str) -> None:
    """It is of the same site as the UI, as browsers count; and the UI does not stand in its frame."""
    url = load.until_type("ready")["ui"]
    load.until(lambda line: line["type"] == "digest" and line["users"] == 4)

    async def serve(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(asked, body=SENT.format(url=url).encode(), headers="content-type: text/html\r\n"))

    statuses: list[tuple[str, int]] = []
    with Origin(serve) as elsewhere:
        page = browser.new_page()
        page.on("response", lambda got: statuses.append((got.url, got.status)) if got.url.startswith(url) else None)
        page.goto(f"http://{host}:{elsewhere.port}/")
        page.wait_for_load_state("networkidle")
        framed = page.frames[1].evaluate("document.querySelectorAll('#root').length")
        page.close()
    assert len(statuses) >= 4 * 5
    assert {status for path, status in statuses if path != f"{url}/"} == {403}
    assert framed == 0
    assert not [asked for asked in gateway.asked if asked.method == "PUT"]
    line = load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    assert line["users"] == 4


def test_its_own_buttons_work(browser: Browser, load: Load, gateway: Origin) -> None:
    url = load.until_type("ready")["ui"]
    load.until(lambda line: line["type"] == "digest" and bool(line["entries"]))
    page = browser.new_page()
    refused: list[str] = []
    page.on("response", lambda got: refused.append(got.url) if got.status >= 400 else None)
    page.goto(url)
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_text("no host attribute")).to_have_count(0)
    page.locator("input[name=userCount]").fill("7")
    page.locator("input[name=spawnRate]").fill("100")
    page.get_by_role("button", name="Update").click()
    load.until(lambda line: line.get("users") == 7)
    for word in ("off", "on"):
        page.get_by_role("button", name=f"Switch faults {word}").click()
    expect(page.get_by_role("button", name="Switch faults off")).to_be_visible()
    assert [asked.body for asked in gateway.asked if asked.method == "PUT"] == [
        b'{"enabled": false}',
        b'{"enabled": true}',
    ]
    with page.expect_response(f"{url}/stats/reset"):
        page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Stop").click()
    done = load.until_type("done")
    assert (done["type"], done["reason"], refused) == ("done", "ui", [])
    page.close()
