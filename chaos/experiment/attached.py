"""Read the files that an Experiment names besides YAML: the bodies of its tasks, which are sent as they are, and the
rows of its feeder (feeder_file.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from chaos.errors import InvalidInput, Problem
from chaos.experiment.model import BodyFile, Experiment
from chaos.mesh.source.document import Document, Path, field_path

Load = Callable[[str, str], tuple[str, str]]
"""From (file that names it, name as written) to (path, text). Raises InvalidInput."""


@dataclass(frozen=True, slots=True)
class Attached:
    """One file: where it was found, and its text."""

    path: str
    text: str

    def described(self, name: str) -> str:
        """Return what a record says of it, by which another text is told from this one."""
        octets = self.text.encode()
        return f"(file {name}, {len(octets)} bytes, sha256 {sha256(octets).hexdigest()[:16]})"


def attached_files(
    experiment: Experiment, document: Document | None, load: Load | None
) -> tuple[Mapping[str, Attached], list[Problem]]:
    """Return the files by their names as written, and a problem for each that cannot be read."""
    found: dict[str, Attached] = {}
    problems: list[Problem] = []
    if document is None or load is None:
        return found, problems
    for path, name in _named(experiment):
        try:
            if name not in found:
                found[name] = Attached(*load(document.file, name))
        except InvalidInput as error:
            problems.append(unreadable(document, path, error))
    return found, problems


def unreadable(document: Document, path: Path, error: InvalidInput) -> Problem:
    """Return the problem of a field whose file cannot be read."""
    message = "; ".join(f"{problem.location.file}: {problem.message}" for problem in error.problems)
    return Problem(document.locate(path), field_path(path), message, "error", "file")


def _named(experiment: Experiment) -> Iterator[tuple[Path, str]]:
    """Yield the field and the name of each file."""
    for index, task in enumerate(experiment.spec.load.tasks):
        if isinstance(task.body, BodyFile):
            yield ("spec", "load", "tasks", index, "body", "file"), task.body.file
