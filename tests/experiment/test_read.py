"""Texts into an experiment: defaults, problems with their place, further files, settings from the command line."""

from __future__ import annotations

import pytest

from chaos.errors import InvalidInput
from chaos.experiment.overrides import parse_override
from chaos.experiment.read import read_experiment, stem

VS = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - route: [{destination: {host: web}}]
"""


def document(spec: str) -> str:
    return f"apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n  {spec}\n---\n{VS}"


def problems(spec: str) -> list[str]:
    return [str(problem) for problem in read_experiment([("e.yaml", document(spec))]).problems]


def test_a_virtual_service_alone_is_an_experiment_with_all_defaults():
    reading = read_experiment([("rules/blog post.yaml", VS)])
    spec = reading.experiment.spec
    assert (reading.name, len(reading.resources), reading.problems) == ("blog-post", 1, ())
    assert (spec.load.users, spec.load.spawn_rate, spec.services, spec.verify.confidence) == (20, 100.0, None, 99.0)
    assert (spec.proxy.gateway, spec.proxy.namespace) == ("mesh", "default")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("laod: {}", "e.yaml:4:3: spec.laod: unknown field `laod`; did you mean `load`?"),
        ("load: {users: many}", "e.yaml:4:17: spec.load.users:"),
        ("load: {users: 0}", "e.yaml:4:17: spec.load.users: 0 is less than 1"),
        (
            "load: {duration: 5}",
            "e.yaml:4:20: spec.load.duration: 5 is not a duration; write it like 5s, 100ms or 1m30s",
        ),
        ("load: {duration: 0s}", "e.yaml:4:20: spec.load.duration: '0s' is not longer than 0s"),
        ("load: {until: bored}", "e.yaml:4:17: spec.load.until:"),
        ("load: {tasks: [{}]}", "e.yaml:4:18: spec.load.tasks[0]: needs one target"),
        ("load: {tasks: [{get: web}]}", "e.yaml:4:18: spec.load.tasks[0]: 'web' is not a URL"),
        ("load: {tasks: [{get: http://a/, post: http://a/}]}", "e.yaml:4:18: spec.load.tasks[0]: needs one target"),
        ("verify: {confidence: 100}", "e.yaml:4:24: spec.verify.confidence: 100 is not less than 100"),
        ("services: {web: {}}", "e.yaml:4:14: spec.services.web: needs exactly one of endpoints, builtin and command"),
        ("services: {web: {builtin: proxy}}", "e.yaml:4:14: spec.services.web: builtin: proxy needs url"),
        (
            "services: {web: {builtin: webserver, cwd: x}}",
            "e.yaml:4:14: spec.services.web: cwd cannot be used with webserver",
        ),
        (
            "services: {web: {endpoints: [{address: here}]}}",
            "spec.services.web.endpoints[0].address: 'here' is not an address",
        ),
        ("phases: [{name: a b}]", "e.yaml:4:19: spec.phases[0].name:"),
        ("phases: [{name: a, faults: maybe}]", "spec.phases[0].faults: 'maybe' is neither on nor off"),
        ("search: {vary: web.abort, from: 0, to: 120, hold: x}", "spec.search.to: 120 is not between 0 and 100"),
        ("seed: -1", "e.yaml:4:9: spec.seed: -1 is less than 0"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(spec, problem):
    assert any(problem in each for each in problems(spec)), problems(spec)


def test_all_problems_are_told_at_once():
    assert len(problems("{load: {users: 0, duration: 5}, verify: {confidence: 100}}")) == 3


def test_faults_are_switched_by_the_words_that_yaml_reads_as_booleans():
    text = document("phases: [{name: a, faults: off}, {name: b, faults: on}, {name: c, faults: 'off'}]")
    phases = read_experiment([("e.yaml", text)]).experiment.spec.phases
    assert [phase.faults for phase in phases] == [False, True, False]


def test_a_second_experiment_is_refused():
    text = document("seed: 1") + "---\napiVersion: chaos/v1alpha1\nkind: Experiment\n"
    (problem,) = read_experiment([("e.yaml", text)]).problems
    assert "a second Experiment; the first is at e.yaml:1:1" in problem.message


def test_resources_name_further_files():
    asked = []

    def load(base: str, name: str) -> tuple[str, str]:
        asked.append((base, name))
        return f"dir/{name}", VS

    reading = read_experiment([("e.yaml", document("resources: [more.yaml]").split("---")[0])], load)
    assert asked == [("e.yaml", "more.yaml")]
    assert len(reading.resources) == 1 and list(reading.texts) == ["e.yaml", "dir/more.yaml"]


def test_a_further_file_that_is_missing_is_told_where_it_is_named():
    def load(base: str, name: str) -> tuple[str, str]:
        raise InvalidInput.at(name, "there is no such file")

    (problem,) = read_experiment([("e.yaml", document("resources: [gone.yaml]"))], load).problems
    assert str(problem) == "e.yaml:4:15: spec.resources[0]: gone.yaml: there is no such file"


@pytest.mark.parametrize(
    ("setting", "get"),
    [
        ("spec.load.users=50", lambda spec: spec.load.users == 50),
        ("spec.load.duration=3s", lambda spec: spec.load.duration == 3.0),
        ("spec.load.tasks[0].weight=3", lambda spec: spec.load.tasks[0].weight == 3),
        ("spec.load.tasks=[{get: http://b/}]", lambda spec: spec.load.tasks[0].get == "http://b/"),
        (
            'spec.proxy.labels["app.kubernetes.io/name"]=shop',
            lambda spec: "app.kubernetes.io/name" in spec.proxy.labels,
        ),
        ("spec.services=", lambda spec: spec.services is None),
    ],
)
def test_settings_from_the_command_line_win(setting, get):
    text = document("{services: {web: {builtin: webserver}}, load: {users: 5, tasks: [{get: http://web/}]}}")
    reading = read_experiment([("e.yaml", text)], overrides=[parse_override(setting)])
    assert not reading.problems
    assert get(reading.experiment.spec)


def test_settings_work_without_an_experiment_document():
    reading = read_experiment([("vs.yaml", VS)], overrides=[parse_override("spec.load.users=7")])
    assert reading.experiment.spec.load.users == 7


@pytest.mark.parametrize(
    "text", ["users=5", "spec.load.users", "spec..x=1", "spec.load.tasks[9].weight=1", "spec.a=[1"]
)
def test_a_setting_that_cannot_be_made_is_refused(text):
    with pytest.raises(InvalidInput):
        read_experiment([("e.yaml", document("seed: 1"))], overrides=[parse_override(text)])


@pytest.mark.parametrize(
    ("file", "name"), [("a/b.yaml", "b"), ("x y!.yml", "x-y"), ("..", "experiment"), ("dir/", "dir")]
)
def test_a_file_without_a_name_of_its_own_is_named_after_itself(file, name):
    assert stem(file) == name


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://web:99999/", "99999 is not a port; ports are 1 to 65535"), ("http://web:x", "x is not a port")],
)
def test_a_task_with_a_port_that_is_none_is_located(url: str, expected: str) -> None:
    (problem,) = read_experiment([("e.yaml", document(f"load: {{tasks: [{{get: '{url}'}}]}}"))]).problems
    assert problem.path == "spec.load.tasks[0]" and expected in problem.message


MESSAGES = [
    ("{verify: {confidence: 0.99}}", "0.99 is less than 50; write 99, as it is in percent", "99"),
    ("{verify: {confidence: 99%}}", 'expected a number, not "99%"; write 99, as it is in percent', "99"),
    ("{verify: {tolerance: abc}}", 'expected a number, not "abc"', None),
    ("{load: {users: many}}", 'expected a whole number, not "many"', None),
    ("{seed: x}", 'expected a whole number, not "x"', None),
]


@pytest.mark.parametrize(("spec", "message", "fix"), MESSAGES)
def test_a_value_that_does_not_fit_is_told_in_plain_words(spec: str, message: str, fix: str | None) -> None:
    text = f"apiVersion: chaos/v1alpha1\nkind: Experiment\nmetadata: {{name: x}}\nspec: {spec}\n"
    (problem,) = [each for each in read_experiment([("e.yaml", text)]).problems if each.severity == "error"]
    assert (problem.message, problem.fix) == (message, fix)
