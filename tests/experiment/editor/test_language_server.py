"""yaml-language-server on our files: it explains every field, completes, and calls nothing wrong that is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from experiment.editor.test_every_document import EVERY_FIELD, EXPERIMENTS
from support.language_server import LanguageServer, found

from chaos.experiment.scaffold import scaffold
from chaos.experiment.schema import experiment_schema

COMMAND = found()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(COMMAND is None, reason="no yaml-language-server (npm install -g yaml-language-server)"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    assert COMMAND is not None
    with LanguageServer(COMMAND) as running:
        yield running


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "experiment.schema.json"
    path.write_text(json.dumps(experiment_schema()))
    return path


def with_schema(text: str, schema: Path) -> str:
    """The file with the line that names the schema above each document."""
    line = f"# yaml-language-server: $schema={schema.as_uri()}\n"
    return line + re.sub("^---\n", f"---\n{line}", text, flags=re.MULTILINE)


@pytest.mark.parametrize("file", [*EXPERIMENTS, EVERY_FIELD], ids=lambda file: file.name)
def test_nothing_right_is_called_wrong(server: LanguageServer, schema: Path, file: Path) -> None:
    assert server.problems(f"file:///{file.name}", with_schema(file.read_text(), schema)) == []


def keys(text: str) -> Iterator[tuple[str, int, int]]:
    """The keys of all mappings, with the names above them, and where each is."""
    for node in yaml.compose_all(text, yaml.SafeLoader):
        yield from _keys_of(node, "")


def _keys_of(node: yaml.Node, above: str) -> Iterator[tuple[str, int, int]]:
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _keys_of(each, above)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{above}.{key.value}"
            yield name, key.start_mark.line, key.start_mark.column
            yield from _keys_of(value, name)


NAMED_BY_USERS = re.compile(
    r"\.(labels|annotations|env|services|headers|withoutHeaders|queryParams|destinations|selector|set)\.[^.]+$|\.json\."
)
"""Keys that are the users' own names, which have the description of what they name, or none."""


def test_every_field_is_explained(server: LanguageServer, schema: Path) -> None:
    text = with_schema(EVERY_FIELD.read_text(), schema)
    uri = "file:///hover.yaml"
    server.problems(uri, text)
    others = text.index("kind: PeerAuthentication")
    last = text.count("\n", 0, others) - 3
    wanted = [each for each in keys(text) if not NAMED_BY_USERS.search(each[0]) and each[1] < last]
    assert len(wanted) > 200
    told = {name: server.hover(uri, line, column + 1) for name, line, column in wanted}
    assert [name for name, shown in told.items() if len(shown.partition("Source:")[0].strip()) < 10] == []
    assert "the last included" in told[".spec.phases.ramp.steps"]
    assert "the first that matches wins" in told[".spec.http"]


def test_init_writes_what_editors_understand(server: LanguageServer, schema: Path) -> None:
    text = scaffold("shop", "web", schema.as_uri())
    assert server.problems("file:///init.yaml", text) == []
    spelt_wrong = text.replace("httpStatus: 503", "httpStats: 503")
    (problem,) = server.problems("file:///wrong.yaml", spelt_wrong)
    assert "httpStats" in problem


COMPLETED = [
    ("apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  load:\n    ", {"users", "warmup", "feeder", "tasks"}),
    ("apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  verify:\n    ", {"confidence", "tolerance", "expect"}),
    ("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  ", {"hosts", "http"}),
    ("apiVersion: networking.istio.io/v1\nkind: ", {"VirtualService", "DestinationRule", "Gateway"}),
]


@pytest.mark.parametrize(("text", "words"), COMPLETED)
def test_fields_are_completed(server: LanguageServer, schema: Path, text: str, words: set[str]) -> None:
    whole = with_schema(text, schema)
    uri = f"file:///complete-{hash(text)}.yaml"
    server.problems(uri, whole)
    line = whole.count("\n")
    assert words <= server.completions(uri, line, len(whole) - whole.rindex("\n") - 1)
