"""What a running gateway tells other programs of the same user about itself: one small file each, in one folder.

The file is `gateway-PID.json` and holds one JSON object (`Presence`). Its gateway keeps it locked (flock), so that one
that was left behind can be told from one that counts, even if its number has come to another process since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class Presence(TypedDict):
    """`admin` and `url` are the addresses of the admin API and of the gateway itself, `files` those of its rules."""

    pid: int
    admin: str
    url: str
    files: list[str]


def folder_name(environment: Mapping[str, str], user: int) -> str:
    """Return the folder of a user's gateways: in XDG_RUNTIME_DIR, else below /tmp."""
    runtime = environment.get("XDG_RUNTIME_DIR")
    return f"{runtime}/chaos" if runtime else f"/tmp/chaos-{user}"
