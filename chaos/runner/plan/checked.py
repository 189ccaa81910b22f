"""Read and check files: return the experiment, the plan of its services, and every problem, before a process starts.

Only `read_files` opens files, and asks for variables of the environment; everything else is computed from texts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from chaos.errors import InvalidInput, Problem
from chaos.experiment.further_listeners import twice
from chaos.experiment.listeners import listener_problems
from chaos.experiment.overrides import parse_override
from chaos.experiment.patience import patience_problems
from chaos.experiment.plain_http import https_problems
from chaos.experiment.read import Reading, read_experiment
from chaos.experiment.safety import directed, entry_problems, safety_problems, task_problems
from chaos.experiment.services import Addresses, ServicePlan, plan_services, proxy_of, registry_of
from chaos.experiment.tasks import tasks_of
from chaos.mesh.check.report import check_documents, refusals
from chaos.mesh.compile.rules import compile_rules
from chaos.mesh.names import full_name
from chaos.mesh.upstream.registry import Registry
from chaos.runner.plan.calls import call_problems
from chaos.runner.plan.fed_rows import row_problems
from chaos.runner.plan.files import beside, read_text
from chaos.runner.plan.policies import unknown_phases, unrouted

Read = Callable[[str], str]
"""Returns a file's text by its name. Raises InvalidInput."""

_PLANNED = ("127.0.0.1", 1)
"""Stands for the address of a service that has not been started. The rules' decisions do not depend on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One experiment, read and checked. `problems` has all problems, in the order of the files.

    `refused` are the errors with which nothing can start. Errors of an analyzer, such as an unknown destination, do not
    belong to them: a cluster accepts such rules, and the proxy responds with 503. `files` and `overrides` are as they
    were given."""

    reading: Reading
    services: ServicePlan
    problems: tuple[Problem, ...]
    refused: tuple[Problem, ...]
    files: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def require(self) -> Prepared:
        """Return itself. Raises InvalidInput with everything that a cluster would refuse, or that we cannot run."""
        if self.refused:
            raise InvalidInput(self.refused)
        return self

    def require_sound(self) -> Prepared:
        """Return itself. Raises InvalidInput with every error, those of the analyzers too."""
        if self.errors:
            raise InvalidInput(self.errors)
        return self

    def registry(self, addresses: Addresses | None = None) -> Registry:
        """Return the registry with the addresses of the started services, or with stand-ins if None, for callers that
        only need the rules' decisions."""
        if addresses is None:
            addresses = {instance.key: _PLANNED for instance in self.services.instances()}
        return registry_of(self.reading, self.services, addresses)


def read_files(
    files: Sequence[str], overrides: Sequence[str] = (), read: Read = read_text, *, attach: bool = True
) -> Reading:
    """Read one experiment from one or more files, with those of its bodies if `attach`. Raises InvalidInput if a file
    cannot be read at all."""

    def load(base: str, name: str) -> tuple[str, str]:
        path = beside(base, name)
        return path, read(path)

    sources = [(file, read(file)) for file in files]
    settings = [parse_override(text) for text in overrides]
    return read_experiment(sources, load, settings, os.environ, load if attach else None)


def prepare(
    files: Sequence[str], overrides: Sequence[str] = (), *, thorough: bool = True, read: Read = read_text
) -> Prepared:
    """Read and check files. Raises InvalidInput only if a file cannot be read; other errors are in `problems`."""
    found = check(read_files(files, overrides, read, attach=thorough), thorough=thorough)
    if thorough:
        found = _with_calls(found)
    return replace(found, files=tuple(files), overrides=tuple(overrides))


def _with_calls(found: Prepared) -> Prepared:
    """Return it with the problems of gRPC calls, whose .proto files are compiled for that."""
    calls = call_problems(found.reading)
    said = [*found.problems, *calls]
    refused = [*found.refused, *(each for each in calls if each.severity == "error")]
    reading = found.reading
    return replace(found, problems=_in_order(said, reading), refused=_in_order(refused, reading))


def check(reading: Reading, *, thorough: bool = True) -> Prepared:
    """Check what was read: shape, admission, our own document, and if `thorough` analyzers and pitfalls."""
    services = plan_services(reading)
    own = [*services.problems, *safety_problems(reading, services), *_two_loads(reading), *twice(reading, services)]
    own += unknown_phases(reading)
    if thorough:
        own += _task_problems(reading, services)
    refused = [*reading.errors, *own, *entry_problems(reading, services), *refusals(reading.resources)]
    said = [*reading.problems, *own, *(check_documents(reading.files) if thorough else refused)]
    return Prepared(reading, services, _in_order(said, reading), _in_order(refused, reading))


def _two_loads(reading: Reading) -> list[Problem]:
    """Return the problem of tasks beside a locustfile: nobody would send them, and their rules would see no traffic."""
    load = reading.experiment.spec.load
    if not load.locustfile or not load.tasks:
        return []
    message = "a locustfile sends its own requests, and these would not be sent; leave out one of the two"
    return [reading.problem(("spec", "load", "tasks"), message, code="two-loads")]


def _task_problems(reading: Reading, services: ServicePlan) -> list[Problem]:
    """Return the problems of the tasks, of the proxy's port, and of policies for hosts that nobody routes to."""
    tasks = [directed(task, reading, services) for task in tasks_of(reading)]
    found = [*task_problems(reading, services, tasks), *https_problems(reading, tasks)]
    if reading.errors or refusals(reading.resources) or (found and not reading.policies):
        return found
    addresses = {instance.key: _PLANNED for instance in services.instances()}
    rules = compile_rules(reading.resources, registry_of(reading, services, addresses), proxy_of(reading))
    found += unrouted(reading, rules)
    if found:
        return found
    applications, namespace = services.applications(), proxy_of(reading).namespace
    through = [replace(task, direct=task.direct or full_name(task.host, namespace) in applications) for task in tasks]
    return [
        *listener_problems(reading, rules, through),
        *patience_problems(reading, rules, through),
        *row_problems(reading, rules, through),
    ]


def _in_order(problems: Iterable[Problem], reading: Reading) -> tuple[Problem, ...]:
    """Return each problem once, in the order of file and line."""
    files = {file: index for index, file in enumerate(reading.texts)}
    return tuple(sorted(dict.fromkeys(problems), key=lambda each: (files.get(each.location.file, -1), each.location)))
