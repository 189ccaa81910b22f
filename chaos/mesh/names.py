"""Names in the mesh: short names, aliases, wildcards, which namespace sees what, and which proxy the gateway plays.

Source: istio model.ResolveShortnameToFQDN, pkg/config/host (Matches, SubsetOf, Intersection), pkg/config/visibility."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

MESH = "mesh"
ROOT_NAMESPACE = "istio-system"
CLUSTER_DOMAIN = "svc.cluster.local"
HTTP_PORT = 80  # of a Host, URL or service that names none; Istio's first listener for HTTP


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy that the gateway plays: a sidecar (`gateway` is `mesh`), or an Istio Gateway, `name` or
    `namespace/name`.

    `namespace` and `labels` are those of the client's workload for a sidecar; for a Gateway, `namespace` is the
    Gateway's. `port` is the proxy's only listener; None means that a sidecar's listener is the port that a request's
    Host names, and a Gateway's the port of its first server. `companions` are the other Gateways that the same workload
    serves."""

    gateway: str = MESH
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    companions: tuple[str, ...] = ()

    @property
    def is_gateway(self) -> bool:
        return self.gateway != MESH

    @property
    def gateway_name(self) -> str:
        """The name that VirtualServices are bound to: `mesh`, or `namespace/name`."""
        return qualified(self.gateway, self.namespace)

    @property
    def gateway_names(self) -> tuple[str, ...]:
        """All names by which a VirtualService can be bound to this proxy."""
        return (self.gateway_name, *self.companions)


def qualified(gateway: str, namespace: str) -> str:
    """Return a gateway's name with its namespace: `mesh` stays, `gw` and `./gw` become `<namespace>/gw`.

    The legacy spellings `gw.ns` and `gw.ns.svc.cluster.local` become `ns/gw` (istio resolveGatewayName)."""
    if gateway == MESH:
        return gateway
    owner, slash, name = gateway.partition("/")
    if slash:
        return f"{namespace if owner == '.' else owner}/{name}"
    if "." in gateway:
        name, owner = gateway.split(".")[:2]
        return f"{owner}/{name}"
    return f"{namespace}/{gateway}"


def full_name(name: str, namespace: str) -> str:
    """Return `<name>.<namespace>.svc.cluster.local` for a name without a dot; dotted names, `*` and addresses stay.

    Case is kept: destinations are compared as written."""
    if "." in name or name == "*" or is_address(name):
        return name
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}"


def is_address(name: str) -> bool:
    """Return whether a name is an IP address; IPv6 may be in brackets."""
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def namespace_of(name: str) -> str | None:
    """Return the namespace of a name `<name>.<namespace>.svc.cluster.local`; None for other names."""
    parts = name.split(".", 2)
    return parts[1] if len(parts) == 3 and parts[2] == CLUSTER_DOMAIN else None


def aliases(host: str, client_namespace: str) -> tuple[str, ...]:
    """Return every Host that means a registered service to a client in this namespace."""
    namespace = namespace_of(host)
    if namespace is None:
        return host, f"{host}."
    name = host.split(".", 1)[0]
    always = (host, f"{host}.", f"{name}.{namespace}", f"{name}.{namespace}.svc")
    return (*always, name) if namespace == client_namespace else always


def is_wildcard(host: str) -> bool:
    return host.startswith("*")


def covers(pattern: str, host: str) -> bool:
    """Return whether `pattern` takes in every name that `host` means: `*.b.c` covers `a.b.c` and `*.a.b.c`, not `b.c`.

    No dot is needed: `*a.b` covers `a.b` (istio host.Name SubsetOf)."""
    if not is_wildcard(pattern):
        return pattern == host
    return host.removeprefix("*").endswith(pattern[1:])


def overlap(one: str, other: str) -> bool:
    """Return whether some name is meant by both (istio host.Name Matches)."""
    return covers(one, other) or covers(other, one)


def specificity(host: str) -> tuple[bool, int]:
    """Return a sort key from the most specific host to the least: exact names first, then longer wildcards."""
    return is_wildcard(host), -len(host)


def intersection(admitted: Iterable[str], claimed: Iterable[str]) -> list[str]:
    """Return, for every pair in which one covers the other, the more specific name; each once, in order."""
    claimed = tuple(claimed)
    found: dict[str, None] = {}
    for outer in admitted:
        for inner in claimed:
            if covers(outer, inner):
                found[inner] = None
            elif covers(inner, outer):
                found[outer] = None
    return list(found)


def admitted_hosts(hosts: Iterable[str], gateway_namespace: str, namespace: str) -> list[str]:
    """Return those of a Gateway server's hosts (`name`, `ns/name`, `./name`, `*/name`) that VirtualServices of a
    namespace may use, without their prefix."""
    found = []
    for entry in hosts:
        owner, slash, name = entry.partition("/")
        owner = gateway_namespace if owner == "." else owner
        if not slash:
            found.append(entry)
        elif owner in ("*", namespace):
            found.append(name)
    return found


def exported(export_to: Iterable[str], owner: str, namespace: str) -> bool:
    """Return whether a resource of namespace `owner` is visible in `namespace`; without exportTo it is visible
    everywhere."""
    wanted = tuple(export_to)
    return not wanted or any(entry in ("*", namespace) or (entry == "." and owner == namespace) for entry in wanted)
