"""The model of one listener: a further door to the rules, beside the one that every run has."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from chaos.mesh.model.message import Message

Protocol = Literal["HTTP", "HTTPS", "TCP", "TLS"]


class Listener(Message):
    """A further port of the proxy, which leads to the same rules. Only a real Envoy has them (`--engine envoy`)."""

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")
    """What the listener is called: programs find `secure` in their variable CHAOS_LISTENER_SECURE."""
    protocol: Protocol
    """`HTTP` is HTTP/1.1 and HTTP/2 without TLS, `HTTPS` both with TLS, by a certificate of the run. `TCP` stands for a
    `host`, whose connections take the `tcp` routes of VirtualServices; at `TLS` they take the `tls` routes, by their
    server name (SNI), and are passed on as they are."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port on this machine (127.0.0.1); by default a free one is chosen."""
    host: str | None = Field(default=None, pattern=r"^[^:/\s]+:[0-9]{1,5}$")
    """Of `TCP`: the host of the mesh and its port that the listener stands for, like `db:5432`."""

    @model_validator(mode="after")
    def _one_host(self) -> Self:
        if self.protocol == "TCP" and self.host is None:
            raise ValueError("TCP needs host, the mesh host and port that it stands for, like db:5432")
        if self.protocol != "TCP" and self.host is not None:
            raise ValueError(f"host is for TCP; connections of {self.protocol} say themselves whom they are for")
        return self
