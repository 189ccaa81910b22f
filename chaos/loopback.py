"""Say whether a host is this machine: the base of the promise that nothing leaves it unasked. Looks nothing up."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def is_loopback(host: str) -> bool:
    """Return whether a name or address is this machine's own, in brackets or not, in any case.

    Of names only localhost and those below it are known (RFC 6761 6.3): other names may lead anywhere."""
    name = host.strip("[]").lower().rstrip(".")
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
