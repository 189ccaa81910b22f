"""`${NAME}` in tasks and programs' environments: replaced where requests are made, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.experiment.credentials import command_without_credentials, without_credentials
from chaos.experiment.environment import Expansion
from chaos.experiment.read import Reading, read_experiment
from chaos.experiment.redaction import HIDDEN, Redaction, is_credential
from chaos.experiment.tasks import recorded, tasks_of
from chaos.mesh.source.document import read_documents

ENVIRONMENT = {"TOKEN": "s3cret", "HOST": "web", "EMPTY": "", "DOLLAR": "${TOKEN}"}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("Bearer ${TOKEN}", "Bearer s3cret"),
        ("${HOST}${HOST}", "webweb"),
        ("${NONE:-guest}", "guest"),
        ("${NONE:-}", ""),
        ("${TOKEN:-guest}", "s3cret"),
        ("${EMPTY}|${EMPTY:-guest}", "|guest"),
        ("$${TOKEN}", "${TOKEN}"),
        ("$$${TOKEN}", "$${TOKEN}"),
        ("${DOLLAR}", "${TOKEN}"),  # a value is not looked into
        ("$TOKEN costs $5 {TOKEN}", "$TOKEN costs $5 {TOKEN}"),
    ],
)
def test_a_name_stands_for_its_value(written: str, text: str) -> None:
    assert Expansion(ENVIRONMENT).text(written) == (text, [])


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${TOKN}", "the environment has no variable TOKN; did you mean TOKEN?"),
        ("${ZZZ}", "the environment has no variable ZZZ; set it, or write ${ZZZ:-default}"),
        ("${}", "'${}' is not ${NAME} or ${NAME:-default}; write $${ for a plain ${"),
        ("${A B}", "'${A B}' is not ${NAME} or ${NAME:-default}; write $${ for a plain ${"),
        ("a ${TOKEN", "'${TOKEN' is not ${NAME} or ${NAME:-default}; write $${ for a plain ${"),
    ],
)
def test_what_has_no_value_is_told_of_and_stays(written: str, message: str) -> None:
    assert Expansion(ENVIRONMENT).text(written) == (written, [message])


@given(st.text())
def test_a_text_that_is_escaped_comes_out_as_it_was(text: str) -> None:
    assert Expansion({}).text(text.replace("${", "$${")) == (text, [])


RULES = """\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: web}}]}]
"""
HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"
TASK = """\
  load:
    tasks:
    - {post: "http://${HOST}/x?key=${TOKEN}", headers: {authorization: "Bearer ${TOKEN}", x: 1}, json: {a: ["${HOST}"]}}
