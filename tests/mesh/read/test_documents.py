# ruff: noqa: E501 - a row of a table stays on one line
"""Documents become resources; whatever does not have an Istio resource's shape is located and explained."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.mesh import load_resources

from chaos.errors import InvalidInput
from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents

HEAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: t}\nspec:\n  hosts: [web]\n"
ROUTE = "  - route: [{destination: {host: web}}]\n"


def problems(text: str) -> list[str]:
    documents = read_documents(text, "f.yaml")
    return [str(problem) for problem in (*documents.problems, *read_resources(documents)[1])]


def test_a_resource_knows_who_it_is_and_where_its_fields_stand() -> None:
    text = HEAD.replace(
        "{name: t}", "{name: t, namespace: shop, creationTimestamp: 2024-01-31T12:00:00Z, labels: {a: b}}"
    )
    (service,) = load_resources(text + "  http:\n" + ROUTE + "    timeout: 1m30s\n").virtual_services
    assert (service.kind, service.namespace, service.name, service.labels) == (
        "VirtualService",
        "shop",
        "t",
        {"a": "b"},
    )
    assert service.creation_timestamp == datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert service.spec.http[0].timeout == 90.0
    assert service.spec.http[0].route[0].destination.host == "web"
    assert str(service.locate(("spec", "http", 0, "timeout"))) == "rules.yaml:8:14"


def test_the_namespace_is_default_when_absent() -> None:
    assert load_resources(HEAD).virtual_services[0].namespace == "default"


def test_resources_sort_oldest_first_and_those_without_a_time_last() -> None:
    def document(name: str, moment: str) -> str:
        return HEAD.replace("{name: t}", f"{{name: {name}, creationTimestamp: {moment}}}")

    text = "---\n".join(
        [document("c", "2024-01-01T00:00:00Z"), document("b", "2023-01-01T00:00:00+01:00"), document("a", "~")]
    )
    found = load_resources(text).virtual_services
    assert [service.name for service in sorted(found, key=lambda service: service.precedence)] == ["b", "c", "a"]


def test_a_list_of_items_is_read_like_a_stream() -> None:
    text = """
apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1beta1
  kind: DestinationRule
  metadata: {name: d}
  spec: {host: web, subsets: [{name: v1}]}
