"""The requests of the load: the tasks of the experiment, or requests derived from its rules, one for each.

A derived request is made from a match block, and kept only if the rules confirm that it takes a rule that has none yet.
A rule without any is reported in a note.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from chaos.experiment.attached import Attached
from chaos.experiment.call import GRPC, Call
from chaos.experiment.example_text import example
from chaos.experiment.feeder import Column, Fed, Pieces, Template
from chaos.experiment.model import METHODS, BodyFile, Task
from chaos.experiment.read import Reading
from chaos.experiment.redaction import without_credential
from chaos.experiment.services import short_name_shown
from chaos.mesh.decision import Request
from chaos.mesh.model.message import StringMatch
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import HTTPMatchRequest, HTTPRoute, VirtualService
from chaos.mesh.source.document import Path

BAGGAGE = "baggage"


@dataclass(frozen=True, slots=True)
class LoadTask:
    """One kind of request, complete. With `direct` it goes to the URL's own address, else through the gateway. With
    `call` it is a gRPC call; its body is then the message as JSON, and the rest as gRPC has it on HTTP/2.

    `written` is the same request as the file has it, where variables of the environment stand for parts of it. Of a
    task that is `fed` from the rows of a file, this is the request of the first row."""

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    weight: int = 1
    timeout: float = 60.0
    direct: bool = False
    expect: Mapping[str, Any] | None = None
    written: LoadTask | None = None
    fed: Fed | None = None
    call: Call | None = None

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").rstrip(".")

    @property
    def target(self) -> str:
        """Path and query of the URL."""
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def request_of(task: LoadTask) -> Request:
    """Return the request as the gateway would parse it."""
    headers = [(name.lower().encode(), value.strip().encode()) for name, value in task.headers.items()]
    authority = next((value for name, value in headers if name == b"host"), _authority(task.url))
    rest = [(name, value) for name, value in headers if name != b"host"]
    scheme = b"https" if task.url.lower().startswith("https:") else b"http"
    return Request(task.method.encode(), task.target.encode(), authority, [(b"host", authority), *rest], scheme)


def _authority(url: str) -> bytes:
    """Return host and port as a client sends them, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2].encode()


def recorded(task: LoadTask) -> LoadTask:
    """Return the task as it may be recorded: as written, without credentials. Its headers do not decide anything any
    more; whoever computes with it reads the file again."""
    shown = task.written or task
    headers = {name: without_credential(name, value) for name, value in shown.headers.items()}
    return replace(task, url=shown.url, headers=headers, body=shown.body, written=None, fed=None)


def with_headers(task: LoadTask, more: Mapping[str, str]) -> LoadTask:
    """Return the task with more headers. Baggage of its own stays, as another member of the list."""
    if not more:
        return task
    own = {name.lower(): name for name in task.headers}
    headers = dict(task.headers)
    for name, value in more.items():
        there = own.get(name)
        if there is not None and name == BAGGAGE:
            headers[there] = f"{headers[there]},{value}"
        else:
            headers[there or name] = value
    return replace(task, headers=headers)


def tasks_of(reading: Reading) -> tuple[LoadTask, ...]:
    """Return the experiment's tasks, each with a unique name and as it is written."""
    tasks = reading.experiment.spec.load.tasks
    if not tasks or reading.document is None:
        return ()
    raw = reading.document.value["spec"]["load"].get("tasks") or []
    varied = bool(reading.used or reading.fed)
    written = [_as_written(task, each) for task, each in zip(tasks, raw, strict=True)] if varied else tasks
    made = [
        _with_written(_load_task(task, reading.attached), _load_task(each, reading.attached), _described(task, reading))
        for task, each in zip(tasks, written, strict=True)
    ]
    return tuple(_named_apart(replace(each, fed=_fed(reading, index)) for index, each in enumerate(made)))


def _fed(reading: Reading, index: int) -> Fed | None:
    """Return the parts of a task in which columns of the feeder stand; None if there are none."""
    task = reading.experiment.spec.load.tasks[index]
    here = {path[4:]: pieces for path, pieces in reading.fed.items() if path[3] == index}
    if not here:
        return None
    target = next((_below_host(pieces) for path, pieces in here.items() if path[0] in (*METHODS, "url")), None)
    headers = {str(path[1]): Template(pieces) for path, pieces in here.items() if path[0] == "headers"}
    body = Template(here[("body",)]) if ("body",) in here else None
    if any(path[0] == "json" for path in here):
        body = Template(tuple(_json_pieces(task.json_body, ("json",), here)), "json")
    return Fed(None if target is None else Template(target, "url"), headers, body)


