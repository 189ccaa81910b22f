"""The server itself, in a thread of its own, on a port that stays its own while it is down."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from support.fake_kubernetes.documents import Json, Refusal, merged, patched, unknown_fields
from support.fake_kubernetes.objects import Event, Key, Objects
from support.ports import held_port

T = TypeVar("T")

TICK = 0.1  # seconds between two looks of the controllers
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"


@dataclass(frozen=True)
class User:
    """Somebody with a token. `roles` are Role documents; None may do everything."""

    name: str
    roles: tuple[Json, ...] | None = None

    def may(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        return self.roles is None or any(
            role["metadata"]["namespace"] == namespace
            and any(
                group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
                for rule in role["rules"]
            )
            for role in self.roles
        )


@dataclass(frozen=True)
class Asked:
    """What a request is about."""

    user: User
    verb: str
    group: str
    version: str
    plural: str
    namespace: str
    name: str

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def require(self) -> None:
        if self.user.may(self.verb, self.group, self.plural, self.namespace):
            return
        named = f' "{self.name}"' if self.name else ""
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        text = f'{self.resource}{named} is forbidden: User "{self.user.name}" cannot {self.verb} resource'
        raise Refusal(403, f'{text} "{self.plural}" in API group "{self.group}" {where}', "Forbidden")


class ApiServer:
    """`users` by token; `admission` are asked about every object that is about to be written, and answer with the words
    of their refusal, or with none. `forbidden` is what somebody had no right to."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.users = {"admin-token": User("admin")}
        self.admission: list[Callable[[Json], str]] = []
        self.forbidden: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._watches: dict[asyncio.Queue[Event | None], str] = {}
        self._stack = contextlib.ExitStack()
        self.objects.heard.append(lambda event: [each.put_nowait(event) for each in self._watches] and None)

    def __enter__(self) -> ApiServer:
        self.port = self._stack.enter_context(held_port())
        self._thread.start()
        self._wait(self._open())
        self._ticking = asyncio.run_coroutine_threadsafe(self._tick(), self._loop)
        return self

    def __exit__(self, *_: object) -> None:
        self._ticking.cancel()
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._stack.close()

    # ---------------------------------------------------------------- for tests
    def kubeconfig(self, folder: Path, token: str = "admin-token", namespace: str = "shop") -> Path:
        """A file with the context `test`; the current one is another."""
        # So that no client reads the CAs of the machine, which takes it longer than all the rest.
        cluster = {"server": f"http://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [
                {"name": "test", "context": {"cluster": "test", "user": "user", "namespace": namespace}},
                {"name": "other", "context": {"cluster": "test", "user": "user", "namespace": "elsewhere"}},
            ],
            "current-context": "other",
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    def apply(self, *documents: Json, manager: str = "kubectl", namespace: str = "shop") -> None:
        """Create objects, or replace their labels, annotations and spec."""
        for each in documents:
            self.do(lambda each=each: self._apply(copy.deepcopy(each), manager, namespace))  # type: ignore[misc]

    def _apply(self, document: Json, manager: str, namespace: str) -> None:
        metadata = document["metadata"]
        key = (RESOURCES[document["kind"]], metadata.get("namespace", namespace), metadata["name"])
        try:
            there = self.objects.get(key)
        except Refusal:
            self.objects.create(key, document, manager)
        else:
            there["metadata"] |= metadata
            self.objects.change(key, {**there, "spec": document["spec"]}, manager)

    def all(self, kind: str) -> list[Json]:
        """The objects of a kind."""
        return self.do(lambda: self.objects.list(RESOURCES[kind]))

    def delete(self, kind: str, name: str, namespace: str = "shop") -> None:
        self.do(lambda: self.objects.delete((RESOURCES[kind], namespace, name)))

    def later(self, seconds: float) -> None:
        """Let time pass for the controllers."""
        self.do(lambda: self.objects.later(seconds))

    def watches(self) -> list[str]:
        """What is watched."""
        return self.do(lambda: list(self._watches.values()))

    def end_watches(self) -> None:
        """End every watch, as servers do every few minutes."""
        self.do(lambda: [each.put_nowait(None) for each in self._watches])

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Nobody listens, and every connection is gone. Time passes for the controllers nonetheless."""
        self._wait(self._close())
        try:
            yield
        finally:
            self._wait(self._open())

    def do(self, function: Callable[[], T]) -> T:
        """Do something in the server's thread."""

        async def call() -> T:
            return function()

        return self._wait(call())

    def _wait(self, work: Awaitable[T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)  # type: ignore[arg-type]

    # ---------------------------------------------------------------- HTTP
    async def _open(self) -> None:
        app = web.Application(client_max_size=10 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, reuse_port=True).start()

    async def _close(self) -> None:
        assert self._runner is not None
        for each in self._watches:
            each.put_nowait(None)
        await self._runner.cleanup()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.objects.collect()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = self._asked(request)
            if asked.plural == "selfsubjectaccessreviews":
                return web.json_response(_review(asked.user, await request.json()), status=201)
            asked.require()
            if asked.verb == "watch":
                return await self._watch(request, asked)
            code, document = await self._answer(request, asked)
            return web.json_response(document, status=code)
        except Refusal as refusal:
            if refusal.code == 403:
                self.forbidden.append(refusal.message)
            return web.json_response(refusal.document(), status=refusal.code)

    def _asked(self, request: web.Request) -> Asked:
        user = self.users.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        root, *rest = request.path.strip("/").split("/")
        group = rest.pop(0) if root == "apis" else ""
        version, *rest = rest
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else ""
        return Asked(user, _verb(request, name), group, version, plural, namespace, name)

    async def _answer(self, request: web.Request, asked: Asked) -> tuple[int, Json]:
        key: Key = (asked.resource, asked.namespace, asked.name)
        body = json.loads(await request.text() or "{}")
        dry = "All" in (request.query.get("dryRun") or (body.get("dryRun", ()) if isinstance(body, dict) else ()))
        manager = request.query.get("fieldManager") or request.headers.get("user-agent", "").split("/")[0]
        match asked.verb:
            case "get":
                return 200, self.objects.get(key)
            case "list":
                items = self.objects.list(key[0], key[1] or None, request.query.get("labelSelector", ""))
                version = str(self.objects.version)
                return 200, {
                    "kind": "List",
                    "apiVersion": "v1",
                    "metadata": {"resourceVersion": version},
                    "items": items,
                }
            case "create":
                self._admit(body, request)
                key = (key[0], key[1], body["metadata"]["name"])
                return 201, self.objects.create(key, body, manager, dry=dry)
            case "patch":
                there = self.objects.get(key)
                wanted = patched(there, body) if request.content_type == JSON_PATCH else merged(there, body)
                self._admit(wanted, request)
                return 200, self.objects.change(key, wanted, manager, dry=dry)
            case _:
                found = self.objects.delete(key, dry=dry)
                details = {"name": key[2], "group": asked.group, "kind": asked.plural, "uid": found["metadata"]["uid"]}
                return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success", "details": details}

    def _admit(self, document: Json, request: web.Request) -> None:
        unknown = unknown_fields(document) if request.query.get("fieldValidation") == "Strict" else []
        if unknown:
            fields = "strict decoding error: " + ", ".join(f'unknown field "{each}"' for each in unknown)
            if request.method == "PATCH":
                text = f' "" is invalid: patch: Invalid value: {json.dumps(json.dumps(document))}: {fields}'
                raise Refusal(422, text, "Invalid")
            kind, version = document["kind"], document["apiVersion"].rpartition("/")[2]
            raise Refusal(400, f'{kind} in version "{version}" cannot be handled as a {kind}: {fields}', "BadRequest")
        for each in self.admission:
            if words := each(document):
                raise Refusal(400, f'admission webhook "rev.validation.istio.io" denied the request: {words}')

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        for event in self.objects.since(int(request.query.get("resourceVersion", "0"))):
            queue.put_nowait(event)
        self._watches[queue] = asked.resource
        if request.query.get("allowWatchBookmarks") == "true":
            bookmark = {"metadata": {"resourceVersion": str(self.objects.version)}}
            await _write(response, "BOOKMARK", bookmark)
        try:
            while (event := await queue.get()) is not None:
                _, resource, kind, item = event
                if resource == asked.resource and item["metadata"]["namespace"] == asked.namespace:
                    await _write(response, kind, item)
        finally:
            del self._watches[queue]
        return response


RESOURCES = {
    "VirtualService": "virtualservices.networking.istio.io",
    "EnvoyFilter": "envoyfilters.networking.istio.io",
    "ServiceEntry": "serviceentries.networking.istio.io",
    "Job": "jobs.batch",
    "Service": "services",
}


async def _write(response: web.StreamResponse, kind: str, item: Json) -> None:
    with contextlib.suppress(ConnectionError):  # the client has gone
        await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")


def _verb(request: web.Request, name: str) -> str:
    if request.method == "GET":
        if name:
            return "get"
        return "watch" if request.query.get("watch") == "true" else "list"
    return {"POST": "create", "PATCH": "patch", "DELETE": "delete"}[request.method]


def _review(user: User, review: Any) -> Json:
    asked = review["spec"]["resourceAttributes"]
    allowed = user.may(asked["verb"], asked.get("group", ""), asked["resource"], asked.get("namespace", ""))
    return {**review, "status": {"allowed": allowed}}
