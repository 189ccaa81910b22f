"""Read an experiment from texts: the Experiment document (or defaults), the Istio resources, and every problem.

The caller reads the files: `load` gets the name of a further file from `spec.resources` and returns its path and text.
Only the shape is checked here; `chaos.mesh` has Istio's admission and analyzers, other modules of this folder the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from chaos.errors import InvalidInput, Location, Problem, Severity
from chaos.experiment.attached import Attached, Load, attached_files, unreadable
from chaos.experiment.environment import Expansion
from chaos.experiment.feeder import Pieces
from chaos.experiment.feeder_file import FeederFile, column_problems, is_fed, read_feeder, unused
from chaos.experiment.model import API_VERSION, KIND, Experiment
from chaos.experiment.overrides import apply_overrides
from chaos.experiment.redaction import Redaction
from chaos.experiment.routing_test import TestsRead, read_tests, split
from chaos.mesh.model.resources import Resources
from chaos.mesh.read.documents import read_resources
from chaos.mesh.read.shape import validate_model
from chaos.mesh.source.document import Document, Documents, Path, field_path, read_documents
from chaos.policies.check import match_problems
from chaos.policies.read import PolicyRead, read_policies, split_policies


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Everything that was read. `document` is the Experiment document as written, None if there is none, so that its
    defaults apply; in `experiment` the variables of the environment have been replaced, whose values are `used`.
    `files` are without those of `tests` and `policies`; `attached` are the files of bodies,
    by their names as written. `feeder` has the rows of spec.load.feeder, and `fed` the texts of the tasks in which
    columns stand, of which the experiment has the first row's values."""

    file: str
    experiment: Experiment
    document: Document | None
    resources: Resources
    texts: Mapping[str, str]
    problems: tuple[Problem, ...]
    files: tuple[Documents, ...] = field(repr=False, default=())
    used: Mapping[str, str] = field(repr=False, default_factory=dict)
    attached: Mapping[str, Attached] = field(repr=False, default_factory=dict)
    tests: tuple[TestsRead, ...] = field(repr=False, default=())
    policies: tuple[PolicyRead, ...] = field(repr=False, default=())
    feeder: FeederFile | None = field(repr=False, default=None)
    fed: Mapping[Path, Pieces] = field(repr=False, default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the run: metadata.name, else the file's name."""
        return self.experiment.metadata.name or stem(self.file)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def locate(self, path: Path) -> Location:
        """Return the location of a field of the Experiment; the beginning of the file if there is no Experiment."""
        return self.document.locate(path) if self.document is not None else Location(self.file)

    def problem(self, path: Path, message: str, severity: Severity = "error", code: str = "") -> Problem:
        """Return a problem of a field of the Experiment, with names for the environment's values in its message."""
        return Problem(self.locate(path), field_path(path), Redaction(self.used)(message), severity, code)

    def require(self) -> Reading:
        """Return itself. Raises InvalidInput if any problem is an error."""
        if self.errors:
            raise InvalidInput(self.errors)
        return self


def read_experiment(
    sources: Sequence[tuple[str, str]],
    load: Load | None = None,
    overrides: Sequence[tuple[Path, Any]] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
    attach: Load | None = None,
) -> Reading:
    """Read one experiment from one or more (file, text). Errors are in `problems`. `attach` reads the files of bodies;
    without it there are none, for those who send no requests.

    Raises InvalidInput only for an override of a field that cannot be set."""
    texts: dict[str, str] = dict(sources)
    files = [read_documents(text, file) for file, text in sources]
    own = [document for each in files for document in each if _is_experiment(document)]
    problems: list[Problem] = []
    document = apply_overrides(own[0] if own else None, overrides)
    feeder, found = read_feeder(document, attach)
    problems += found
    expansion = Expansion(environment, feeder, unread=feeder is None and is_fed(document))
    experiment, found = _experiment(document, own[1:], expansion)
    problems += found
    if document is not None and feeder is not None:
        problems += column_problems(document, feeder, expansion.fed)
        problems += unused(document, feeder, expansion.fed) if not found else ()
    attached, found = attached_files(experiment, document, attach)
    problems += found
    more, found = _resources_named(experiment, document, load, texts)
    problems += found
    files += more
    parted_policies = [split_policies(each) for each in files]
    files = [file for file, _ in parted_policies]
    policies, found = read_policies(document for _, documents in parted_policies for document in documents)
    problems += found
    problems += match_problems(policies)
    parted = [split(each) for each in files]
    files = [file for file, _ in parted]
    tests, found = read_tests(document for _, documents in parted for document in documents)
    problems += found
    problems += [problem for each in files for problem in (*each.problems, *each.notes)]
    resources, found = read_resources(document for each in files for document in each)
    problems += found
    file = own[0].file if own else sources[0][0]
    redact = Redaction(expansion.used)
    told = tuple(replace(each, message=redact(each.message)) for each in dict.fromkeys(problems))
    return Reading(
        file,
        experiment,
        document,
        resources,
        texts,
        told,
        tuple(files),
        expansion.used,
        attached,
        tests,
        policies,
        feeder,
        expansion.fed,
    )


def stem(file: str) -> str:
    """Return a file's name without folder and extension, as a valid name: `a-b` for `rules/a b.yaml`."""
    base = file.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base.rsplit(".", 1)[0]).strip(".-") or "experiment"


def _is_experiment(document: Document) -> bool:
    value = document.value
    return isinstance(value, dict) and value.get("kind") == KIND and value.get("apiVersion") == API_VERSION


def _experiment(
    document: Document | None, others: Sequence[Document], expansion: Expansion
) -> tuple[Experiment, list[Problem]]:
    if document is None:
        return Experiment(), []
    experiment, problems = validate_model(Experiment, expansion.document(document), document)
    problems = _with_missing(problems, expansion.problems)
    for other in others:
        message = f"a second Experiment; the first is at {document.locate()}, and one run has one"
        problems.append(Problem(other.locate(), "", message, "error", "duplicate"))
    return experiment or Experiment(), problems


def _with_missing(problems: list[Problem], missing: list[Problem]) -> list[Problem]:
    """Return the problems with those of variables, which are said first; what a text without its value is otherwise
    said to be is left out."""
    places = {problem.location for problem in missing}
    return [*missing, *(problem for problem in problems if problem.location not in places)]


def _resources_named(
    experiment: Experiment, document: Document | None, load: Load | None, texts: dict[str, str]
) -> tuple[list[Documents], list[Problem]]:
    """Read the files in spec.resources, which may hold Istio documents and tests only. Return them and the problems;
    `texts` gets their texts."""
    files: list[Documents] = []
    problems: list[Problem] = []
    if document is None or load is None:
        return files, problems
    for index, name in enumerate(experiment.spec.resources):
        path: Path = ("spec", "resources", index)
        try:
            file, text = load(document.file, name)
        except InvalidInput as error:
            problems.append(unreadable(document, path, error))
            continue
        if file in texts:
            problems.append(
                Problem(document.locate(path), field_path(path), f"{file} has been read already", "error", "file")
            )
            continue
        texts[file] = text
        read = read_documents(text, file)
        files.append(read)
        problems += [
            Problem(each.locate(), "kind", "an Experiment in a file of resources; only Istio documents belong here")
            for each in read
            if _is_experiment(each)
        ]
    return files, problems
