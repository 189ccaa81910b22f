"""Which match entries the tests reach."""

from __future__ import annotations

from pathlib import Path

from chaos.route_tests.coverage import Coverage
from chaos.runner.route_testing import run_tests

RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec:
  hosts: [web]
  http:
  - name: two
    match:
    - {uri: {exact: /a}}
    - {uri: {exact: /b}}
    route: [{destination: {host: web}}]
  - name: other-port
    match: [{port: 9999}]
    route: [{destination: {host: web}}]
  - name: handed-on
    match: [{uri: {prefix: /d}}]
    delegate: {name: leaf}
  - name: rest
    route: [{destination: {host: web}}]
  - name: dead
    route: [{destination: {host: web}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: leaf}
spec:
  http:
  - match: [{uri: {prefix: /d/1}}, {uri: {prefix: /d/2}}]
    route: [{destination: {host: web}}]
  - route: [{destination: {host: web}}]
---
apiVersion: chaos/v1alpha1
kind: RoutingTest
spec:
  tests:
"""


def covered(folder: Path, *paths: str) -> Coverage:
    file = folder / "rules.yaml"
    tests = "".join(f"  - {{request: 'http://web{path}', expect: {{destination: web}}}}\n" for path in paths)
    file.write_text(RULES + tests)
    tested = run_tests([str(file)])
    assert not tested.failed
    return tested.coverage


def shown(coverage: Coverage) -> list[str]:
    return [str(each).partition(": not reached: ")[2] for each in coverage.unreached]


def test_each_entry_counts_with_its_place(tmp_path: Path) -> None:
    found = covered(tmp_path, "/a", "/x")
    assert (found.total, found.reached) == (9, 2)
    first = found.unreached[0]
    assert (first.rule, first.entry, first.location.line, first.location.column) == ("two", 1, 10, 7)


def test_a_delegates_entries_count_and_so_does_the_rule_that_hands_on(tmp_path: Path) -> None:
    left = shown(covered(tmp_path, "/a", "/b", "/d/2", "/d/3", "/x"))
    assert left == [
        "other-port match[0] (port 9999 is not the listener's port 80)",
        "dead (comes after rest, which takes every request)",
        "leaf[0] match[0]",
    ]


def test_without_a_rule_everything_is_reached() -> None:
    assert Coverage(0, ()).percent == 100.0
