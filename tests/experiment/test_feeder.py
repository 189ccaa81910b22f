"""`spec.load.feeder`: the rows of a CSV file in the requests of the tasks."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.errors import InvalidInput
from chaos.experiment.feeder import Column, Template, filled
from chaos.experiment.feeder_file import MOST_ROWS
from chaos.experiment.read import Reading, read_experiment
from chaos.experiment.tasks import LoadTask, recorded, tasks_of

HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"
USERS = 'id,name,city\n7,Ada,London\n8,"Åsa, B.",\n'
TASK = "  load: {feeder: users.csv, tasks: [%s]}\n"


def read(spec: str, rows: str = USERS, **environment: str) -> Reading:
    def attach(base: str, name: str) -> tuple[str, str]:
        if name != "users.csv":
            raise InvalidInput.at(f"shop/{name}", "there is no such file")
        return f"shop/{name}", rows

    return read_experiment([("shop/e.yaml", HEAD + spec)], environment=environment, attach=attach)


def requests(reading: Reading) -> list[LoadTask]:
    """The first task's request of each row."""
    feeder, (task, *_) = reading.feeder, tasks_of(reading.require())
    assert feeder is not None
    return [filled(task, feeder.feeder.row(index)) for index in range(len(feeder.feeder.rows))]


def told(reading: Reading) -> list[str]:
    return [str(problem) for problem in reading.problems]


def test_each_row_has_a_request_of_its_own() -> None:
    task = "{post: 'http://web/u/${id}?q=${name}', headers: {x-city: '${city:-none}'}, json: {a: ['${name}', 1]}}"
    first, second = requests(read(TASK % task))
    assert (first.url, first.headers["x-city"], first.body) == ("http://web/u/7?q=Ada", "London", '{"a": ["Ada", 1]}')
    assert (second.url, second.headers["x-city"]) == ("http://web/u/8?q=%C3%85sa%2C%20B.", "none")
    assert json.loads(second.body or "") == {"a": ["Åsa, B.", 1]}
    assert second.headers["content-type"] == "application/json"


def test_the_first_row_stands_for_the_task_and_records_have_the_names_alone() -> None:
    reading = read(TASK % "{get: 'http://web/${id}', headers: {authorization: 'Bearer ${name}'}}")
    (task,) = tasks_of(reading)
    kept = recorded(task)
    assert (task.name, task.url, kept.url) == ("GET /${id}", "http://web/7", "http://web/${id}")
    assert kept.headers == {"authorization": "Bearer ${name}"} and kept.fed is None
    assert reading.feeder is not None
    assert reading.feeder.described.startswith("(file users.csv, 40 bytes, sha256 ")


def test_a_column_comes_before_a_variable_of_the_same_name() -> None:
    reading = read(TASK % "{get: 'http://web/${id}/${OTHER}/$${id}'}", id="from outside", OTHER="o")
    assert [each.url for each in requests(reading)] == ["http://web/7/o/${id}", "http://web/8/o/${id}"]
    assert reading.used == {"OTHER": "o"}


