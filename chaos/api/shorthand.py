"""Rules as a test writes them: files, texts and mappings in any number, or one rule in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos.errors import InvalidInput
from chaos.experiment.model import API_VERSION, KIND
from chaos.mesh.source.writing import to_yaml
from chaos.runner.plan.files import read_text

Document = str | Path | Mapping[str, object]
"""An experiment or Istio file (a path), a YAML text, or a document as a mapping."""

Fault = Mapping[str, object]
"""`abort` or `delay` as HTTPFaultInjection has them; a percentage may be a plain number."""


def as_stream(
    documents: Sequence[Document],
    *,
    host: str | None = None,
    to: str | Sequence[str] | None = None,
    abort: Fault | None = None,
    delay: Fault | None = None,
    services: Mapping[str, object] | None = None,
) -> str | Path:
    """One YAML stream; a single path stays a path, so that problems name the user's own file. Raises InvalidInput."""
    if len(documents) == 1 and isinstance(documents[0], Path) and host is None and services is None:
        return documents[0]
    parts = [_text(document) for document in documents]
    if host is not None:
        parts.append(to_yaml(_one_rule(host, abort, delay)))
    elif abort is not None or delay is not None:
        raise InvalidInput.at("chaos.rules", "abort and delay need host, the service whose requests meet them")
    if not parts:
        raise InvalidInput.at("chaos.rules", "needs rules: documents, or host with abort or delay")
    known = dict(services or {})
    if to is not None and host is not None:
        known[host] = {"endpoints": [{"address": each} for each in ([to] if isinstance(to, str) else to)]}
    if known:
        own = {"apiVersion": API_VERSION, "kind": KIND, "spec": {"services": known}}
        parts.insert(0, to_yaml(own))
    return "---\n".join(part if part.endswith("\n") else part + "\n" for part in parts)


def _text(document: Document) -> str:
    if isinstance(document, Path):
        return read_text(document)
    if not isinstance(document, str):
        return to_yaml(dict(document))
    name = document.strip()
    if name.endswith((".yaml", ".yml", ".json")) and not set(name) & set("\n{:"):
        raise InvalidInput.at("chaos.rules", f"{name!r} is taken for YAML text; a file is given as Path({name!r})")
    return document


def _one_rule(host: str, abort: Fault | None, delay: Fault | None) -> dict[str, object]:
    fault = {name: _fault(given) for name, given in (("delay", delay), ("abort", abort)) if given is not None}
    rule: dict[str, object] = {"route": [{"destination": {"host": host}}]} | ({"fault": fault} if fault else {})
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": host.partition(".")[0]},
        "spec": {"hosts": [host], "http": [rule]},
    }


def _fault(given: Fault) -> dict[str, object]:
    percentage = given.get("percentage")
    return dict(given) | ({"percentage": {"value": percentage}} if isinstance(percentage, int | float) else {})
