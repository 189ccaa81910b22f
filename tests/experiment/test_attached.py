"""Files that an experiment names: the bodies of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chaos.errors import InvalidInput
from chaos.experiment.read import Reading, read_experiment
from chaos.experiment.tasks import recorded, tasks_of

HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"
FILES = {"order.json": '{"item": "${ITEM}"}\n'}


def read(spec: str, files: Mapping[str, str] = FILES, **environment: str) -> Reading:
    def attach(base: str, name: str) -> tuple[str, str]:
        if name not in files:
            raise InvalidInput.at(f"shop/{name}", "there is no such file")
        return f"shop/{name}", files[name]

    return read_experiment([("shop/e.yaml", HEAD + spec)], environment=environment, attach=attach)


def test_a_body_is_the_text_of_its_file_as_it_is() -> None:
    (task,) = tasks_of(read("  load: {tasks: [{post: http://web/, body: {file: order.json}}]}\n").require())
    assert (task.name, task.body) == ("POST /", '{"item": "${ITEM}"}\n')


def test_the_name_may_have_a_variable() -> None:
    spec = "  load: {tasks: [{post: http://web/, body: {file: '${KIND}.json'}}]}\n"
    (task,) = tasks_of(read(spec, KIND="order").require())
    assert task.body == FILES["order.json"]


def test_records_say_which_file_it_was_and_not_its_text() -> None:
    spec = "  load: {tasks: [{post: 'http://web/${P}', body: {file: order.json}}]}\n"
    (task,) = tasks_of(read(spec, P="secret").require())
    (other,) = tasks_of(read(spec, {"order.json": "{}"}, P="secret").require())
    kept = recorded(task)
    assert kept.url == "http://web/${P}" and task.url == "http://web/secret"
    assert kept.body is not None and kept.body.startswith("(file order.json, 20 bytes, sha256 ")
    assert recorded(other).body != kept.body


PROBLEMS = [
    ("{file: no.json}", "4:51: spec.load.tasks[0].body.file: shop/no.json: there is no such file"),
    ("{fil: order.json}", "4:45: spec.load.tasks[0].body.fil: unknown field `fil`; did you mean `file`?"),
    ("{file: [order.json]}", "4:45: spec.load.tasks[0].body.file: expected a string, not a list"),
    ("{file: order.json}, json: {}", "4:18: spec.load.tasks[0]: body and json exclude each other"),
]


@pytest.mark.parametrize(("body", "problem"), PROBLEMS)
def test_what_is_wrong_is_told_at_its_line(body: str, problem: str) -> None:
    told = [str(each) for each in read(f"  load: {{tasks: [{{post: http://web/, body: {body}}}]}}\n").problems]
    assert f"shop/e.yaml:{problem}" in told


def test_who_sends_no_requests_reads_no_bodies() -> None:
    spec = f"{HEAD}  load: {{tasks: [{{post: http://web/, body: {{file: no.json}}}}]}}\n"
    assert read_experiment([("e.yaml", spec)]).problems == ()
