"""One look at a file shows everything: what is refused, what is warned of, what is worth knowing, each at its line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.mesh import load_resources

from chaos.errors import Location, Problem
from chaos.mesh.check.report import check, check_documents, refusals
from chaos.mesh.source.document import read_documents

HEAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: t}\nspec:\n"
TEXT = (
    HEAD
    + """\
  hosts: [web, a_b.com]
  http:
  - timeout: 5
    route: [{destination: {host: web, subset: v1}}]
    fault: {abort: {percentage: {value: 0.5}}}
  - match: [{uri: {regex: "("}}]
    retires: {attempts: 3}
    route: [{destination: {host: web}}]
"""
)


def test_a_field_of_the_wrong_shape_does_not_hide_the_other_problems() -> None:
    (report,) = check([("f.yaml", TEXT)])
    said = {
        "errors": [str(each) for each in report.errors],
        "warnings": [str(each) for each in report.warnings],
        "infos": [str(each) for each in report.infos],
    }
    assert said == {
        "errors": [
            'f.yaml:5:16: spec.hosts[1]: "a_b.com" is not a host name: "a_b" may only have letters, digits and inner -',
            "f.yaml:7:14: spec.http[0].timeout: 5 is not a duration; write it with a unit: 5s or 5ms",
            "f.yaml:10:27: spec.http[1].match[0].uri.regex: RE2 refuses this regex: missing ): (",
            "f.yaml:11:5: spec.http[1].retires: unknown field `retires`; did you mean `retries`?",
        ],
        "warnings": [],
        "infos": [
            "f.yaml:8:47: spec.http[0].route[0].destination.subset: "
            "no DestinationRule for web has a subset v1 here; without one the response is 503",
            "f.yaml:9:13: spec.http[0].fault.abort: an abort without httpStatus or grpcStatus is ignored",
            "f.yaml:9:41: spec.http[0].fault.abort.percentage.value: 0.5 means one request in 200; did you mean 50?",
        ],
    }


def test_what_follows_from_a_missing_field_alone_is_not_said() -> None:
    """`rout` is misspelt, so the rule has no route; one message is enough."""
    (report,) = check([("f.yaml", HEAD + "  hosts: [web]\n  http:\n  - rout: [{destination: {host: web}}]\n")])
    assert [problem.path for problem in report.errors] == ["spec.http[0].rout"]


def test_each_file_is_judged_on_its_own() -> None:
    text = HEAD + "  hosts: [web]\n  http: [{route: [{destination: {host: web}}]}]\n"
    reports = check([("a.yaml", text), ("b.yaml", text), ("c.yaml", "a: [")])
    assert [(report.file, len(report.errors)) for report in reports] == [("a.yaml", 0), ("b.yaml", 0), ("c.yaml", 1)]


def test_files_that_belong_together_are_judged_as_one() -> None:
    text = HEAD + "  hosts: [web]\n  http: [{route: [{destination: {host: web}}]}]\n"
    problems = check_documents([read_documents(text, "a.yaml"), read_documents(text, "b.yaml")])
    assert {problem.code for problem in problems if problem.severity == "error"} == {"duplicate", "IST0109"}


def test_refusals_are_what_a_cluster_would_not_take() -> None:
    """An unknown subset is an error to be shown, but such rules can be run: the answer is 503."""
    text = HEAD + "  hosts: [web]\n  http: [{route: [{destination: {host: web, subset: v2}}]}]\n"
    rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec: {host: web}\n"
    both = f"{text}---\n{rule}"
    (report,) = check([("f.yaml", both)])
    assert [problem.code for problem in report.errors] == ["IST0101"]
    assert refusals(load_resources(both)) == []
    assert len(refusals(load_resources(HEAD + "  hosts: [web]\n"))) == 1


EXAMPLES = sorted((Path(__file__).parents[3] / "experiments").rglob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_free_of_errors_and_warnings(path: Path) -> None:
    (report,) = check([(path.name, path.read_text())])
    assert [str(problem) for problem in (*report.errors, *report.warnings)] == []


def test_text_from_a_file_cannot_move_the_cursor() -> None:
    """Control characters and line breaks are shown as escapes: one problem is one line."""
    text = HEAD + '  hosts: ["a\\nb\\e[2J"]\n  http: [{route: [{destination: {host: "\\e]0;x\\a"}}]}]\n'
    text += '  "x\\ny": 1\n"y\\nz": 1\n'
    (report,) = check([("f.yaml", text)])
    assert len(report.errors) == 4
    assert all(str(problem).isprintable() for problem in report.errors)


def test_the_cost_of_a_large_file_grows_with_its_size_not_with_its_square() -> None:
    """A thousand VirtualServices and a thousand rules: no pair of them is compared."""
    one = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: t{0}}}\n"
    one += "spec: {{hosts: [web{0}], http: [{1}]}}\n"
    route = "route: [{destination: {host: web, subset: v1}}]"
    services = [one.format(index, f"{{{route}}}") for index in range(1000)]
    rules = ", ".join(f"{{match: [{{uri: {{prefix: /a{index}/}}}}], {route}}}" for index in range(1000))
    calls = _calls(lambda: check([("f", "---\n".join(services))]), lambda: check([("f", one.format("", rules))]))
    assert max(calls) < 1_200_000, "a million pairs would take more"


def _calls(*functions: Callable[[], object]) -> list[int]:
    """How many Python functions each one enters: a measure of work that a busy machine does not change."""
    counts = []
    for function in functions:
        entered = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal entered
            entered += event == "call"

        sys.setprofile(count)
        try:
            function()
        finally:
            sys.setprofile(None)
        counts.append(entered)
    return counts


def found(text: str) -> list[dict[str, object]]:
    (report,) = check([("f.yaml", text)])
    value = report.as_json()
    return [each for kind in ("errors", "warnings", "infos") for each in value[kind]]


def test_a_finding_for_programs_has_its_place_its_authority_and_a_fix() -> None:
    text = HEAD + "  hosts: [web]\n  htpp: []\n"
    (finding,) = found(text)
    assert finding == {
        "file": "f.yaml",
        "line": 6,
        "column": 3,
        "path": "spec.htpp",
        "code": "schema",
        "severity": "error",
        "by": "schema",
        "message": "unknown field `htpp`; did you mean `http`?",
        "fix": "http",
    }


SUBSETS = (
    "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\n"
    "spec: {host: web, subsets: [{name: v1}]}\n"
)


@pytest.mark.parametrize(
    ("rule", "path", "by", "fix"),
    [
        ("{route: [{destination: {host: web}}], timeuot: 1s}", "spec.http[0].timeuot", "schema", "timeout"),
        (
            "{route: [{destination: {host: web}}], retries: {attempts: 1, retryOn: resett}}",
            "spec.http[0].retries.retryOn",
            "admission",
            "reset",
        ),
        (
            "{route: [{destination: {host: web}, weight: -1}]}",
            "spec.http[0].route[0].weight",
            "admission",
            None,
        ),
        (
            "{route: [{destination: {host: web, subset: vv1}}]}",
            "spec.http[0].route[0].destination.subset",
            "analyzer",
            "v1",
        ),
        ("{redirect: {uri: /x, redirectCode: 300}}", "spec.http[0].redirect.redirectCode", "chaos", None),
        (
            "{match: [{uri: {prefix: a}}], route: [{destination: {host: web}}]}",
            "spec.http[0].match[0].uri.prefix",
            "chaos",
            "/a",
        ),
        (
            "{match: [{method: {exact: get}}], route: [{destination: {host: web}}]}",
            "spec.http[0].match[0].method.exact",
            "chaos",
            "GET",
        ),
    ],
)
def test_who_says_so_and_what_to_write_instead(rule: str, path: str, by: str, fix: str | None) -> None:
    said = [each for each in found(HEAD + f"  hosts: [web]\n  http:\n  - {rule}\n{SUBSETS}") if each["path"] == path]
    assert [(each["by"], each["fix"]) for each in said] == [(by, fix)]


def test_a_problem_survives_its_json() -> None:
    problem = Problem(Location("a.yaml", 3, 4), "spec.hosts[0]", "no", "warning", "IST0101", "web")
    assert Problem.from_dict(problem.to_dict()) == problem