def test_a_host_may_come_from_the_environment_and_a_path_may_begin_with_the_query() -> None:
    reading = read(TASK % "{get: 'http://${HOST}?q=${id}'}", HOST="web")
    assert [each.url for each in requests(reading)] == ["http://web/?q=7", "http://web/?q=8"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_a_json_body_is_what_the_value_with_the_row_would_be(value: object, name: str) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    body = json.dumps({"a": value, "b": ["x${name}y"]}).replace("${", "$${").replace("$${name}y", "${name}y")
    rows = f"name,other\n{quoted(name)},1\n"
    reading = read(f"  load:\n    feeder: users.csv\n    tasks:\n    - {{post: http://web/, json: {body}}}\n", rows)
    if reading.errors:  # YAML does not take every character that JSON does
        return
    (request,) = requests(reading)
    assert json.loads(request.body or "") == {"a": value, "b": [f"x{name}y"]}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_value_leaves_its_part_of_a_url(value: str) -> None:
    target = Template(("/a/", Column("v"), "/b?q=", Column("v"), "&r=1"), "url").fill({"v": value})
    parts = urlsplit(f"http://web{target}")
    assert [unquote(each) for each in parts.path.split("/")] == ["", "a", value, "b"]
    assert unquote(parts.query) == f"q={value}&r=1" and not parts.fragment


GET = TASK % "{get: 'http://web/${id}'}"
PROBLEMS = [
    (GET, "", "shop/users.csv:1:1: is empty; its first line names the columns"),
    (GET, "id,name\n\n", "shop/users.csv:1:1: has a line of columns and no rows"),
    (GET, "id,id\n1,2\n", "shop/users.csv:1:1: two columns are called id"),
    (
        GET,
        "id,name\n\n1,2\n3\n",
        "shop/users.csv:4:1: 1 value for 2 columns (id, name); a value with a comma is written in quotes",
    ),
    (
        GET,
        'id,name\n1,"a\nb"\n3,4,5\n',
        "shop/users.csv:4:1: 3 values for 2 columns (id, name); a value with a comma is written in quotes",
    ),
    (GET, 'id\n"a"b\n', "shop/users.csv:2:1: is not CSV: ',' expected after '\"'"),
    (GET, "id\n" + "1\n" * (MOST_ROWS + 1), f"shop/users.csv:{MOST_ROWS + 2}:1: has more than 10000 rows, the most"),
    (
        TASK % "{get: 'http://web/${idd}'}",
        USERS,
        "shop/e.yaml:4:43: spec.load.tasks[0].get: the environment has no variable idd, and users.csv no such column"
        " (id, name, city); did you mean id?",
    ),
    (
        TASK % "{get: 'http://${name}.web/'}",
        USERS,
        "spec.load.tasks[0].get: a column may stand in path and query only, after `http://host/`",
    ),
    (
        TASK % "{get: http://web/, headers: {x-a: '${id}'}}",
        'id,name\n1,2\n"a\nb",2\n',
        "shop/users.csv:3:1: column id: 'a\\nb' has a line break or another control character, and stands in the header"
        " x-a (spec.load.tasks[0])",
    ),
    (
        "  load: {feeder: {file: users.csv, order: shuffled}, tasks: [{get: 'http://web/${id}'}]}\n",
        USERS,
        'shop/e.yaml:4:43: spec.load.feeder.order: "shuffled" is not known; expected sequential or random',
    ),
    (
        "  load: {feeder: no.csv, tasks: [{get: 'http://web/${id}'}]}\n",
        USERS,
        "shop/e.yaml:4:18: spec.load.feeder: shop/no.csv: there is no such file",
    ),
    (
        "  load: {feeder: {file: no.csv}, tasks: [{get: 'http://web/${id}'}]}\n",
        USERS,
        "shop/e.yaml:4:25: spec.load.feeder.file: shop/no.csv: there is no such file",
    ),
    ("  load: {feeder: users.csv}\n", USERS, "spec.load: feeder is for tasks that name its columns; there are none"),
    (
        "  load: {feeder: users.csv, locustfile: a.py}\n",
        USERS,
        "spec.load: feeder is for tasks that name its columns; a locustfile reads its own data",
    ),
    (
        TASK % "{get: http://web/}",
        USERS,
        "spec.load.feeder: no task names a column of users.csv; write ${id} or ${name} or ${city} in its URL",
    ),
]


@pytest.mark.parametrize(("spec", "rows", "problem"), PROBLEMS)
def test_what_is_wrong_is_told_at_its_line_and_once(spec: str, rows: str, problem: str) -> None:
    found = told(read(spec, rows))
    assert len(found) == 1 and problem in found[0], found


def test_a_mark_of_byte_order_is_no_part_of_the_first_name() -> None:
    assert [each.url for each in requests(read(GET, "\ufeff" + USERS))] == ["http://web/7", "http://web/8"]


def test_who_sends_no_requests_reads_no_rows() -> None:
    assert read_experiment([("e.yaml", HEAD + GET)]).problems == ()
