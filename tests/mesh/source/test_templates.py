"""A Helm template that was not rendered is one clear message; other texts with braces are left alone."""

from __future__ import annotations

import pytest

from chaos.mesh.source.document import read_documents

VALUES = "kind: VirtualService\nmetadata:\n  name: {{ .Values.name }}\n"
QUOTED = "kind: VirtualService\nmetadata: {name: '{{ .Release.Name }}-web'}\n"
INCLUDED = 'metadata:\n  labels:\n    {{- include "web.labels" . | nindent 4 }}\n'
LOOP = "spec:\n{{- range $host := .hosts }}\n  - {{ $host }}\n{{- end }}\n"
COMMENTED = "# Source: web/templates/rules.yaml, name: {{ .Values.name }}\nkind: VirtualService\n"
PROMETHEUS = "annotations: {summary: '{{ $labels.pod }} {{ if eq 1 1 }}is{{ end }} down'}\n"
FLOW = "a: {b: {c: d}}\n"


@pytest.mark.parametrize(
    ("text", "where"), [(VALUES, "3:9"), (QUOTED, "2:19"), (INCLUDED, "3:5"), (LOOP, "2:1")], ids=range(4)
)
def test_a_template_is_to_be_rendered(text: str, where: str) -> None:
    read = read_documents(text, "f.yaml")
    message = "a Helm template; render it first: helm template CHART > rules.yaml"
    assert [str(each) for each in read.problems] == [f"f.yaml:{where}: {message}"]
    assert not read.documents


@pytest.mark.parametrize("text", [COMMENTED, PROMETHEUS, FLOW], ids=range(3))
def test_braces_in_yaml_are_yaml(text: str) -> None:
    read = read_documents(text, "f.yaml")
    assert not read.problems
    assert len(read.documents) == 1
