# ruff: noqa: E501 - a message of the grammar stays together
"""Whatever stands in a file, checking it ends with problems that point into it, never with an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaos.mesh.check.report import check
from chaos.mesh.source.document import MAX_BYTES, read_documents

SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)

MATCH = {
    "name": "m", "uri": {"prefix": "/a"}, "scheme": {"exact": "http"}, "method": {"exact": "GET"},
    "authority": {"regex": "a.*"}, "headers": {"x": {"exact": "1"}}, "port": 80, "sourceLabels": {"app": "web"},
    "gateways": ["mesh"], "queryParams": {"q": {"exact": "1"}}, "ignoreUriCase": True, "withoutHeaders": {"y": {}},
    "sourceNamespace": "default", "statPrefix": "s",
}  # fmt: skip
ROUTE = {
    "name": "r", "match": [MATCH],
    "route": [{"destination": {"host": "web", "subset": "v1", "port": {"number": 80}}, "weight": 1,
               "headers": {"response": {"remove": ["x"]}}}],
    "timeout": "5s",
    "retries": {"attempts": 2, "perTryTimeout": "1s", "retryOn": "5xx,503", "backoff": "25ms"},
    "fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 10}}, "abort": {"httpStatus": 500, "percentage": {"value": 1}}},
    "mirrors": [{"destination": {"host": "web"}, "percentage": {"value": 5}}],
    "rewrite": {"uriRegexRewrite": {"match": "a", "rewrite": "b"}, "authority": "x"},
    "corsPolicy": {"allowOrigins": [{"exact": "*"}], "allowMethods": ["GET"], "maxAge": "24h"},
    "headers": {"request": {"set": {"a": "%REQ(b)%"}, "add": {"c": "d"}}},
}  # fmt: skip
SPECS = {
    "VirtualService": {
        "hosts": ["web"], "gateways": ["mesh"], "exportTo": ["."],
        "http": [ROUTE, {"redirect": {"uri": "/x", "redirectCode": 302}}, {"directResponse": {"status": 200, "body": {"string": "x"}}},
                 {"delegate": {"name": "d"}}],
        "tls": [{"match": [{"sniHosts": ["web"], "port": 443}], "route": [{"destination": {"host": "web"}}]}],
        "tcp": [{"match": [{"destinationSubnets": ["10.0.0.0/8"]}], "route": [{"destination": {"host": "web"}}]}],
    },
    "DestinationRule": {
        "host": "web", "subsets": [{"name": "v1", "labels": {"version": "v1"}}],
        "trafficPolicy": {
            "loadBalancer": {"consistentHash": {"httpCookie": {"name": "c", "ttl": "1s"}, "maglev": {"tableSize": 101}},
                             "localityLbSetting": {"distribute": [{"from": "a/*", "to": {"a": 100}}]}},
            "connectionPool": {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}},
            "outlierDetection": {"consecutive5xxErrors": 1, "interval": "1s"}, "tls": {"mode": "SIMPLE"},
            "portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}],
        },
    },
    "ServiceEntry": {
        "hosts": ["web.example.com"], "resolution": "STATIC", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": 9001}, "labels": {"version": "v1"}}],
    },
    "Gateway": {
        "selector": {"a": "b"},
        "servers": [{"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["a.com"],
                     "tls": {"mode": "SIMPLE", "credentialName": "c"}}],
    },
}  # fmt: skip


def document(kind: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": kind.lower(), "namespace": "default", "labels": {"a": "b"}},
        "spec": SPECS[kind],
    }


WHOLE = [document(kind) for kind in SPECS]


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inside for path in paths(item, (*at, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    step, *rest = path
    if isinstance(value, list):
        return [replaced(item, tuple(rest), new) if index == step else item for index, item in enumerate(value)]
    return {key: replaced(item, tuple(rest), new) if key == step else item for key, item in value.items()}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.sampled_from(["", "*", "*.a", "a_b", "0s", "-1s", "(", "%", "5xx, 503", "::1", "a/b", "9" * 400]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=5,
)


def test_the_whole_grammar_is_free_of_errors_of_shape() -> None:
    """So that every mutation below starts from something that is read to its end."""
    (report,) = check([("f.json", "\n---\n".join(json.dumps(each) for each in WHOLE))])
    assert [problem for problem in report.errors if problem.code == "schema"] == []


@SETTINGS
@given(path=st.sampled_from(paths(WHOLE)), second=st.sampled_from(paths(WHOLE)), new=VALUES, other=VALUES)
def test_any_value_anywhere_is_judged(path: tuple[Any, ...], second: tuple[Any, ...], new: Any, other: Any) -> None:
    mutated = replaced(WHOLE, path, new)
    if second in paths(mutated):
        mutated = replaced(mutated, second, other)
    documents = mutated if isinstance(mutated, list) else [mutated]
    text = "\n---\n".join(json.dumps(each) for each in documents)
    lines = text.count("\n") + 1
    (report,) = check([("f.json", text)])
    for problem in (*report.errors, *report.warnings, *report.infos):
        assert 1 <= problem.location.line <= lines
        assert problem.message and "\n" not in str(problem)


@SETTINGS
@given(
    text=st.one_of(st.text(max_size=200), st.binary(max_size=200), st.text("-[]{}:,&*!|>'\"#? \n\tax0.", max_size=60))
)
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    documents = read_documents(text, "f")
    assert documents.problems or len(documents)
    assert all("\n" not in str(problem) for problem in documents.problems)


@SETTINGS
@given(text=st.text("-[]{}:,&*!|>'\"#? \n\tax0.", max_size=80))
def test_any_text_is_checked(text: str) -> None:
    (report,) = check([("f", text)])
    assert report.file == "f" and len(text) < MAX_BYTES
