"""Names in the gateway's response tags (`x-chaos-route` and others): any text, encoded as a header value.

A rule may be called `größer`, ` a `, or have a line break in its name. Header values are visible ASCII, so everything
else is percent-encoded from UTF-8, as in a URL, and decoded exactly (RFC 3986 2.1). Plain names stay as they are."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_PLAIN = re.compile(rb"[!-$&-~]+(?: +[!-$&-~]+)*")  # visible ASCII without %, and single words apart by spaces
_KEPT = frozenset(range(0x21, 0x7F)) - {0x25}


def encode_tag(name: str) -> bytes:
    """Return the name as a header value, from which `decode_tag` restores it."""
    octets = name.encode("utf-8", "surrogatepass")
    if _PLAIN.fullmatch(octets):
        return octets
    last = len(octets) - 1
    return b"".join(
        bytes((octet,)) if octet in _KEPT or (octet == 0x20 and 0 < place < last) else b"%%%02X" % octet
        for place, octet in enumerate(octets)
    )


def decode_tag(value: str) -> str:
    """Return the name that a header value stands for; malformed escapes and bytes are decoded as far as possible."""
    if "%" not in value:
        return value
    return unquote_to_bytes(value).decode("utf-8", "surrogatepass" if _is_whole(value) else "replace")


def label_of(cluster: str) -> str:
    """Return a cluster's label, `host:port` or `host:port/subset`, from the name that Istio gives it."""
    _, port, subset, host = cluster.split("|", 3)
    return f"{host}:{port}/{subset}" if subset else f"{host}:{port}"


def _is_whole(value: str) -> bool:
    try:
        unquote_to_bytes(value).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
