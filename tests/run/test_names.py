"""Rules may be called anything: the name comes back from the gateway's tags, and a terminal only shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from support.processes import chaos

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


@pytest.mark.parametrize("client", ["lean", "locust"])
def test_rules_of_any_name_are_verified_and_shown_without_effect_on_the_terminal(client: str, tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(document(NAMES))
    ended = chaos("run", file, "--out", tmp_path, "--no-report", "--set", f"spec.load.client={client}")
    said = ended.stdout + ended.stderr
    assert "\x1b[2J" not in said and "\u202e" not in said
    folder = next(path for path in (tmp_path / "names").iterdir() if path.name != "latest")
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    findings = [line for line in lines if line["type"] == "findings"][-1]["findings"]
    aborts = [finding for finding in findings if finding["kind"] == "abort"]
    assert len(aborts) == len(NAMES)
    assert all(finding["observed"]["n"] > 200 and finding["verdict"] == "verified" for finding in aborts), aborts


@pytest.mark.parametrize("command", [("plan",), ("validate",), ("explain",)])
def test_no_command_hands_escape_sequences_to_the_terminal(command: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "names.yaml"
    file.write_text(document(NAMES))
    arguments = [*command, file, *(["GET http://web/5"] if command == ("explain",) else [])]
    ended = chaos(*arguments)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert not {character for character in said if character in "\x1b\x9b\u202e"}
