"""A Helm template that was not rendered is one clear message; other texts with braces are left alone."""

from __future__ import annotations

import pytest

from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents

VALUES = "kind: VirtualService\nmetadata:\n  name: {{ .Values.name }}\n"
INCLUDED = 'metadata:\n  labels:\n    {{- include "web.labels" . | nindent 4 }}\n'
LOOP = "spec:\n{{- range $host := .hosts }}\n  - {{ $host }}\n{{- end }}\n"
QUOTED = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: '{{ .Release.Name }}-web'}\n"
COMMENTED = "# from web/rules.yaml, name: {{ .Values.name }}\n" + QUOTED.replace("{{ .Release.Name }}", "a")
PROMETHEUS = "annotations: {summary: '{{ $labels.pod }} {{ if eq 1 1 }}is{{ end }} down'}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {values: '{{ .Values.x }}'}\n"
SAID = "a Helm template; render it first: helm template CHART > rules.yaml"


@pytest.mark.parametrize(("text", "where"), [(VALUES, "3:9"), (INCLUDED, "3:5"), (LOOP, "2:1")], ids=range(3))
def test_a_template_is_to_be_rendered(text: str, where: str) -> None:
    read = read_documents(text, "f.yaml")
    assert [str(each) for each in read.problems] == [f"f.yaml:{where}: {SAID}"]
    assert not read.documents


def test_a_template_that_is_yaml_is_to_be_rendered_too() -> None:
    (problem,) = read_resources(read_documents(QUOTED, "f.yaml"))[1]
    assert str(problem) == f"f.yaml:3:18: metadata.name: {SAID}"


@pytest.mark.parametrize("text", [COMMENTED, PROMETHEUS, CONFIG_MAP], ids=range(3))
def test_braces_in_yaml_are_yaml(text: str) -> None:
    """An object that is not read may hold templates of its own, as Istio's ConfigMap for its injector does."""
    read = read_documents(text, "f.yaml")
    assert not read.problems
    assert all(SAID not in problem.message for problem in read_resources(read)[1])
