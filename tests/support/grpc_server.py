"""A gRPC server of one service, `shop.Echo`, which does what each message's text says; it may be over TLS."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection

from chaos.rpc.protos import compiled

PROTO = Path(__file__).parents[2] / "experiments" / "apps" / "echo.proto"
TAGS = (("x-chaos-route", "echo[0]"), ("x-chaos-flags", "FI"), ("x-chaos-destination", "echo:50051"))
LATE = 30.0  # seconds that `late` would take


def call() -> dict[str, Any]:
    """The `call` of a task in a load's plan."""
    octets = base64.b64encode(compiled(str(PROTO))).decode()
    return {"service": "shop.Echo", "method": "Say", "descriptors": octets}


class GrpcServer:
    """`asked` has the metadata of each call with its message's text."""

    def __init__(self, *, reflects: bool = False, credentials: Any = None):
        self.asked: list[tuple[dict[str, Any], str]] = []
        self.peers: set[str] = set()
        self.authorities: set[str] = set()
        self.over = threading.Event()
        self._came = threading.Condition()
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(compiled(str(PROTO))).file:
            pool.Add(file)
        line: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Line"))
        handler = grpc.unary_unary_rpc_method_handler(self._say, line.FromString, line.SerializeToString)
        self._server = grpc.server(ThreadPoolExecutor(16))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Echo", {"Say": handler}),))
        if reflects:
            reflection.enable_server_reflection(("shop.Echo", reflection.SERVICE_NAME), self._server, pool=pool)
        where = "127.0.0.1:0"
        self.port = (
            self._server.add_insecure_port(where)
            if credentials is None
            else self._server.add_secure_port(where, credentials)
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, calls: int) -> bool:
        """Whether so many calls have come, which it waits for."""
        with self._came:
            return self._came.wait_for(lambda: len(self.asked) >= calls, LATE)

    def __enter__(self) -> GrpcServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.stop(None).wait()

    def _say(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._came:
            self.asked.append((dict(context.invocation_metadata()), request.text))
            self.peers.add(context.peer())
            self.authorities.add(context._rpc_event.call_details.host.decode())  # type: ignore[attr-defined] # said nowhere else
            self._came.notify_all()
        match request.text:
            case "aborted":
                context.set_trailing_metadata(TAGS)
                context.abort(grpc.StatusCode.UNAVAILABLE, "fault filter abort")
            case "bare":
                context.abort(grpc.StatusCode.UNAVAILABLE, "closed on Sundays")
            case "late":
                self.over.wait(LATE)
            case _:
                context.send_initial_metadata(TAGS[:1])
        return request
