"""The model of one listener: a further door to the rules, beside the one that every run has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaos.mesh.model.message import Message

Protocol = Literal["HTTP", "HTTPS"]


class Listener(Message):
    """A further port of the proxy, which leads to the same rules. Only a real Envoy has them (`--engine envoy`)."""

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")
    """What the listener is called: programs find `secure` in their variable CHAOS_LISTENER_SECURE."""
    protocol: Protocol
    """`HTTP` is HTTP/1.1 and HTTP/2 without TLS, `HTTPS` both with TLS, by a certificate of the run."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port on this machine (127.0.0.1); by default a free one is chosen."""
