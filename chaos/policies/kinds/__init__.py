"""The kinds of faults that a policy can have, one file each. A new kind is a new file, and a field here."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import model_validator

from chaos.mesh.model.message import Message
from chaos.policies.fault import Fault
from chaos.policies.kinds.bandwidth import Bandwidth
from chaos.policies.kinds.close import Close
from chaos.policies.kinds.corrupt import Corrupt
from chaos.policies.kinds.delay import Delay
from chaos.policies.kinds.dribble import Dribble
from chaos.policies.kinds.patch import Patch
from chaos.policies.kinds.quota import Quota
from chaos.policies.kinds.reset import Reset
from chaos.policies.kinds.sequence import Sequence
from chaos.policies.kinds.stall import Stall
from chaos.policies.kinds.status import Status
from chaos.policies.kinds.truncate import Truncate

KINDS: tuple[type[Fault], ...] = (
    Reset,
    Close,
    Stall,
    Truncate,
    Corrupt,
    Patch,
    Status,
    Delay,
    Bandwidth,
    Dribble,
    Sequence,
    Quota,
)
"""All kinds, in the order in which they are listed."""


class OneFault(Message):
    """Exactly one fault, by the name of its kind."""

    reset: Reset | None = None
    """Reset the connection (TCP RST): in place of a response, or in the midst of one."""
    close: Close | None = None
    """Close the connection (TCP FIN): in place of a response, or in the midst of one."""
    stall: Stall | None = None
    """Let the response begin, and never end; the connection stays open."""
    truncate: Truncate | None = None
    """Let the response's body end early, whatever its content-length says."""
    corrupt: Corrupt | None = None
    """Change bytes of the response's body."""
    patch: Patch | None = None
    """Change headers of the response, or replace its body."""
    status: Status | None = None
    """Answer with a status, headers and a body of one's own; nothing is forwarded."""
    delay: Delay | None = None
    """Wait, for as long as a distribution says: before a request is forwarded, or before its response."""
    bandwidth: Bandwidth | None = None
    """Let the bodies of requests and responses pass at a rate."""
    dribble: Dribble | None = None
    """Let the body of a response come in pieces, spread over a time."""
    sequence: Sequence | None = None
    """Fail by order or by time: the first requests, each k-th, all in an outage, more and more of them."""
    quota: Quota | None = None
    """Answer what exceeds a rate of requests, by default with 429."""

    @model_validator(mode="after")
    def _one(self) -> OneFault:
        given = [fault.kind for fault in self.given()]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are {len(given)} faults; a policy has one: write one policy each")
        if not given:
            raise ValueError(f"no fault; write one of {', '.join(kind.kind for kind in KINDS)}")
        return self

    def given(self) -> Iterator[Fault]:
        """Yield the faults that are written."""
        for kind in KINDS:
            fault = getattr(self, kind.kind)
            if fault is not None:
                yield fault
