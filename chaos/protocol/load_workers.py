"""What a load and its workers on other hosts say to each other before the load begins, over Locust's channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PORT = 5557  # Locust's own

JOIN = "chaos_join"  # of a worker: Newcomer
PLAN = "chaos_plan"  # to a worker: Share
REFUSED = "chaos_refused"  # to a worker: {"reason"}; it ends
REFUSES = "chaos_refuses"  # of a worker, which cannot carry the plan out: {"reason"}; it ends
LEAVE = "chaos_leave"  # of a worker, which ends before the load does
OVER = "chaos_over"  # to a worker: nothing more is wanted of it


@dataclass(frozen=True, slots=True)
class Joining:
    """How the workers of a load come to it: at the address `bind`, all within `wait` seconds, each with the `token`,
    which is empty where everybody on this machine may join. They reach the gateway at `gateway`, its HTTPS
    listener at `secure`; a host of all zeros stands for the one at which they have reached the load. `advertised`: the
    user has named the gateway's URL, so it may be a tunnel's."""

    bind: str
    wait: float = 60.0
    token: str = field(default="", repr=False)
    gateway: str = ""
    secure: str = ""
    advertised: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Joining:
        """Read it from parsed JSON. Raises TypeError."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A worker that wants to join: its `host`'s name and boot (a random number of its kernel, empty if unknown), its
    versions, and whether it runs code of the load (`code`)."""

    host: str
    boot: str
    versions: Mapping[str, str]
    code: bool

    @classmethod
    def of(cls, value: Any) -> Newcomer:
        """Read it from a message. Raises TypeError, KeyError or AttributeError."""
        versions = {str(name): str(each) for name, each in value["versions"].items()}
        return cls(str(value["host"])[:100], str(value["boot"]), versions, bool(value["code"]))


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's share of a load: `number` of `count`, and the plan as JSON. `remote`: it is on another host than the
    load. `code` is the folder of a locustfile (chaos/load/code.py), with its sha256; `ca` is the text of the plan's
    file."""

    number: int
    count: int
    plan: str
    remote: bool
    advertised: bool
    code: bytes | None = None
    sha256: str = ""
    ca: str = ""

    @classmethod
    def of(cls, value: Any) -> Share:
        """Read it from a message. Raises TypeError."""
        return cls(**value)


def differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Return the first version in which two differ, as in `Locust 2.40.0, this is 2.43.0`; empty if none does."""
    for name, version in ours.items():
        other = theirs.get(name, "of an unknown version")
        if other != version:
            return f"{name} {other}, this is {version}"
    return ""
