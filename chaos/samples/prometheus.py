"""Read counters from Prometheus: two instant queries (before and after), or one range query.

A series is one outcome: its status is a label (`response_code`, `code`, `status` ...), its fault Istio's label
`response_flags` (FI, DI), its task what other labels tell series apart. What a counter has grown by is the number of
requests. A counter that falls was reset, and counts from 0, as in Prometheus.

Source: Prometheus's HTTP API, `/api/v1/query` and `/api/v1/query_range`; Istio's standard metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from chaos.errors import InvalidInput
from chaos.protocol.digest import Key
from chaos.samples.source import Batch, Source
from chaos.samples.values import count_of, flags_of, status_of

STATUS = ("response_code", "status_code", "http_status_code", "http_response_status_code", "code", "status")
FLAGS = "response_flags"
TASK = ("destination_service_name", "destination_service", "route", "handler", "path", "task")

Points = dict[float, int]
Series = dict[tuple[tuple[str, str], ...], Points]


def source_of(answers: Sequence[tuple[str, Mapping[str, Any]]]) -> Source:
    """Return the requests between the answers' points. Raises InvalidInput for answers that are not of counters."""
    file = answers[0][0]
    series: Series = {}
    for name, answer in answers:
        _collect(series, name, answer)
    moments = sorted({moment for points in series.values() for moment in points})
    if len(moments) < 2:
        raise InvalidInput.at(file, "a counter at one moment counts nothing; give a second query's answer as well")
    source = Source(file, "prometheus", "Prometheus's counters", iter(()))
    source.unknown = {"latency": "counters have no latencies"}
    if not any(_status(dict(labels), file) == 0 for labels in series):
        source.unknown["lost"] = "these counters have no requests without a response"
    if not any(name == FLAGS for labels in series for name, _ in labels):
        source.unknown["fault"] = "the counters have no label response_flags, which says what Envoy's fault filter did"
    if len(moments) == 2:
        source.unknown["times"] = "two samples are one stretch of time"
    source.items = _stretches(series, moments, source)
    return source


def _collect(series: Series, file: str, answer: Mapping[str, Any]) -> None:
    reporters: set[str] = set()
    data = answer.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    if answer.get("status") != "success" or not isinstance(data, dict) or kind not in ("vector", "matrix"):
        raise InvalidInput.at(file, "is no answer of Prometheus with counters (a vector or a matrix)", path="data")
    for index, each in enumerate(data.get("result") or ()):
        path = f"data.result[{index}]"
        labels = {str(name): str(value) for name, value in (each.get("metric") or {}).items()}
        if not any(name in labels for name in STATUS):
            known = "sum by (response_code) (istio_requests_total)"
            raise InvalidInput.at(file, f"the series has no label with the status; query it like {known}", path=path)
        reporters.add(labels.get("reporter", ""))
        points = series.setdefault(tuple(sorted(labels.items())), {})
        for at, value in [each["value"]] if kind == "vector" else each.get("values") or ():
            try:
                points[float(at)] = count_of(value)
            except ValueError as error:
                raise InvalidInput.at(file, f"{error}; query the counter itself, without rate()", path=path) from None
    if {"source", "destination"} <= reporters:
        once = 'istio_requests_total{reporter="source"}'
        raise InvalidInput.at(file, f"every request is counted twice, by both its proxies; query {once}")


def _stretches(series: Series, moments: Sequence[float], source: Source) -> Iterator[Batch]:
    before = {labels: points.get(moments[0], 0) for labels, points in series.items()}
    for since, until in pairwise(moments):
        counts: dict[Key, int] = {}
        for labels, points in series.items():
            now = points.get(until)
            if now is None:
                continue
            more = now - before[labels]
            if more < 0:
                source.notes.append(f"a counter fell from {before[labels]} to {now}: it was reset, and counts from 0")
                more = now
            before[labels] = now
            if more:
                key = _key(dict(labels), source.file)
                counts[key] = counts.get(key, 0) + more
        yield Batch(counts, since, until - since)


def _key(labels: Mapping[str, str], file: str) -> Key:
    status = _status(labels, file)
    task = next((labels[each] for each in TASK if each in labels), "")
    return Key("", task, "", "", status, flags_of(labels.get(FLAGS)), error="" if status else "closed")


def _status(labels: Mapping[str, str], file: str) -> int:
    name = next(name for name in STATUS if name in labels)
    try:
        return status_of(labels[name])
    except ValueError as error:
        raise InvalidInput.at(file, str(error), path=name) from None
