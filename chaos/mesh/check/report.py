"""Every finding about files of rules: what `chaos validate` prints.

Errors are what the API server and Istio's admission refuse, and what its analyzers call errors; warnings are Istio's
warnings; infos are Istio's infos and the pitfalls that Istio does not report. `refusals` are the errors that make rules
unusable: an unknown destination, for example, is an error here, but the rules can be run, and the response is 503."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaos.errors import Location, Problem
from chaos.mesh.check.admission.resource import validate
from chaos.mesh.check.analysis.resources import analyze
from chaos.mesh.check.known_services import known_services
from chaos.mesh.check.pitfalls.binding import proxy_played
from chaos.mesh.check.pitfalls.routes import pitfalls
from chaos.mesh.model.resources import Resources
from chaos.mesh.read.salvage import salvage
from chaos.mesh.source.document import Document, Documents, read_documents


@dataclass(frozen=True, slots=True)
class FileReport:
    """All findings about one file, in the order of its lines."""

    file: str
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    infos: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, file: str, problems: Iterable[Problem]) -> FileReport:
        """Sort problems by location and split them by severity; equal ones are reported once."""
        found = sorted(dict.fromkeys(problems), key=lambda problem: problem.location)

        def kept(severity: str) -> tuple[Problem, ...]:
            return tuple(problem for problem in found if problem.severity == severity)

        return cls(file, kept("error"), kept("warning"), kept("info"))

    def as_json(self) -> dict[str, object]:
        """Return the JSON of `chaos validate --format json`."""
        return {
            "file": self.file,
            "errors": [problem.to_dict() for problem in self.errors],
            "warnings": [problem.to_dict() for problem in self.warnings],
            "infos": [problem.to_dict() for problem in self.infos],
        }


def check(texts: Sequence[tuple[str, str | bytes]]) -> list[FileReport]:
    """Check (file, text) pairs, each file on its own."""
    return [FileReport.of(file, check_documents([read_documents(text, file)])) for file, text in texts]


def check_documents(files: Iterable[Documents]) -> list[Problem]:
    """Check files that belong together as one set, such as an experiment and the resources it names."""
    files = list(files)
    documents = [document for each in files for document in each]
    found = [problem for each in files for problem in (*each.problems, *each.notes)]
    salvaged = salvage(documents)
    found += salvaged.problems
    found += findings(salvaged.resources, documents)
    return found


def findings(resources: Resources, documents: Sequence[Document] = ()) -> list[Problem]:
    """Return all findings about resources of the right shape."""
    infos = pitfalls(resources, proxy_played(documents), known_services(resources, documents))
    return _once([*validate(resources), *analyze(resources, documents), *infos])


def refusals(resources: Resources) -> list[Problem]:
    """Return the errors for which a cluster would not accept these resources."""
    return [problem for problem in validate(resources) if problem.severity == "error"]


def _once(problems: list[Problem]) -> list[Problem]:
    """Drop what is said twice, and infos about a place that an error or warning is about already."""
    problems = list({(*_place(problem), problem.message): problem for problem in problems}.values())
    worse = {(problem.location, problem.path) for problem in problems if problem.severity != "info"}
    return [p for p in problems if p.severity != "info" or _place(p) not in worse]


def _place(problem: Problem) -> tuple[Location, str]:
    return problem.location, problem.path