"""
    (rule,) = load_resources(text).destination_rules
    assert rule.spec.subsets[0].name == "v1"
    assert rule.locate(("spec", "host")).line == 8
    assert rule.path(("spec", "host")) == "items[0].spec.host"


def test_an_experiment_document_is_passed_over() -> None:
    assert problems("apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {anything: [at, all]}") == []


def test_a_null_field_counts_as_absent_as_in_kubernetes() -> None:
    (service,) = load_resources(HEAD + "  http:\n" + ROUTE + "    timeout:\n    fault: null\n").virtual_services
    assert service.spec.http[0].timeout is None


SHAPES = [
    ("wieght: 5", "8:5: spec.http[0].wieght: unknown field `wieght`; known here: corsPolicy, delegate"),
    ("timeout: 5", "8:14: spec.http[0].timeout: 5 is not a duration; write it with a unit: 5s or 5ms"),
    ("timeout: '5'", "8:14: spec.http[0].timeout: '5' is not a duration; write it like 5s, 100ms or 1m30s"),
    ("time_out: 5s", "8:5: spec.http[0].time_out: unknown field `time_out`; did you mean `timeout`?"),
    ("cors_policy: {}", "8:5: spec.http[0].cors_policy: unknown field `cors_policy`; did you mean `corsPolicy`?"),
    ("retries: {attempts: '3'}", '8:25: spec.http[0].retries.attempts: expected a whole number, not "3"; write 3 without quotes'),
    ("retries: {attempts: 2.5}", "8:25: spec.http[0].retries.attempts: expected a whole number, not 2.5"),
    ("retries: [3]", "8:5: spec.http[0].retries: expected a mapping, not a list; leave out the `- `"),
    ("match: {uri: {exact: /}}", "8:5: spec.http[0].match: expected a list, not a mapping; begin the item with `- `"),
    ("match: [{uri: {exact: 1}}]", '8:27: spec.http[0].match[0].uri.exact: expected a string, not 1; write "1" in quotes'),
    ("match: [{uri: {perfix: /}}]", "8:20: spec.http[0].match[0].uri.perfix: unknown field `perfix`; did you mean `prefix`?"),
    ("match: [{headers: {x: }}]", "8:24: spec.http[0].match[0].headers.x: expected a mapping, not null"),
    ("match: [{headers: {x: {prfix: a}}}]", "8:28: spec.http[0].match[0].headers.x.prfix: unknown field `prfix`; did you mean `prefix`?"),
    ("match: [{port: -1}]", "8:20: spec.http[0].match[0].port: -1 is less than 0"),
    ("match: [{ignoreUriCase: 'yes'}]", '8:29: spec.http[0].match[0].ignoreUriCase: expected true or false, not "yes"'),
    ("fault: {abort: {percentage: 50}}", "8:33: spec.http[0].fault.abort.percentage: expected a mapping, not 50; write {value: 50}"),
    ("fault: {abort: {percentage: {value: '50'}}}", '8:41: spec.http[0].fault.abort.percentage.value: expected a number, not "50"; write 50 without quotes'),
    ("fault: {abort: {httpstatus: 500}}", "8:21: spec.http[0].fault.abort.httpstatus: unknown field `httpstatus`; did you mean `httpStatus`?"),
    ("corsPolicy: {unmatchedPreflights: IGNOR}", '8:39: spec.http[0].corsPolicy.unmatchedPreflights: "IGNOR" is not known; expected UNSPECIFIED, FORWARD or IGNORE; did you mean IGNORE?'),
    ("mirrors: [{}]", "8:15: spec.http[0].mirrors[0].destination: required, but missing"),
    ("mirror: {hots: a}", "8:5: spec.http[0].mirror.host: required, but missing"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), SHAPES)
def test_a_wrong_shape_is_explained(line: str, expected: str) -> None:
    assert f"f.yaml:{expected}" in "\n".join(problems(HEAD + "  http:\n" + ROUTE + f"    {line}\n"))


ENVELOPES = [
    ("[a]", "1:1: expected a mapping with apiVersion, kind, metadata and spec, not a list"),
    ("just words", '1:1: expected a mapping with apiVersion, kind, metadata and spec, not "just words"'),
    ("a: 1", "1:1: kind: expected VirtualService, DestinationRule, ServiceEntry, Gateway, Sidecar or Experiment, not null"),
    (HEAD.replace("VirtualService", "VirtualServcie"), '2:7: kind: unknown kind "VirtualServcie"; did you mean VirtualService?'),
    (HEAD.replace("io/v1", "io/v2"), '1:13: apiVersion: "networking.istio.io/v2" is not known for a VirtualService; write networking.istio.io/v1'),
    (HEAD.replace("networking.istio.io/v1", "v1"), '1:13: apiVersion: "v1" is not known for a VirtualService'),
    (HEAD.replace("metadata: {name: t}", "metadata: {}"), "3:1: metadata.name: required, but missing"),
    (HEAD.replace("metadata: {name: t}\n", ""), "1:1: metadata: required, but missing: a VirtualService needs metadata.name"),
    (HEAD.replace("{name: t}", "{name: A_b}"), '3:18: metadata.name: "A_b" is not a Kubernetes name'),
    (HEAD.replace("{name: t}", "{name: t, namespace: a.b}"), '3:32: metadata.namespace: "a.b" is not a namespace'),
    (HEAD.replace("{name: t}", "{name: t, creationTimestamp: soon}"), '3:40: metadata.creationTimestamp: "soon" is not a time'),
    (HEAD + "http: []\n", "6:1: http: unknown field `http`; it belongs under `spec`"),
    (HEAD + "specs: {}\n", "6:1: specs: unknown field `specs`; did you mean `spec`?"),
    (HEAD + "---\n" + HEAD, "9:18: metadata.name: a second VirtualService default/t; the first is at f.yaml:3:18"),
    ("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}", "1:13: apiVersion: this is a Gateway of the Kubernetes Gateway API"),
    ("apiVersion: chaos/v1\nkind: Experiment", '1:13: apiVersion: "chaos/v1" is not known for an Experiment; write chaos/v1alpha1'),
    ("apiVersion: v1\nkind: List\nitems: 5", "3:8: items: expected a list, not 5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ENVELOPES)
def test_what_is_no_istio_resource_is_explained(text: str, expected: str) -> None:
    assert any(problem.startswith(f"f.yaml:{expected}") for problem in problems(text)), problems(text)


def test_kubernetes_own_objects_are_passed_over_with_an_info() -> None:
    """A copied manifest has Services and Deployments beside the VirtualService."""
    documents = read_documents("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {}", "f.yaml")
    assert [problem.severity for problem in read_resources(documents)[1]] == ["info"]


def test_every_problem_of_a_file_comes_at_once() -> None:
    assert len(problems(HEAD + "  http:\n" + ROUTE + "    timeout: 5\n    retires: 3\n---\n[a]\n---\nkind: X")) == 4


def test_load_resources_raises_all_of_it() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_resources(HEAD + "  http:\n" + ROUTE + "    timeout: 5\n    retires: 3\n")
    assert len(caught.value.problems) == 2


def istio(kind: str, spec: str, group: str = "security.istio.io/v1") -> str:
    return f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: p}}\nspec: {spec}\n"


POLICIES = [
    (istio("PeerAuthentication", "{mtls: {mode: STRICT}}"), "warning: this PeerAuthentication is not played: with STRICT"),
    (istio("PeerAuthentication", "{portLevelMtls: {80: {mode: STRICT}}}"), "warning: this PeerAuthentication"),
    (istio("PeerAuthentication", "{mtls: {mode: PERMISSIVE}}"), "info: this PeerAuthentication is skipped"),
    (istio("AuthorizationPolicy", "{}"), "warning: this AuthorizationPolicy is not played: a cluster answers 403"),
    (istio("AuthorizationPolicy", "{action: AUDIT}"), "info: this AuthorizationPolicy"),
    (istio("RequestAuthentication", "{jwtRules: [{issuer: a}]}"), "warning: this RequestAuthentication"),
    (istio("RequestAuthentication", "{}"), "info: this RequestAuthentication"),
    (istio("EnvoyFilter", "{configPatches: [{}]}", "networking.istio.io/v1alpha3"), "warning: this EnvoyFilter"),
    (istio("WasmPlugin", "{url: a}", "extensions.istio.io/v1alpha1"), "warning: this WasmPlugin"),
    (istio("Telemetry", "{}", "telemetry.istio.io/v1"), "info: this Telemetry is skipped: it changes no response"),
    (istio("ProxyConfig", "{}", "networking.istio.io/v1beta1"), "info: this ProxyConfig"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), POLICIES)
def test_istios_policies_are_skipped(text: str, expected: str) -> None:
    """With a warning where they would change a response."""
    (problem,) = read_resources(read_documents(text, "f.yaml"))[1]
    assert f"{problem.severity}: {problem.message}".startswith(expected)


def test_all_other_kinds_of_a_file_share_a_line() -> None:
    kinds = (
        "v1 Node",
        "v1 ConfigMap",
        "v1 ConfigMap",
        "apiextensions.k8s.io/v1 CustomResourceDefinition",
        "cert-manager.io/v1 Certificate",
        "monitoring.coreos.com/v1 ServiceMonitor",
    )
    text = "---\n".join(istio(kind, "{}", group) for group, _, kind in (each.partition(" ") for each in kinds))
    (problem,) = read_resources(read_documents(text, "f.yaml"))[1]
    assert (
        str(problem)
        == "f.yaml:2:7: kind: not used here: Node, 2 ConfigMap, CustomResourceDefinition, Certificate and ServiceMonitor"
    )
    assert problem.severity == "info"


def test_a_broken_label_of_a_pod_is_located() -> None:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {metadata: {labels: {app: 1}}}}"
    )
    (problem,) = read_resources(read_documents(text, "f.yaml"))[1]
    assert str(problem).startswith("f.yaml:4:44: spec.template.metadata.labels.app: expected a string, not 1")


@pytest.mark.parametrize(("word", "ignored"), [("y", True), ("Y", True), ("n", False), ("N", False), ("on", True)])
def test_a_bare_word_is_a_boolean_where_one_stands(word: str, ignored: bool) -> None:
    """kubectl reads it so everywhere; where a text stands, programs that write YAML mean the text."""
    match = f"match: [{{ignoreUriCase: {word}, uri: {{prefix: y}}}}]"
    resources = load_resources(HEAD + "  http:\n" + ROUTE + f"    {match}\n")
    (entry,) = resources.virtual_services[0].spec.http[0].match
    assert entry.uri is not None
    assert (entry.ignore_uri_case, entry.uri.prefix) == (ignored, "y")


def test_a_bare_word_as_a_label_is_refused() -> None:
    text = HEAD.replace("{name: t}", "{name: t, labels: {x: y}}")
    assert (
        'f.yaml:3:33: metadata.labels.x: a bare y is a boolean to kubectl, which refuses it here; write "y" in quotes'
        in problems(text)
    )


@pytest.mark.parametrize("kind", ["Gateway", "HTTPRoute", "GRPCRoute"])
def test_the_gateway_api_is_skipped_with_a_warning(kind: str) -> None:
    (problem,) = read_resources(read_documents(istio(kind, "{}", "gateway.networking.k8s.io/v1"), "f.yaml"))[1]
    assert (problem.severity, problem.code) == ("warning", "not-used")


def test_metadata_of_a_pod_may_have_fields_that_are_not_known_here() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: b}, sinceTomorrow: 1}\nspec: {}\n"
    resources, found = read_resources(read_documents(text, "f.yaml"))
    assert not found and resources.workloads[0].labels == {"a": "b"}
