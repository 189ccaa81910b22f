"""Whether a response is what its task expects: status, body, JSON. Works on values, without a socket.

Only responses to tasks with `expect` come here, and more of their bodies is kept than the beginning."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.mesh.regex import search
from chaos.protocol.digest import PASSED

MOST_BODY = 1 << 20
"""Bytes of a body that are looked at; JSON that is longer is none."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one task expects. None where it does not say. `status` has numbers and classes like `2xx`."""

    status: tuple[int | str, ...] | None = None
    body: Callable[[bytes], bool] | None = None
    json: Any = None
    has_json: bool = False

    @property
    def reads_body(self) -> bool:
        return self.body is not None or self.has_json

    def __call__(self, status: int, body: bytes) -> str:
        """Return PASSED, or the first part that was not met: status, body or json."""
        if self.status is not None and status not in self.status and f"{status // 100}xx" not in self.status:
            return "status"
        if self.body is not None and not self.body(body):
            return "body"
        if self.has_json and not _parses_to(body, self.json):
            return "json"
        return PASSED


def check_of(expect: Mapping[str, Any] | None) -> Check | None:
    """Return the check of a task's `expect`, None without one."""
    if expect is None:
        return None
    status, body = expect.get("status"), expect.get("body")
    return Check(
        None if status is None else tuple(status),
        None if body is None else _contains(body),
        expect.get("json"),
        "json" in expect,
    )


def _contains(body: str) -> Callable[[bytes], bool]:
    """Return a test for a body that contains a text, or matches `/regex/` somewhere."""
    if len(body) > 1 and body[0] == body[-1] == "/":
        return search(body[1:-1])
    octets = body.encode()
    return lambda text: octets in text


def _parses_to(body: bytes, wanted: Any) -> bool:
    try:
        return holds(wanted, json.loads(body))
    except (ValueError, RecursionError):
        return False


def holds(wanted: Any, found: Any) -> bool:
    """Return whether what was found has all that is wanted: of an object these fields at least, of a list these items
    in this order and no others, anything else the same value."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and holds(each, found[name]) for name, each in wanted.items()
        )
    if isinstance(wanted, list):
        same = isinstance(found, list) and len(found) == len(wanted)
        return same and all(holds(each, other) for each, other in zip(wanted, found, strict=True))
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found)
