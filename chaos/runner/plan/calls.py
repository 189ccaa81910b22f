"""gRPC tasks: who can carry them out, and what describes their services, a .proto file or the service's own server.

What is wrong with a call is said of the field of its task, before anything is sent. The packages of the extra `grpc`
are imported only for tasks that need them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from urllib.parse import urlsplit

from chaos.errors import InvalidInput, Problem
from chaos.experiment.feeder import filled
from chaos.experiment.read import Reading
from chaos.experiment.services import proxy_of
from chaos.experiment.tasks import LoadTask, tasks_of
from chaos.mesh.names import HTTP_PORT, full_name
from chaos.mesh.source.document import Path
from chaos.mesh.upstream.registry import Registry
from chaos.runner.plan.engines import EngineName
from chaos.runner.plan.files import beside
from chaos.runner.plan.options import RunOptions

PACKAGES = ("grpc", "grpc_tools", "grpc_reflection", "google.protobuf")
EXTRA = "gRPC calls need packages that are not installed: pip install 'chaos-harness[grpc]'"
ENGINE = "HTTP/2: use --engine envoy; our own gateway does not speak it"


def installed() -> bool:
    """Return whether the packages of the extra are there."""
    try:
        return all(find_spec(each) is not None for each in PACKAGES)
    except ModuleNotFoundError:  # of `google`, of which protobuf is a part
        return False


def call_problems(reading: Reading) -> list[Problem]:
    """Return the problems of calls whose service a .proto file describes; without the extra a warning that nobody has
    looked."""
    tasks = tasks_of(reading) if not reading.errors else ()
    if not installed():
        return [
            reading.problem(_place(index, "kind"), EXTRA, severity="warning", code="grpc")
            for index, task in enumerate(tasks)
            if task.call is not None
        ]
    return [
        problem
        for index, task in enumerate(tasks)
        if task.call is not None and task.call.proto is not None
        for problem in _problems(reading, index, task)
    ]


def require_calls(reading: Reading, tasks: Iterable[LoadTask], options: RunOptions) -> None:
    """Raise InvalidInput for calls that this run cannot make: without the extra, or through our own gateway."""
    problems: list[Problem] = []
    ours = options.gateway is None and options.engine.name is EngineName.GATEWAY
    for index, task in enumerate(tasks):
        if task.call is not None and ours and not task.direct:
            problems.append(reading.problem(_place(index, "kind"), ENGINE, code="http2"))
        elif task.call is not None and not installed():
            problems.append(reading.problem(_place(index, "kind"), EXTRA, code="grpc"))
    if problems:
        raise InvalidInput(problems)


def described(reading: Reading, tasks: Sequence[LoadTask], registry: Registry) -> tuple[LoadTask, ...]:
    """Return the tasks, the calls with what describes their services. Those without a .proto file ask the endpoint that
    the registry has for the task's URL, or for a direct one its own address. Raises InvalidInput.

    It may wait for servers; call it in a thread."""
    found: list[LoadTask] = []
    problems: list[Problem] = []
    for index, task in enumerate(tasks):
        try:
            found.append(_with_descriptors(reading, task, registry))
        except InvalidInput as error:
            problems += error.problems
        except ValueError as misfit:
            problems.append(_problem(reading, index, misfit))
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _with_descriptors(reading: Reading, task: LoadTask, registry: Registry) -> LoadTask:
    """Return a task with its descriptors. Raises Misfit, which is a ValueError."""
    call = task.call
    if call is None:
        return task
    octets = _compiled(reading, call.proto) if call.proto is not None else _asked(reading, task, registry)
    _check(reading, task, octets)
    return replace(task, call=replace(call, descriptors=base64.b64encode(octets).decode()))


def _problems(reading: Reading, index: int, task: LoadTask) -> Iterator[Problem]:
    assert task.call is not None
    try:
        _check(reading, task, _compiled(reading, task.call.proto or ""))
    except ValueError as misfit:
        yield _problem(reading, index, misfit)


def _compiled(reading: Reading, proto: str) -> bytes:
    from chaos.rpc.protos import compiled

    return compiled(beside(reading.file, proto))


def _asked(reading: Reading, task: LoadTask, registry: Registry) -> bytes:
    from chaos.rpc.asking import described
    from chaos.rpc.messages import Misfit

    assert task.call is not None
    address = _address(task, registry, proxy_of(reading).namespace)
    if address is None:
        raise Misfit("url", f"no endpoint of {task.host} is known that could be asked for its services; name `proto`")
    return described(address, task.call.service)


def _address(task: LoadTask, registry: Registry, namespace: str) -> str | None:
    """Return where the server of a call can be reached directly; None if that is not known."""
    parts = urlsplit(task.url)
    if task.direct:
        return parts.netloc.rpartition("@")[2]
    service = registry.destination(full_name(task.host, namespace)) or registry.destination(task.host)
    port = service.ports.get(parts.port or HTTP_PORT) if service is not None else None
    for endpoint in port.endpoints if port is not None else ():
        return f"{endpoint.address}:{endpoint.port}"
    return None


def _check(reading: Reading, task: LoadTask, octets: bytes) -> None:
    """Raise Misfit if the descriptors have no such method, or a message does not fit it: that of a row of the feeder,
    too."""
    from chaos.rpc.messages import check_metadata, method_of

    assert task.call is not None
    method = method_of(octets, task.call.service, task.call.method)
    for each in _rows(reading, task):
        method.encode(each.body)
        check_metadata(each.headers)


def _rows(reading: Reading, task: LoadTask) -> Iterator[LoadTask]:
    """Yield the task's call, of a task that is fed that of each row which differs from those before."""
    if task.fed is None or reading.feeder is None:
        yield task
        return
    feeder = reading.feeder.feeder.only(task.fed.columns)
    for row in dict.fromkeys(feeder.rows):
        yield filled(task, dict(zip(feeder.columns, row, strict=True)))


def _problem(reading: Reading, index: int, misfit: ValueError) -> Problem:
    return reading.problem(_place(index, getattr(misfit, "field", "kind")), str(misfit), code="grpc")


def _place(index: int, field: str) -> Path:
    return ("spec", "load", "tasks", index, field)
