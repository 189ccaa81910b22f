"""What is wrong in a policy is said at its line, with what would be right."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest
from support.mesh import virtual_service
from support.policies import policy, reading, rules

from chaos.policies.check import routing_problems
from chaos.policies.fault import Fault
from chaos.policies.kinds import KINDS

PAGE = (Path(__file__).parents[2] / "docs/faults.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def said(fault: str, more: str = "") -> list[str]:
    return [f"{each.path}: {each.message}" for each in reading(policy(fault, more=more)).problems]


@pytest.mark.parametrize(
    ("fault", "more", "problem"),
    [
        ("{truncate: {}}", "", "truncate: needs either bytes or share: how much of the body arrives"),
        ("{truncate: {bytes: 1, share: 5}}", "", "truncate: needs either bytes or share: how much of the body arrives"),
        ("{truncate: {share: 100%}}", "", "truncate: a share of 100% is the whole body; write less"),
        ("{truncate: {share: 101%}}", "", "truncate.share: '101%' is not between 0 and 100"),
        ("{truncate: {bytes: -1}}", "", "truncate.bytes: "),
        ("{close: {bytes: -1}}", "", "close.bytes: "),
        ("{stall: {bytes: 1.5}}", "", "stall.bytes: "),
        ("{corrupt: {}}", "", "corrupt.bytes: "),
        ("{corrupt: {bytes: 0}}", "", "corrupt.bytes: "),
        ("{corrupt: {bytes: 5000}}", "", "corrupt.bytes: 5000 bytes are more than 1024, the most that are changed"),
        ("{patch: {}}", "", "patch: changes nothing; write headers, body, or both"),
        ("{patch: {headers: {}}}", "", "patch.headers: changes nothing; write set, add or remove"),
        ("{patch: {headers: {set: {a b: c}}}}", "", 'patch.headers.set: "a b" is not a header name'),
        ("{patch: {headers: {remove: [Content-Length]}}}", "", "patch.headers.remove: Content-Length is made by the"),
        ('{patch: {headers: {add: {a: "b\\r\\nc: d"}}}}', "", "patch.headers.add: the value of a has a line end"),
        (
            "{status: {code: 200, headers: {x-chaos-route: a}}}",
            "",
            "status.headers: x-chaos-route is made by the gateway",
        ),
        (
            "{reset: {bytes: 1}}",
            "scope: upstream",
            "reset.bytes: a response that has begun is not retried; leave bytes",
        ),
        (
            "{stall: {bytes: 1}}",
            "scope: upstream",
            "stall.bytes: a response that has begun is not retried; leave bytes",
        ),
        ("{reset: {}, close: {}}", "", ": reset and close are 2 faults; a policy has one: write one policy each"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fault: str, more: str, problem: str):
    (found,) = said(fault, more)
    assert found.startswith("spec.fault") and problem in found


@pytest.mark.parametrize("fault", ["{truncate: {bytes: 1}}", "{corrupt: {bytes: 1}}", "{patch: {body: a}}"])
def test_a_response_that_has_begun_has_no_upstream_scope(fault: str):
    (found,) = said(fault, "scope: upstream")
    assert found.startswith("spec.scope: ") and "a response that has begun is not retried" in found


@pytest.mark.parametrize("fault", ["{close: {}}", "{stall: {}}", "{reset: {}}", "{status: {code: 503}}"])
def test_the_end_of_an_attempt_has_one(fault: str):
    assert said(fault, "scope: upstream") == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_the_examples_of_the_page_are_right(example: str):
    if example.startswith("fault:"):
        faults = re.split(r"^fault:", example, flags=re.MULTILINE)[1:]
        example = "---\n".join(policy(indent(each, "  "), name=f"p{number}") for number, each in enumerate(faults))
    assert not reading(example).problems


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_page_tells_of_every_fault_and_field(kind: type[Fault]):
    section = PAGE.split(f"\n## `{kind.kind}`\n")[1].split("\n## ")[0]
    fields = [field.alias or name for name, field in kind.model_fields.items()]
    assert [name for name in fields if not re.search(rf"\b{name}\b", section)] == []
    assert f"](#{kind.kind})" in PAGE and ("Scopes:" in section) is (len(kind.scopes) > 1)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (
            "- directResponse: {status: 200, body: {string: abc}}",
            "5 bytes of bodies that have 3 at most; write 3 or",
        ),
        (
            "- directResponse: {status: 200}",
            "5 bytes of bodies that have 0 at most; they have none, so leave",
        ),
        ("- directResponse: {status: 200, body: {string: abcde}}", ""),
        ("- route: [{destination: {host: web}}]", ""),
    ],
)
def test_more_bytes_than_the_rules_themselves_answer_with_cannot_be_corrupted(rule: str, problem: str):
    read = reading(virtual_service(rule), policy("{corrupt: {bytes: 5}}")).require()
    made = rules(virtual_service(rule), policy("{corrupt: {bytes: 5}}"))
    found = [f"{each.path}: {each.message}" for each in routing_problems(read.policies, made)]
    assert len(found) == bool(problem)
    assert not problem or found[0].startswith(f"spec.fault.corrupt.bytes: {problem}")
