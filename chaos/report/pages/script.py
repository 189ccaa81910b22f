"""The one script of a page, inline, and the policy that allows it and nothing else."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from markupsafe import Markup


@cache
def script() -> Markup:
    """Return what reads the figures' values and zooms them."""
    return Markup(files("chaos.report").joinpath("templates", "figures.js").read_text(encoding="utf-8"))


@cache
def policy() -> Markup:
    """Return the page's Content-Security-Policy: nothing is loaded, and no script runs but this one, by its digest."""
    digest = b64encode(sha256(script().encode()).digest()).decode()
    return Markup(f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'")
