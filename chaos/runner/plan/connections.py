"""What a run's listeners for connections do: the rules that they apply, for claims, and the routes that none of them
applies, which is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.claims.effects import ConnectionEffect
from chaos.errors import Problem
from chaos.experiment.further_listeners import further_listeners, stands_for
from chaos.experiment.read import Reading
from chaos.mesh.resolve.connections import ConnectionRule, tcp_chain, tls_chains
from chaos.mesh.resolve.mesh import ResolvedMesh
from chaos.runner.plan.engines import ANY, Engine


def connection_rules(reading: Reading, mesh: ResolvedMesh) -> tuple[ConnectionRule, ...]:
    """Return the rules of the run's listeners for connections, each once."""
    found: dict[str, ConnectionRule] = {}
    for each in further_listeners(reading):
        if each.protocol == "TCP":
            host, port = stands_for(each, reading)
            service = mesh.registry.get(host)
            if service is not None and port in service.ports:
                rule = tcp_chain(mesh, host, port).rule
                found.setdefault(rule.key, rule)
        elif each.protocol == "TLS":
            for chain in tls_chains(mesh):
                found.setdefault(chain.rule.key, chain.rule)
    return tuple(found.values())


def connection_effects(rules: Sequence[ConnectionRule]) -> tuple[ConnectionEffect, ...]:
    """Return what rules of VirtualServices do, for claims."""
    return tuple(
        ConnectionEffect(rule.key, rule.name, str(rule.location), tuple(rule.shares.items()))
        for rule in rules
        if rule.location is not None
    )


def not_applied(reading: Reading, rules: Sequence[ConnectionRule], engine: Engine) -> Iterator[Problem]:
    """Yield a warning for each `tcp` and `tls` route that no listener of the run applies; none where no engine is
    chosen yet and no listener for connections is there: then nobody expects any."""
    wanted = any(each.protocol in ("TCP", "TLS") for each in further_listeners(reading))
    if not (wanted or (engine.listens and engine is not ANY)):
        return
    applied = {rule.key for rule in rules}
    for owner in reading.resources.virtual_services:
        for kind, routes in (("tcp", owner.spec.tcp), ("tls", owner.spec.tls)):
            for index in range(len(routes)):
                if f"virtualservice/{owner.namespace}/{owner.name}/{kind}/{index}" not in applied:
                    path = ("spec", kind, index)
                    message = f"{owner.name}.{kind}[{index}] is not applied: no listener of spec.listeners leads to it"
                    yield Problem(owner.locate(path), owner.path(path), message, "warning", "not-served")
