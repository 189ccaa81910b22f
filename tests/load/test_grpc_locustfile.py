"""gRPC calls of a user's own locustfile: with Locust's own pattern, an interceptor that fires an event, and without."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.ids import first_ids
from support.load import plan, run

from chaos.protocol.digest import Key
from chaos.statuses import of_grpc

pytestmark = pytest.mark.slow
pytest.importorskip("grpc_tools")
pytest.importorskip("grpc_reflection")

from support.grpc_server import GrpcServer  # noqa: E402 - needs grpcio

LOCUSTFILE = """
import time

import grpc
import grpc.experimental.gevent
from locust import User, task

grpc.experimental.gevent.init_gevent()
LINE = {"hi": b"\\n\\x02hi", "aborted": b"\\n\\x07aborted"}


class Told(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, environment):
        self.environment = environment

    def intercept_unary_unary(self, continuation, details, request):
        began, exception = time.perf_counter(), None
        response = continuation(details, request)
        try:
            response.result()
        except grpc.RpcError as error:
            exception = error
        self.environment.events.request.fire(
            request_type="grpc", name="told", response_time=(time.perf_counter() - began) * 1000,
            response_length=0, response=response, context=None, exception=exception,
        )
        return response


class Caller(User):
    host = "echo:50051"

    def __init__(self, environment):
        super().__init__(environment)
        channel = grpc.insecure_channel(self.host)
        self.own = channel.unary_unary("/shop.Echo/Say")
        self.told = grpc.intercept_channel(channel, Told(environment)).unary_unary("/shop.Echo/Say")

    @task
    def work(self):
        self.say(self.told, "hi")
        self.say(self.told, "aborted")
        self.say(self.own, "aborted")

    def say(self, ask, text):
        try:
            ask(LINE[text], timeout=5)
        except grpc.RpcError:
            pass
"""


def test_calls_are_counted_with_tags_whether_or_not_an_event_tells_of_them(tmp_path: Path) -> None:
    """Their channels lead to the gateway, with the host as authority."""
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE)
    with GrpcServer() as server:
        load = run(plan(server.url, tasks=[], locustfile=str(file), users=3, requests=60))
    counts: Counter[Key] = Counter()
    for key, tally in load.digest().tallies.items():
        counts[key] += tally.count
    assert set(counts) == {
        Key("", "told", "echo[0]", "", of_grpc(0)),
        Key("", "told", "echo[0]", "", of_grpc(14), "abort"),
        Key("", "shop.Echo/Say", "echo[0]", "", of_grpc(14), "abort"),
    }, load.stderr
    assert counts.total() == 60 and load.lines[-1]["abandoned"] == 0 and load.stderr == ""
    assert {metadata["x-request-id"] for metadata, _ in server.asked} == set(first_ids(7, 60))
    assert server.authorities == {"echo:50051"}