def _below_host(pieces: Pieces) -> Pieces:
    """Return a URL's pieces from the path on. No column stands before it, as reading has checked."""
    first = next((place for place, each in enumerate(pieces) if isinstance(each, Column)), len(pieces))
    before = "".join(map(str, pieces[:first]))
    parts = urlsplit(before)
    rest = before[len(f"{parts.scheme}://{parts.netloc}") :]
    return (rest if rest.startswith("/") else f"/{rest}", *pieces[first:])


def _json_pieces(value: Any, path: Path, fed: Mapping[Path, Pieces]) -> Iterator[str | Column]:
    """Yield the pieces of the value's text, which are as `json.dumps` writes them."""
    if path in fed:
        yield '"'
        yield from (json.dumps(each)[1:-1] if isinstance(each, str) else each for each in fed[path])
        yield '"'
    elif isinstance(value, Mapping):
        for place, (name, each) in enumerate(value.items()):
            yield f"{', ' if place else '{'}{json.dumps(name)}: "
            yield from _json_pieces(each, (*path, name), fed)
        yield "}" if value else "{}"
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield ", " if place else "["
            yield from _json_pieces(each, (*path, place), fed)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value)


def _as_written(task: Task, raw: Mapping[str, Any]) -> Task:
    """Return a task with the fields in which variables may stand as they are written."""
    texts = {name: raw[name] for name in (*METHODS, "url", "body") if isinstance(raw.get(name), str)}
    given = raw.get("headers") or {}
    headers = {name: text if "${" in (text := str(given[name])) else value for name, value in task.headers.items()}
    return task.model_copy(update={**texts, "headers": headers, "json_body": raw.get("json")})


def _described(task: Task, reading: Reading) -> str | None:
    """Return what a record says of a body that is a file; None for any other."""
    if not isinstance(task.body, BodyFile) or task.body.file not in reading.attached:
        return None
    return reading.attached[task.body.file].described(task.body.file)


def _with_written(task: LoadTask, written: LoadTask, described: str | None) -> LoadTask:
    """Return the task with its written form if that differs, and its name of that."""
    if described is not None:
        written = replace(written, body=described)
    return task if written == task else replace(task, name=written.name, written=written)


def load_tasks(tasks: Iterable[Task]) -> tuple[LoadTask, ...]:
    """Return tasks without variables and files, each with a unique name."""
    return tuple(_named_apart(_load_task(task, {}) for task in tasks))


def _load_task(task: Task, attached: Mapping[str, Attached]) -> LoadTask:
    method, url = task.target
    headers = dict(task.headers)
    body = _body(task, attached)
    if task.json_body is not None and "content-type" not in {name.lower() for name in headers}:
        headers["content-type"] = "application/json"
    expect = None if task.expect is None else task.expect.to_dict()
    found = LoadTask("", method, url, headers, body, task.weight, task.timeout, expect=expect)
    if task.kind == "grpc":
        return _call(task, found)
    return replace(found, name=task.name or f"{method} {found.target}")


def _call(task: Task, found: LoadTask) -> LoadTask:
    """Return a gRPC call as a request, for rules to decide on."""
    path = f"/{task.service}/{task.method}"
    headers = {name: value for name, value in found.headers.items() if name.lower() != "content-type"} | GRPC
    return replace(
        found,
        name=task.name or path[1:],
        method="POST",
        url=found.url.rstrip("/") + path,
        headers=headers,
        call=Call(task.service or "", task.method or "", task.proto),
    )


def _body(task: Task, attached: Mapping[str, Attached]) -> str | None:
    if task.json_body is not None:
        return json.dumps(task.json_body)
    if isinstance(task.body, BodyFile):
        return attached[task.body.file].text if task.body.file in attached else None
    return task.body


def _named_apart(tasks: Iterable[LoadTask]) -> Iterator[LoadTask]:
    seen: dict[str, int] = {}
    for task in tasks:
        seen[task.name] = seen.get(task.name, 0) + 1
        yield task if seen[task.name] == 1 else replace(task, name=f"{task.name} #{seen[task.name]}")


