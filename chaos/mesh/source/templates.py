"""Find out that a text is a Helm template that was not rendered: it may be no YAML, and its values are not there."""

from __future__ import annotations

import re

RENDER_FIRST = "a Helm template; render it first: helm template CHART > rules.yaml"

_ACTION = re.compile(r"\{\{-?(?P<inside>[^{}\n]*?)-?\}\}")
_OF_HELM = re.compile(
    r"(?<![\w)])\$?\.(Values|Release|Chart|Capabilities|Files|Template)\b|^\s*(include|template|define|tpl|toYaml)\b"
)
_OF_TEMPLATES = re.compile(r"^\s*(if|else|end|range|with|/\*)|^\s*[.$]")


def template_line(text: str, *, any_action: bool) -> tuple[int, int] | None:
    """Return line and column of the first action that only Helm understands, None without one.

    With `any_action` every action of a Go template counts: in a text that is YAML those may stand in texts, such as the
    annotations of a Prometheus rule."""
    for match in _ACTION.finditer(text):
        begin = text.rfind("\n", 0, match.start()) + 1
        if "#" in text[begin : match.start()]:
            continue
        inside = match["inside"]
        if _OF_HELM.search(inside) or (any_action and _OF_TEMPLATES.search(inside)):
            return text.count("\n", 0, match.start()) + 1, match.start() - begin + 1
    return None
