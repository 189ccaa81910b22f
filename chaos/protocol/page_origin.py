"""Which page sent a request, as far as its browser tells: the rule for everything of ours that listens on loopback.

Any page in the user's browser can send requests to 127.0.0.1, but it cannot hide that it did: a browser puts the page's
origin into Origin (`null` for a sandboxed frame or a file) when a request may change something, the relation of the two
sites into Sec-Fetch-Site on every request, and, where it knows neither header, usually the page's address into Referer
(RFC 6454 7, W3C Fetch Metadata 2.3, RFC 9110 10.1.3). Programs send none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Sender = Literal["own page", "foreign page", "no page"]

NEAR = {"same-origin": "own page", "none": "no page"}  # `none`: typed into the address bar; `same-site`: another port
HEADERS = ("origin", "sec-fetch-site", "referer")


def sender(headers: Mapping[str, str], own: str | None) -> Sender:
    """Return whose page sent a request with these headers (by lower-case name).

    `own` is the origin that the request was sent to, `http://127.0.0.1:8089`, once its Host has been found to be ours;
    None where there are no pages. A single header that names a foreign page outweighs the others."""
    said = {name: headers[name].strip() for name in HEADERS if name in headers}
    found = {_said_by(name, value, own) for name, value in said.items()}
    if "foreign page" in found:
        return "foreign page"
    return "own page" if "own page" in found else "no page"


def _said_by(header: str, value: str, own: str | None) -> str:
    if header == "sec-fetch-site":
        near = NEAR.get(value.lower(), "foreign page")
        return "foreign page" if near == "own page" and own is None else near
    if own is not None and (value.lower() == own.lower() or (header == "referer" and value.startswith(f"{own}/"))):
        return "own page"
    return "foreign page"
