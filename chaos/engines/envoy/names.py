"""Host names: what short ones stand for, which ones cover which, and what else a service is called.

Sources: ResolveShortnameToFQDN (pilot/pkg/model), pkg/config/host/name.go, GenerateAltVirtualHosts (httproute.go)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

CLUSTER_DOMAIN = "svc.cluster.local"


def fully_qualified(name: str, namespace: str) -> str:
    """A name without a dot is a service of this namespace; anything else is taken as it is."""
    if "." in name or name.startswith("*") or is_address(name):
        return name
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}"


def is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def namespace_of(host: str, default: str) -> str:
    """The namespace in a Kubernetes service's name; `default` for other names."""
    parts = host.removesuffix("." + CLUSTER_DOMAIN).split(".")
    return parts[1] if host.endswith("." + CLUSTER_DOMAIN) and len(parts) == 2 else default


def domains(host: str, client_namespace: str) -> list[str]:
    """Under which Hosts a client in this namespace reaches a registered service."""
    names = [host]
    if not is_address(host):
        names.append(host + ".")
    parts = host.removesuffix("." + CLUSTER_DOMAIN).split(".")
    if host.endswith("." + CLUSTER_DOMAIN) and len(parts) == 2:
        name, namespace = parts
        names += [name] if namespace == client_namespace else []
        names += [f"{name}.{namespace}", f"{name}.{namespace}.svc"]
    return names


def covers(pattern: str, host: str) -> bool:
    """Whether every name that `host` stands for also matches `pattern`; both may be wildcards (Name.SubsetOf)."""
    if not pattern.startswith("*"):
        return pattern == host
    if host.startswith("*"):
        return len(host) >= len(pattern) and host[1:].endswith(pattern[1:])
    return host.endswith(pattern[1:])


def intersection(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """The more specific of each overlapping pair, once (Names.Intersection)."""
    found: dict[str, None] = {}
    for one in left:
        for other in right:
            if covers(other, one):
                found[one] = None
            elif covers(one, other):
                found[other] = None
    return list(found)
