"""What of an experiment cannot happen in a pod, each at its place.

A pod has the image's programs, the files that are shipped with it, and itself behind 127.0.0.1: nothing of the machine
on which the experiment was written."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from chaos.errors import Location, Problem
from chaos.experiment.credentials import secret_spans
from chaos.experiment.model import BodyFile
from chaos.experiment.read import Reading
from chaos.experiment.services import Place, ServicePlan
from chaos.experiment.tasks import LoadTask
from chaos.loopback import is_loopback
from chaos.mesh.source.document import Path, field_path

HERE = "is the pod itself in a cluster, where nothing of yours listens"
NAME_IT = "name the service, like web.shop.svc.cluster.local:8080, and its host in spec.allowHosts"


def addresses(
    reading: Reading, services: ServicePlan, tasks: Iterable[LoadTask], *, gateway: bool
) -> Iterator[Problem]:
    """Yield the addresses of this machine. With a `gateway` that runs already endpoints are its own affair."""
    if not gateway:
        yield from _endpoints(reading)
        yield from _entries(reading, services)
    for index, task in enumerate(tasks):
        if task.direct and is_loopback(task.host) and reading.experiment.spec.load.tasks:
            yield _finding(reading, ("spec", "load", "tasks", index), f"{task.host} {HERE}; {NAME_IT}")


def _endpoints(reading: Reading) -> Iterator[Problem]:
    for key, service in (reading.experiment.spec.services or {}).items():
        for index, endpoint in enumerate(service.endpoints or ()):
            if is_loopback(endpoint.address[0]):
                path = ("spec", "services", key, "endpoints", index, "address")
                yield _finding(reading, path, f"{endpoint.address[0]} {HERE}; {NAME_IT}")


def _entries(reading: Reading, services: ServicePlan) -> Iterator[Problem]:
    """Yield the endpoints of ServiceEntries, where spec.services does not say where the entry really is."""
    for entry in reading.resources.service_entries:
        places = [Place(host.lower(), port.number) for host in entry.spec.hosts for port in entry.spec.ports]
        if all(services.places.get(place) for place in places):
            continue
        for index, endpoint in enumerate(entry.spec.endpoints):
            if endpoint.address and is_loopback(endpoint.address):
                path: Path = ("spec", "endpoints", index, "address")
                message = f"{endpoint.address} {HERE}; name the service's address"
                yield Problem(entry.locate(path), field_path((*entry.prefix, *path)), message, code="in-cluster")


def programs(reading: Reading) -> Iterator[Problem]:
    """Yield a warning for each program that the run starts: nobody here knows what is in the image."""
    for key, service in (reading.experiment.spec.services or {}).items():
        if service.command is not None:
            path = ("spec", "services", key, "command")
            message = "the program and its files have to be in the image; those of this machine are not shipped"
            yield _finding(reading, path, message, warning=True)


def file_names(reading: Reading) -> Iterator[Problem]:
    """Yield the files that are named by a path of this machine."""
    for path, name in named_files(reading):
        if posixpath.isabs(name):
            message = f"{name} is a path of this machine; name the file relative to the experiment's"
            yield _finding(reading, path, message)


def named_files(reading: Reading) -> Iterator[tuple[Path, str]]:
    """Yield the field and the name of each file that the experiment names."""
    spec = reading.experiment.spec
    yield from ((("spec", "resources", index), name) for index, name in enumerate(spec.resources))
    for index, phase in enumerate(spec.phases):
        yield from ((("spec", "phases", index, "rules", place), name) for place, name in enumerate(phase.rules))
    for index, task in enumerate(spec.load.tasks):
        if isinstance(task.body, BodyFile):
            yield ("spec", "load", "tasks", index, "body", "file"), task.body.file
        if task.proto is not None:
            yield ("spec", "load", "tasks", index, "proto"), task.proto
    if spec.load.feeder is not None:
        yield ("spec", "load", "feeder"), spec.load.feeder.file
    if spec.load.locustfile is not None:
        yield ("spec", "load", "locustfile"), spec.load.locustfile


def variables(reading: Reading, secret: str) -> Iterator[Problem]:
    """Yield the variables of the environment, which a pod does not have unless a Secret is named."""
    if secret or not reading.used:
        return
    text = reading.texts[reading.file]
    for name in reading.used:
        match = re.search(rf"(?<!\$)\$\{{{name}(?::-[^}}]*)?\}}", text)
        where = location(reading.file, text, match.start()) if match else Location(reading.file)
        message = (
            f"{name} is a variable of this environment, which a pod does not have; name the Secret that has it: "
            "--environment-secret"
        )
        yield Problem(where, "", message, code="in-cluster")


def credentials(texts: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the credentials that stand in files: whoever may read a ConfigMap could read them."""
    for file, text in texts.items():
        for span in secret_spans(text):
            message = (
                "a credential, which everybody could read in a ConfigMap; write ${NAME} and name the Secret that has "
                "it (--environment-secret), or ship the files as a Secret (--files-in-secret)"
            )
            yield Problem(location(file, text, span.begin), field_path(span.path), message, code="in-cluster")


def imports(file: str, text: str, beside: Collection[str]) -> Iterator[Problem]:
    """Yield the modules that a locustfile imports from its own folder, which has the names `beside`: the run has only
    files that the experiment names."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # the run says it better
        return
    for node in ast.walk(tree):
        for name in _imported(node):
            if {f"{name}.py", name} & set(beside):
                message = f"{name} is not shipped: only files that the experiment names are; build it into the image"
                yield Problem(Location(file, getattr(node, "lineno", 1)), "", message, "warning", "in-cluster")


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module.partition(".")[0]]
    return []


def location(file: str, text: str, begin: int) -> Location:
    """Return the place of the character with this index."""
    return Location(file, text.count("\n", 0, begin) + 1, begin - (text.rfind("\n", 0, begin) + 1) + 1)


def _finding(reading: Reading, path: Path, message: str, *, warning: bool = False) -> Problem:
    return reading.problem(path, message, "warning" if warning else "error", "in-cluster")
