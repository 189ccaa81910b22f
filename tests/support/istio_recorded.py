"""A recorded set: its documents as `chaos` reads them, its requests, and how an answer is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chaos.mesh.source.writing import to_yaml
from support.istio_sets import IstioSet, Json
from support.istiod import CLUSTER, service_document
from support.raw_client import Answer, encode
from support.upstreams import Seen

OWN = ("x-envoy-", "x-forwarded-", "x-request-id", "x-test-id", "x-chaos-", "x-b3-", "x-up", CLUSTER)
"""Beginnings of headers that proxies and the tests' own servers add."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request and what came of it: `answer` has `status`, `headers` of the rules, `location`, `body` if no upstream
    was asked, and `to`, the endpoints of which one got it, with its `target`, `host` and `sent` headers."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    answer: Mapping[str, Any]

    def octets(self, identifier: str) -> bytes:
        headers = [("host", self.host), *self.headers.items(), ("x-test-id", identifier)]
        return encode(self.method, self.target, headers)


@dataclass(frozen=True, slots=True)
class RecordedSet:
    """One file. `services` are the pods of each host:port by name, with their labels."""

    number: int
    proxy: Json
    services: Mapping[str, Mapping[str, Json]]
    documents: list[Json]
    requests: list[RecordedRequest]

    @classmethod
    def of(cls, made: IstioSet, answers: list[Json]) -> RecordedSet:
        services = {
            f"{each.host}:{port}": {pod.name: pod.labels for pod in each.pods}
            for each in made.services
            for port in each.ports
        }
        documents = [service_document(each) for each in made.services if not each.entry] + made.documents
        requests = [RecordedRequest(**each, answer=answer) for each, answer in zip(made.requests, answers, strict=True)]
        return cls(made.number, made.proxy, services, documents, requests)

    @classmethod
    def read(cls, record: Json) -> RecordedSet:
        return cls(**record | {"requests": [RecordedRequest(**each) for each in record["requests"]]})

    def record(self) -> Json:
        return asdict(self)

    @property
    def pods(self) -> list[str]:
        return list(dict.fromkeys(name for each in self.services.values() for name in each))

    def experiment(self, ports: Mapping[str, int]) -> str:
        """The set as `chaos` reads it, with these ports behind the pods."""
        services = {
            key: {"endpoints": [{"address": f"127.0.0.1:{ports[name]}", "labels": each} for name, each in pods.items()]}
            for key, pods in self.services.items()
        }
        spec = {"proxy": self.proxy, "services": services}
        document = {"apiVersion": "chaos/v1alpha1", "kind": "Experiment", "metadata": {"name": f"set-{self.number}"}}
        return to_yaml(document | {"spec": spec}, *self.documents)


def written(answer: Answer, seen: list[Seen], to: list[str] | None = None) -> Json:
    """Return an answer as it is recorded. `to` are the endpoints that might have got it; else those that did."""
    found: Json = {"status": answer.status}
    headers = {name: value for name, value in answer.headers if name.startswith("x-") and not name.startswith(OWN)}
    found |= {"headers": headers} if headers else {}
    found |= {"location": answer.first("location")} if answer.values("location") else {}
    if not seen:
        return found | {"body": answer.body.decode("latin-1")}
    last = seen[-1]
    sent = {name: value for name, value in last.headers if name.startswith("x-") and not name.startswith(OWN)}
    found |= {"sent": sent} if sent else {}
    return found | {"to": to or [last.endpoint], "target": last.target, "host": last.first("host")}
