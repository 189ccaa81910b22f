"""Find out that a text is a Helm template that was not rendered: it is no YAML then, or its values are not there."""

from __future__ import annotations

import re

RENDER_FIRST = "a Helm template; render it first: helm template CHART > rules.yaml"

_ACTION = re.compile(r"\{\{-?(?P<inside>[^{}\n]*?)-?\}\}")
_OF_HELM = re.compile(
    r"(?<![\w)])\$?\.(Values|Release|Chart|Capabilities|Files|Template)\b|^\s*(include|template|define|tpl|toYaml)\b"
)
_OF_TEMPLATES = re.compile(r"^\s*(if|else|end|range|with|/\*)|^\s*[.$]")


def is_template(text: str) -> bool:
    """Return whether a text has an action that only Helm understands. Other actions of a Go template may be meant: the
    annotations of a Prometheus rule have some."""
    return any(_OF_HELM.search(match["inside"]) for match in _ACTION.finditer(text))


def template_line(text: str) -> tuple[int, int] | None:
    """Return line and column of the first action of a template in a text that is no YAML; None without one."""
    for match in _ACTION.finditer(text):
        begin = text.rfind("\n", 0, match.start()) + 1
        inside = match["inside"]
        if "#" not in text[begin : match.start()] and (_OF_HELM.search(inside) or _OF_TEMPLATES.search(inside)):
            return text.count("\n", 0, match.start()) + 1, match.start() - begin + 1
    return None
