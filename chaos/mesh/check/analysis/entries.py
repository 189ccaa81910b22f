"""Check ServiceEntries: TCP without addresses (IST0134), one port of a host with two protocols (IST0177).

Source: istio analyzers serviceentry/{protocoladdresses,conflictingports}.go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaos.mesh.check.cursor import At
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.service_entry import ServiceEntry

NO_ADDRESSES, TWO_PROTOCOLS = "IST0134", "IST0177"

Cursor = Callable[[Resource[Any]], At]


def analyze_entries(at: Cursor, entries: tuple[Resource[ServiceEntry], ...]) -> None:
    """Report on all ServiceEntries together."""
    spoken: dict[tuple[str, int], tuple[str, Resource[ServiceEntry]]] = {}
    for entry in entries:
        for index, port in enumerate(entry.spec.ports):
            here = at(entry).into("ports", index)
            protocol = port.protocol.upper()
            if not entry.spec.addresses and protocol in ("", "TCP"):
                message = "TCP needs addresses: without them its traffic cannot be told from that of other services"
                here.warn(message, NO_ADDRESSES)
            for host in entry.spec.hosts:
                first, other = spoken.setdefault((host, port.number), (protocol, entry))
                if first != protocol and other is not entry:
                    where = f"ServiceEntry {other.namespace}/{other.name}"
                    message = f"{where} has {host}:{port.number} as {first}, this one as {protocol}"
                    here.into("protocol").warn(message, TWO_PROTOCOLS)
