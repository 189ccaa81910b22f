"""The page of the admin API: one HTML file that carries its style and its script, and calls nothing but the API.

Its policy (CSP) names both by their hashes, so the browser runs and shows nothing else, whatever a rule is called."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Page:
    html: str
    headers: dict[str, str]


@cache
def page() -> Page:
    """Return the page with the headers that protect it."""
    html, style, script = (_part(name) for name in ("page.html", "page.css", "page.js"))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }
    return Page(html.replace("{style}", style).replace("{script}", script), headers)


def _part(name: str) -> str:
    return (files("chaos.gateway.process") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
