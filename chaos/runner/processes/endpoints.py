"""Check that the declared endpoints accept connections, without which a run would prove nothing about them."""

from __future__ import annotations

import asyncio

from chaos.errors import EnvironmentFailed
from chaos.mesh.upstream.registry import Registry
from chaos.runner.processes.ports import accepts

PATIENCE = 3.0
"""Seconds for a connection; on one machine it takes less than a millisecond."""


async def try_endpoints(registry: Registry) -> None:
    """Connect to each endpoint once. Raises EnvironmentFailed, naming each that does not accept and its service."""
    served: dict[tuple[str, int], str] = {}
    for service in registry.services.values():
        for number, port in service.ports.items():
            for endpoint in port.endpoints:
                served.setdefault((endpoint.address, endpoint.port), f"{service.host}:{number}")
    found = await asyncio.gather(*(asyncio.to_thread(accepts, host, port, PATIENCE) for host, port in served))
    dead = [
        f"nothing listens on {host}:{port}, an endpoint of {service}"
        for ((host, port), service), alive in zip(served.items(), found, strict=True)
        if not alive
    ]
    if dead:
        raise EnvironmentFailed("; ".join(dead))
