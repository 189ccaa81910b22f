"""Run tests of routing: read the files, compile the rules for each proxy, and put every request to them.

Nothing is started and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from chaos.errors import InvalidInput, Location, Problem
from chaos.experiment.model import Proxy
from chaos.experiment.read import Reading
from chaos.experiment.routing_test import RoutingTest
from chaos.experiment.services import proxy_of
from chaos.mesh.compile.rules import compile_rules
from chaos.mesh.source.document import Path, field_path
from chaos.route_tests.answer import Subject
from chaos.route_tests.assumed import with_delegates, with_gateway, with_ports
from chaos.route_tests.cases import Case, cases_of
from chaos.route_tests.coverage import Coverage, coverage
from chaos.route_tests.judge import Outcome, judge
from chaos.runner.plan.checked import Prepared, Read, check, read_files
from chaos.runner.plan.files import beside, read_text

_NOTHING_SENT = {"beyond-loopback", "environment"}
"""The codes of problems that do not matter where nothing is sent: endpoints elsewhere, and variables of the environment
that the load would need."""

_NO_TESTS = "no tests: give the Experiment spec.tests, or name a file with a RoutingTest, too"
_NO_RULES = (
    "no rules to test: name a file with VirtualServices, too, or give spec.resources (of several experiments each is "
    "tested alone)"
)


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Every test of some files, and what they reach together. `notes` name what the files lack, each once."""

    outcomes: tuple[Outcome, ...]
    coverage: Coverage
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(each for each in self.outcomes if not each.passed)


def run_tests(files: Sequence[str], overrides: Sequence[str] = ()) -> Tested:
    """Run the tests in these files. They are one set; but if several of them are experiments, or name their rules
    themselves, each file is one. Raises InvalidInput with every problem of a set."""
    read = cache(read_text)  # each file once: a pipe cannot be read again
    readings = [_read_set(names, overrides, read) for names in _sets(files, read)]
    problems = [problem for reading in readings for problem in _problems(reading)]
    tested = [reading for reading in readings if _has_tests(reading)]
    if not problems and not tested:
        problems = [Problem(Location(reading.file), "", _NO_TESTS) for reading in readings]
    if problems:
        raise InvalidInput(problems)
    sets = [_Set(reading) for reading in tested]
    outcomes = tuple(outcome for each in sets for outcome in each.run())
    subjects = [subject for each in sets for subject in each.subjects.values()]
    found = coverage([reading.resources for reading in readings], outcomes, subjects)
    without = [f"{reading.file} has no tests" for reading in readings if not _has_tests(reading)]
    notes = [note for outcome in outcomes for note in outcome.notes]
    return Tested(outcomes, found, tuple(dict.fromkeys([*without, *notes])))


def _sets(files: Sequence[str], read: Read) -> list[list[str]]:
    files = list(dict.fromkeys(files))
    if len(files) == 1:
        return [files]
    whole = [file for file in files if _stands_alone(read_files([file], read=read, attach=False))]
    return [files] if len(whole) < 2 else [[file] for file in files]


def _read_set(files: Sequence[str], overrides: Sequence[str], read: Read) -> Reading:
    """Read the files of a set, and those that its tests name as their rules. Raises InvalidInput."""
    while True:
        reading = read_files(files, overrides, read, attach=False)
        more = _named_by_tests(reading, read)
        if not more:
            return reading
        files = [*files, *more]


def _named_by_tests(reading: Reading, read: Read) -> list[str]:
    """Return the files that tests name and that have not been read. Raises InvalidInput for those that cannot be."""
    found: dict[str, None] = {}
    problems: list[Problem] = []
    for each in reading.tests:
        for index, name in enumerate(each.content.spec.resources if isinstance(each.content, RoutingTest) else ()):
            file = beside(each.document.file, name)
            try:
                read(file)
            except InvalidInput as error:
                path: Path = ("spec", "resources", index)
                message = f"{file}: {error.problems[0].message}"
                problems.append(Problem(each.document.locate(path), field_path(path), message, "error", "file"))
            found[file] = None
    if problems:
        raise InvalidInput(problems)
    return [file for file in found if file not in reading.texts]


def _stands_alone(reading: Reading) -> bool:
    """Return whether a file says itself which rules its tests are about: an Experiment, or tests with resources."""
    named = (each.content.spec.resources for each in reading.tests if isinstance(each.content, RoutingTest))
    return reading.document is not None or any(named)


def _problems(reading: Reading) -> list[Problem]:
    """Return the errors of a set's documents, and what is missing."""
    errors = _that_matter(reading.errors)
    if errors or not _has_tests(reading) or reading.resources.virtual_services:
        return errors
    return [Problem(reading.tests[0].document.locate() if reading.tests else reading.locate(()), "", _NO_RULES)]


def _has_tests(reading: Reading) -> bool:
    return bool(reading.experiment.spec.tests or reading.tests)


class _Set:
    """The rules and the tests of one set of files. Rules are compiled once for each proxy."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.subjects: dict[tuple[str, bool], Subject] = {}
        self._ports: tuple[int, ...] = ()

    def run(self) -> list[Outcome]:
        """Return what comes of every test. Raises InvalidInput for rules that Istio refuses."""
        cases = cases_of(self.reading)
        self._ports = tuple(sorted({case.port for case in cases if case.port is not None}))
        return [judge(case, self._subject(case)) for case in cases]

    def _subject(self, case: Case) -> Subject:
        key = (case.proxy.model_dump_json(), case.delegates)
        if key not in self.subjects:
            self.subjects[key] = _compiled(self.reading, case.proxy, self._ports, delegates=case.delegates)
        return self.subjects[key]


def _compiled(reading: Reading, proxy: Proxy, ports: Sequence[int], *, delegates: bool) -> Subject:
    """Compile the rules for a proxy; `ports` are those that the tests name. Raises InvalidInput."""
    spec = reading.experiment.spec.model_copy(update={"proxy": proxy})
    reading = replace(reading, experiment=reading.experiment.model_copy(update={"spec": spec}))
    resources, notes = with_gateway(reading.resources, proxy_of(reading))
    if delegates:
        resources, more = with_delegates(resources)
        notes = (*notes, *more)
    prepared = _sound(check(replace(reading, resources=resources), thorough=False))
    if not proxy_of(reading).is_gateway:
        services, more = with_ports(prepared.services, resources, ports)
        prepared, notes = replace(prepared, services=services), (*notes, *more)
    rules = compile_rules(resources, prepared.registry(), proxy_of(reading))
    return Subject(rules, resources, notes)


def _sound(prepared: Prepared) -> Prepared:
    if refused := _that_matter(prepared.refused):
        raise InvalidInput(refused)
    return prepared


def _that_matter(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.code not in _NOTHING_SENT]
