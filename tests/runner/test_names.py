"""Rules may be called anything: the name comes back from the gateway's tags, and a terminal only shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest
import requests
import yaml
from support.processes import chaos

from chaos.printable import printable
from chaos.testing import Chaos

NAMES = [
    "größer",
    "买东西",
    " between spaces ",
    '100 % of "it", no; less',
    "two\nlines",
    "\x1b[2Jgone",
    "a" * 5000,
    "\u202eback",
]


def document(names: list[str]) -> str:
    """A VirtualService with a rule for each name, half of whose requests are aborted, and a task for each rule."""
    rules = [
        {
            "name": name,
            "match": [{"uri": {"exact": f"/{place}"}}],
            "fault": {"abort": {"percentage": {"value": 50}, "httpStatus": 418}},
            "route": [{"destination": {"host": "web"}}],
        }
        for place, name in enumerate(names)
    ]
    tasks = [{"get": f"http://web/{place}"} for place in range(len(names))]
    experiment = {
        "apiVersion": "chaos/v1alpha1",
        "kind": "Experiment",
        "metadata": {"name": "names"},
        "spec": {
            "seed": 3,
            "load": {
                "users": 4,
                "requests": 400 * len(names),
                "tasks": tasks,
            },
            "verify": {"tolerance": 20},
        },
    }
    service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "web"},
        "spec": {"hosts": ["web"], "http": rules},
    }
    return yaml.safe_dump_all([experiment, service], allow_unicode=False)


LOCUSTFILE = """
from locust import HttpUser, task


class Shopper(HttpUser):
    host = "http://web"

    @task
    def everything(self):
        for place in range({count}):
            self.client.get(f"/{{place}}")
"""


@pytest.mark.parametrize("client", ["lean", "locust", "locustfile"])
@pytest.mark.slow
def test_rules_of_any_name_are_verified_and_shown_without_effect_on_the_terminal(client: str, tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE.format(count=len(NAMES)))
    how = {"locustfile": str(tmp_path / "locustfile.py"), "tasks": []} if client == "locustfile" else {"client": client}
    documents = list(yaml.safe_load_all(document(NAMES)))
    documents[0]["spec"]["load"] |= how
    file.write_text(yaml.safe_dump_all(documents))
    ended = chaos("run", file, "--out", tmp_path)
    said = ended.stdout + ended.stderr
    assert "\x1b[2J" not in said and "\u202e" not in said
    folder = next(path for path in (tmp_path / "names").iterdir() if path.name.startswith("20"))
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    findings = [line for line in lines if line["type"] == "findings"][-1]["findings"]
    aborts = [finding for finding in findings if finding["kind"] == "abort"]
    assert len(aborts) == len(NAMES)
    assert all(finding["observed"]["n"] > 200 and finding["verdict"] == "verified" for finding in aborts), aborts
    seen = {entry["route"] for line in lines if line["type"] == "digest" for entry in line["entries"]}
    assert seen == {finding["rule_name"] for finding in aborts}
    cases = [case.get("name") for case in ElementTree.parse(folder / "junit.xml").iter("testcase")]
    for name in ("größer", "买东西", " between spaces "):
        assert name in seen and name in (folder / "report.html").read_text()
        assert f"abort 418 ({name})" in cases


@pytest.mark.slow
@pytest.mark.parametrize("client", ["requests", "urllib"])
def test_a_tests_own_client_may_meet_rules_of_any_name(client: str, tmp_path: Path) -> None:
    chaos_of_test = Chaos(tmp_path)
    with chaos_of_test.rules(document(NAMES)) as gateway:
        for place in range(len(NAMES)):
            for _ in range(100):
                gateway.record(ask(client, f"{gateway.url}/{place}"))
    findings = chaos_of_test.verify(tolerance=40, undecided=True)
    aborts = [finding for finding in findings if finding.kind == "abort"]
    assert len(aborts) == len(NAMES)
    for finding in aborts:
        assert finding.observed is not None and finding.observed.n == 100, finding


def ask(client: str, url: str) -> Any:
    if client == "requests":
        return requests.get(url, headers={"host": "web"}, timeout=10)
    try:
        with urlopen(Request(url, headers={"host": "web"}), timeout=10) as response:
            return response
    except HTTPError as error:
        with error:
            return error


FORGED = "verified (5 000 requests)"


@pytest.mark.slow
def test_no_text_of_a_file_makes_a_line_of_its_own(tmp_path: Path) -> None:
    """A name with a line break must not look like a verdict."""
    documents = list(yaml.safe_load_all(document([f"rule\n{FORGED}"])))
    documents[0]["spec"] |= {"description": f"of a run\n{FORGED}"}
    documents[0]["spec"]["load"]["tasks"] = [{"name": f"task\n{FORGED}", "get": "http://web/0"}]
    documents[1]["spec"]["http"][0]["match"][0]["headers"] = {"a": {"exact": f"b\n{FORGED}"}}
    file = tmp_path / f"file\n{FORGED}.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    explained = [file, "GET http://web/0", "-H", "a: c"]
    plan = ["plan", "--no-probe", file]
    for command in (["run", file, "--out", tmp_path], plan, ["validate", file], ["explain", *explained]):
        ended = chaos(*command)
        said = (ended.stdout + ended.stderr).splitlines()
        assert said and not [line for line in said if line.strip().startswith(FORGED)], said


@pytest.mark.slow
def test_json_for_programs_stays_json(tmp_path: Path) -> None:
    """What is spelt out on a terminal is spelt as JSON spells it: an Envoy reads the exported document."""
    name = "a\x7fb\x85c\u200dd\U000e0001\u202e"
    documents = list(yaml.safe_load_all(document([name])))
    documents[0]["spec"]["services"] = {"web": {"endpoints": [{"address": "127.0.0.1:9001"}]}}
    file = tmp_path / "names.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    exported = chaos("export", "envoy", file).stdout
    assert f'"{name}"' in json.dumps(json.loads(exported), ensure_ascii=False)
    for command in (["plan", "--no-probe", file], ["validate", file], ["explain", file, "http://web/0"]):
        said = chaos(*command, "--format", "json").stdout
        assert json.loads(said)
        assert said == printable(said)
    assert exported == printable(exported)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("plan", "--no-probe"), ("validate",), ("explain",)])
def test_no_command_hands_escape_sequences_to_the_terminal(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(document(NAMES))
    arguments = [*command, file, *(["GET http://web/5"] if command == ("explain",) else [])]
    ended = chaos(*arguments)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert not {character for character in said if character in "\x1b\x9b\u202e"}
