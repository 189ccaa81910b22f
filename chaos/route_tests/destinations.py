"""Destinations as tests name them, `host[:port][/subset]`, and the clusters that rules lead to."""

from __future__ import annotations

from chaos.mesh.names import HTTP_PORT, full_name, namespace_of
from chaos.route_tests.answer import Answer


def arrived(answer: Answer) -> dict[str, float]:
    """Return the share of the forwarded requests by the name of the cluster; empty if none is forwarded."""
    shares: dict[str, float] = {}
    if not answer.forwarded or answer.explanation.rule is None:
        return shares
    for each in answer.explanation.rule.destinations:
        if each.share > 0:
            shares[each.name] = shares.get(each.name, 0.0) + each.share
    return shares


def means(wanted: str, cluster: str, namespace: str) -> bool:
    """Return whether a test means this cluster. A short name belongs to the rule's namespace; without a port any port
    is meant, without a subset only the service as a whole."""
    address, _, subset = wanted.partition("/")
    host, port = _host_port(address)
    there, its_subset = cluster.partition("/")[::2]
    its_host, its_port = _host_port(there)
    named = its_host in (host, full_name(host, namespace))
    return named and subset == its_subset and port in ("", its_port)


def shown_name(cluster: str, namespace: str) -> str:
    """Return a cluster's name as a test would write it: short within the namespace, without port 80."""
    address, slash, subset = cluster.partition("/")
    host, port = _host_port(address)
    short = host.partition(".")[0] if namespace_of(host) == namespace else host
    return f"{short}{'' if port in ('', str(HTTP_PORT)) else f':{port}'}{slash}{subset}"


def unknown(cluster: str, answer: Answer) -> str:
    """Return why a destination certainly does not exist; empty if it does, or the files do not tell.

    A subset is not there for certain if its host has a DestinationRule without it: a file with VirtualServices alone
    says nothing of subsets."""
    if _is_known(cluster, answer):
        return ""
    address, _, subset = cluster.partition("/")
    host, _ = _host_port(address)
    if not subset:
        return "no such service or port is known"
    if host in answer.subject.with_destination_rule:
        return f"its DestinationRule has no subset {subset}, or the service is not known"
    return "the service is not known" if answer.subject.rules.registry.destination(host) is None else ""


def assumed(answer: Answer) -> tuple[str, ...]:
    """Return a note for each host of whose subsets the files do not tell."""
    missing = [name for name in arrived(answer) if not _is_known(name, answer) and not unknown(name, answer)]
    hosts = dict.fromkeys(shown_name(name.partition("/")[0], answer.namespace) for name in missing)
    return tuple(f"{host} has no DestinationRule in the files: its subsets are taken as given" for host in hosts)


def _is_known(cluster: str, answer: Answer) -> bool:
    rule = answer.explanation.rule
    return rule is None or all(each.known for each in rule.destinations if each.name == cluster)


def _host_port(address: str) -> tuple[str, str]:
    host, colon, port = address.rpartition(":")
    return (host, port) if colon and port.isdigit() else (address, "")