"""


def read(spec: str) -> Reading:
    return read_experiment([("e.yaml", HEAD + spec + RULES)], environment=ENVIRONMENT)


def test_requests_have_the_values_and_records_the_names() -> None:
    (task,) = tasks_of(read(TASK).require())
    assert (task.url, task.body) == ("http://web/x?key=s3cret", '{"a": ["web"]}')
    assert task.headers == {"authorization": "Bearer s3cret", "x": "1", "content-type": "application/json"}
    kept = recorded(task)
    assert (kept.url, kept.body) == ("http://${HOST}/x?key=${TOKEN}", '{"a": ["${HOST}"]}')
    assert kept.headers["authorization"] == "Bearer ${TOKEN}"
    assert task.name == kept.name and "s3cret" not in repr(kept)


def test_two_tasks_that_only_differ_in_a_value_have_names_of_their_own() -> None:
    tasks = "  load: {tasks: [{get: 'http://web/${HOST}'}, {get: 'http://web/${HOST}'}]}\n"
    assert [task.name for task in tasks_of(read(tasks))] == ["GET /${HOST}", "GET /${HOST} #2"]


def test_the_environment_of_a_program_has_the_values() -> None:
    reading = read("  services: {web: {command: [x], env: {A: '${TOKEN}', B: 5, C: '${NO:-c}'}}}\n").require()
    assert reading.experiment.spec.services is not None
    assert reading.experiment.spec.services["web"].env == {"A": "s3cret", "B": "5", "C": "c"}
    assert reading.used == {"TOKEN": "s3cret"}
    assert tasks_of(reading) == ()


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("  load: {tasks: [{get: 'http://web/${TOKN}'}]}\n", "e.yaml:4:24: spec.load.tasks[0].get: "),
        ("  load: {tasks: [{get: '${BASE}/x'}]}\n", "e.yaml:4:24: spec.load.tasks[0].get: "),
        ("  load: {tasks: [{get: http://web, headers: {a: '${X}'}}]}\n", "e.yaml:4:49: spec.load.tasks[0].headers.a: "),
        ("  load: {tasks: [{get: http://web, body: '${X}'}]}\n", "e.yaml:4:42: spec.load.tasks[0].body: "),
        ("  load: {tasks: [{get: http://web, json: [{a: '${X}'}]}]}\n", "e.yaml:4:47: spec.load.tasks[0].json[0].a: "),
        ("  services: {web: {command: [x], env: {A: '${X}'}}}\n", "e.yaml:4:43: spec.services.web.env.A: "),
    ],
)
def test_a_missing_variable_is_one_problem_at_its_line(spec: str, problem: str) -> None:
    (told,) = read(spec).problems
    assert str(told).startswith(f"{problem}the environment has no variable") and told.code == "environment"


def test_other_fields_are_texts_as_they_are() -> None:
    assert read("  description: costs ${X}\n").problems == ()


def test_a_url_is_checked_with_its_values() -> None:
    (told,) = read("  load: {tasks: [{get: '${HOST}/x'}]}\n").problems
    assert "'web/x' is not a URL" in str(told)


# ---------------------------------------------------------------------------------------------- what is recorded


def test_a_value_in_another_text_is_written_as_its_name() -> None:
    redact = Redaction({"TOKEN": "s3cret", "LONG": "s3cret-and-more", "PIN": "12"}, {"/a?pin=12": "/a?pin=${PIN}"})
    assert redact("it said s3cret-and-more, s3cret") == "it said ${LONG}, ${TOKEN}"
    assert (redact("/a?pin=12"), redact("12 requests")) == ("/a?pin=${PIN}", "12 requests")


@pytest.mark.parametrize("header", ["Authorization", "cookie", "x-auth-token", "X-API-Key", "api-key"])
def test_these_headers_are_credentials(header: str) -> None:
    assert is_credential(header) and not is_credential(f"{header}-policy")


LITERAL = """\
# ümlaut
apiVersion: chaos/v1alpha1
kind: Experiment
spec:
  load:
    tasks:
    - get: http://web/
      headers: {authorization: Bearer abc, cookie: &jar "a=b", x-trace: kept, X-Api-Key: "${KEY}"}
    - get: http://web/b
      headers:
        cookie: *jar
        x-auth-token: |
          line one
          line two
    - {get: http://web/c, headers: {api-key: 12345}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, labels: {my-key: kept}}
spec:
  hosts: [web]
  http:
  - match: [{headers: {cookie: {regex: "kept.*"}}}]
    headers: {request: {set: {authorization: Basic xyz, x: kept}}}
    route: [{destination: {host: web}}]
"""


def test_a_credential_in_the_file_is_hidden_where_its_text_is_recorded() -> None:
    shown = without_credentials(LITERAL)
    for secret in ("abc", "a=b", "line one", "line two", "12345", "xyz"):
        assert secret not in shown
    assert shown.count("kept") == LITERAL.count("kept") and "${KEY}" in shown
    assert without_credentials(shown) == shown
    documents = read_documents(shown, "e.yaml")
    assert not documents.problems
    tasks = documents.documents[0].value["spec"]["load"]["tasks"]
    assert tasks[1]["headers"] == {"cookie": HIDDEN, "x-auth-token": HIDDEN}


def test_a_file_without_credentials_is_recorded_as_it_is() -> None:
    for text in (HEAD + TASK + RULES, "a: [2001:db8::]\n", "a: [", ""):
        assert without_credentials(text) == text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("spec.load.tasks[0].headers.authorization=Bearer abc", f"spec.load.tasks[0].headers.authorization={HIDDEN}"),
        ("spec.load.tasks=[{get: http://web, headers: {x-token: abc}}]", f"spec.load.tasks={HIDDEN}"),
        ("--set=spec.load.tasks[0].headers.cookie=a=b", f"--set=spec.load.tasks[0].headers.cookie={HIDDEN}"),
        ("spec.load.tasks[0].headers.authorization=Bearer ${TOKEN}", None),
        ("spec.load.users=5", None),
        ("--seed", None),
    ],
)
def test_a_credential_on_the_command_line_is_hidden(given: str, kept: str | None) -> None:
    assert command_without_credentials(("chaos", "run", given)) == ("chaos", "run", kept or given)


def test_a_message_has_the_name_of_a_value_that_it_quotes() -> None:
    (told,) = read("  load: {tasks: [{get: '${TOKEN}/x'}]}\n").problems
    assert "'${TOKEN}/x' is not a URL" in told.message
    reading = read("  services: {web: {command: [x], env: {A: '${TOKEN}'}}}\n")
    assert reading.problem(("spec",), "s3cret is unknown").message == "${TOKEN} is unknown"