# ------------------------------------------------------------------------------ requests that follow from the rules

Taken = Callable[[LoadTask], tuple[str, str] | None]
"""Returns the key and the name of the rule that takes a request; None if no rule does."""


def derive_tasks(resources: Resources, taken: Taken, ports: Sequence[int] = (80,)) -> tuple[LoadTask, ...]:
    """Return a request for each rule for which one can be found, named after the rule, in the order of the rules.
    `ports` are those of the proxy's listeners; the first is the one of a URL without a port."""
    found: dict[str, LoadTask] = {}
    for plain in _candidates(resources):
        for candidate in _on_ports(plain, ports):
            rule = taken(candidate)
            if rule is not None and rule[0] not in found:
                found[rule[0]] = replace(candidate, name=rule[1])
    return tuple(_named_apart(found.values()))


def _on_ports(task: LoadTask, ports: Sequence[int]) -> Iterator[LoadTask]:
    """Yield the request with the port of each listener; only the request itself if its URL has a port already."""
    if urlsplit(task.url).port is not None:
        yield task
        return
    netloc = urlsplit(task.url).netloc
    for port in ports:
        yield task if port == 80 else replace(task, url=task.url.replace(netloc, f"{netloc}:{port}", 1))


def _candidates(resources: Resources) -> Iterator[LoadTask]:
    delegates = {(each.namespace, each.name): each for each in resources.virtual_services if not each.spec.hosts}
    for resource in resources.virtual_services:
        for host in resource.spec.hosts[:1]:
            for route in resource.spec.http:
                for entry in _entries(resource, route, delegates):
                    if (task := _request(_example_host(host), entry)) is not None:
                        yield task


def _entries(
    root: Resource[VirtualService], route: HTTPRoute, delegates: Mapping[tuple[str, str], Resource[VirtualService]]
) -> Iterator[tuple[HTTPMatchRequest, ...]]:
    """Yield conditions to satisfy together: one match entry, or one of the root's and one of its delegate's."""
    own = route.match or (HTTPMatchRequest(),)
    if route.delegate is None:
        yield from ((entry,) for entry in own)
        return
    target = delegates.get((route.delegate.namespace or root.namespace, route.delegate.name))
    for inner in target.spec.http if target is not None else ():
        for theirs in inner.match or (HTTPMatchRequest(),):
            for entry in own:
                yield (entry, theirs)


def _example_host(host: str) -> str:
    """Return a host that the pattern covers."""
    if host == "*":
        return "chaos.example.com"
    return host.replace("*", "chaos", 1) if host.startswith("*") else short_name_shown(host)


def _request(host: str, entries: tuple[HTTPMatchRequest, ...]) -> LoadTask | None:
    """Return a request that should satisfy the entries; None if a regex has no plain example."""
    path, method, authority = "/", "GET", host
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    for entry in entries:
        wanted = {
            "uri": _text(entry.uri, path),
            "method": _text(entry.method, method),
            "authority": _text(entry.authority, authority),
            "scheme": _text(entry.scheme, ""),
        }
        texts = {name: _text(match, "1") for name, match in (*entry.query_params.items(), *entry.headers.items())}
        if None in wanted.values() or None in texts.values():
            return None
        path, method, authority = wanted["uri"] or "/", wanted["method"] or "GET", wanted["authority"] or host
        query |= {name: texts[name] or "" for name in entry.query_params}
        headers |= {name: texts[name] or "" for name in entry.headers if not name.startswith(":") and name != "host"}
        if wanted["scheme"]:
            headers["x-forwarded-proto"] = wanted["scheme"]
    if not path.startswith("/") or not path.isprintable() or " " in path:
        return None
    search = "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    return LoadTask(f"{method} {path}{search}", method, f"http://{authority}{path}{search}", headers)


def _text(match: StringMatch | None, default: str) -> str | None:
    """Return a text that the condition accepts: the default without a condition, None if no example is found."""
    if match is None:
        return default
    if match.exact is not None:
        return match.exact
    if match.prefix is not None:
        return match.prefix or default
    if match.regex is not None:
        return example(match.regex)
    return default
