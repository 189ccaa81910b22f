"""Admission checks of single values: host names, labels, ports, durations, header names, regexes.

Each check returns None when the value is right, otherwise a message with what is wrong and what would be right. Source:
istio pkg/config/validation/{agent/validation,validation}.go, pkg/config/labels, pkg/config/protocol."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

import re2

from chaos.mesh.read.shape import Wording, one_of, shown, suggestion

MAX_REGEX = 1024  # characters; Istio's stand-in for Envoy's limit on program size
SCHEMA = "schema"  # the code of what the API server refuses before the webhook sees it

_LABEL_FORM = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_LABEL = re.compile(_LABEL_FORM)
_WILDCARD_LABEL = re.compile(rf"\*|(?:\*-?)?{_LABEL_FORM}")
_TAG_NAME = r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_TAG_KEY = re.compile(rf"(?:(?P<prefix>{_LABEL_FORM}(?:\.{_LABEL_FORM})*)/)?(?P<name>{_TAG_NAME})")
_TAG_VALUE = re.compile(rf"(?:{_TAG_NAME})?")
_HEADER_NAME = re.compile(r"[!#$%&'*+,\-.^_`|~0-9A-Za-z]+")
_DIGITS = re.compile(r"[-+]?[0-9]+")

PSEUDO_HEADERS = frozenset((":method", ":scheme", ":authority", ":path", ":status"))
_PROTOCOLS = [
    "tcp",
    "udp",
    "grpc",
    "grpc-web",
    "http",
    "http_proxy",
    "http2",
    "https",
    "tls",
    "mongo",
    "redis",
    "mysql",
]
_HTTP_PROTOCOLS = frozenset(("http", "http2", "http_proxy", "grpc", "grpc-web"))

Check = Callable[[str], str | None]


def is_label(text: str) -> bool:
    """Return whether a text is a DNS label (RFC 1123); upper case is allowed, as in Istio."""
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def fqdn(name: str) -> str | None:
    return _length(name) or _labels(name, name)


def wildcard_domain(name: str) -> str | None:
    """Check a host name whose first label may be `*`, `*-x` or `*x`."""
    if problem := _length(name):
        return problem
    first, dot, rest = name.partition(".")
    if len(first) > 63 or not _WILDCARD_LABEL.fullmatch(first):
        return _bad_label(name, first)
    if "*" in rest:
        return f"{shown(name)} has a `*` beyond its first label; write it like *.example.com"
    return _labels(name, rest) if dot else None


def _length(name: str) -> str | None:
    if not name:
        return "empty; expected a host name"
    return f"a host name has at most 255 characters, this one has {len(name)}" if len(name) > 255 else None


def _labels(name: str, part: str) -> str | None:
    labels = part.split(".")
    if _DIGITS.fullmatch(labels[-1]):
        return f"{shown(name)} ends in the number {labels[-1]}; a host name ends in a word (a port goes into `port`)"
    if labels[-1] == "":
        labels.pop()  # `istio.io.` says that the name is complete
    return next((_bad_label(name, label) for label in labels if not is_label(label)), None)


def _bad_label(name: str, label: str) -> str:
    if ":" in label:
        return f"{shown(name)} is not a host name; a port goes into `port: {{number: ...}}`"
    if not label:
        return f"{shown(name)} has an empty part between two dots"
    if len(label) > 63:
        return f"{shown(label)} is longer than the 63 characters a part of a host name may have"
    return f"{shown(name)} is not a host name: {shown(label)} may only have letters, digits and inner -"


def partial_wildcard(name: str) -> str | None:
    if "*" in name and len(name) != 1 and not name.startswith("*."):
        return f"{shown(name)} has a `*` that is only a part of a label; write *.example.com"
    return None


def port(number: int) -> str | None:
    return None if 1 <= number <= 65535 else f"{number} is not a port; ports are 1 to 65535"


def percentage(value: float) -> str | None:
    """Check a fault's percentage: 0, or 0.0001 to 100 (one part per million is the least that Envoy can draw)."""
    if value < 0 or value > 100:
        return f"{value:.10g} is not between 0 and 100"
    if 0 < value < 0.0001:
        return f"{value:.10g} is less than 0.0001, the least share that Envoy can draw; write 0 or at least 0.0001"
    return None


def share(value: float) -> str | None:
    """Check a mirror's percentage: anything from 0 to 100."""
    return None if 0 <= value <= 100 else f"{value:.10g} is not between 0 and 100"


def duration(seconds: float) -> str | Wording | None:
    """Check a duration: at least a millisecond (by the schema), and whole milliseconds."""
    nanoseconds = round(seconds * 1e9)
    if nanoseconds < 1_000_000:
        return Wording("must be at least 1ms; leave the field out to have none", code=SCHEMA)
    if nanoseconds % 1_000_000:
        return "has parts of a millisecond; only whole milliseconds are supported"
    return None


def regex(pattern: str) -> str | None:
    """Check a regex; the message has RE2's own reason."""
    if not pattern:
        return "an empty regex is refused; leave the condition out to match anything"
    if len(pattern) > MAX_REGEX:
        return f"{len(pattern)} characters are too many for a regex; the limit is {MAX_REGEX}"
    if _single_byte(pattern):
        return "Istio refuses \\C, which is one byte in Envoy; write . for one character"
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        return f"RE2 refuses this regex: {_re2_words(error)}{_look_around(pattern)}"
    return None


def _single_byte(pattern: str) -> bool:
    r"""Return whether there is a \C, which RE2 knows and Go's regexp, by which Istio checks, does not. Inside of
    \Q...\E it is plain text."""
    unquoted = re.sub(r"((?:^|[^\\])(?:\\\\)*)\\Q.*?(?:\\E|$)", r"\1", pattern, flags=re.DOTALL)
    return re.search(r"(?:^|[^\\])(?:\\\\)*\\C", unquoted) is not None


def _re2_words(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(error)


def _look_around(pattern: str) -> str:
    if pattern.startswith("*"):
        return "; this is not a shell pattern, write .* for anything"
    if any(sign in pattern for sign in ("(?=", "(?!", "(?<=", "(?<!")):
        return "; RE2 has no look-around"
    return "; RE2 has no back-references" if re.search(r"\\[1-9]", pattern) else ""


def labels(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each bad Kubernetes label's name with a message."""
    return [(key, problem) for key, value in tags.items() if (problem := _label_pair(key, value))]


def _label_pair(key: str, value: str) -> str | None:
    match = _TAG_KEY.fullmatch(key)
    if match is None or len(match["name"]) > 63 or len(match["prefix"] or "") > 253:
        return f"{shown(key)} is not a label name; use letters, digits, -, _ and ., at most 63"
    if not _TAG_VALUE.fullmatch(value):
        return (
            f"{shown(value)} is not a label value; use letters, digits, -, _ and ., with a letter or digit at the ends"
        )
    return None


def selector(tags: Mapping[str, str]) -> list[tuple[str, str | Wording]]:
    """Return the name of each bad label of a workload selector with a message."""
    found: list[tuple[str, str | Wording]] = []
    for key, value in tags.items():
        if not key:
            found.append((key, "an empty label name is refused"))
        if "*" in key or "*" in value:
            found.append((key, Wording("a selector takes no `*`; leave the label out", code=SCHEMA)))
        if len(value) > 63:
            message = f"{len(value)} characters are too many for a label value; the limit is 63"
            found.append((key, Wording(message, code=SCHEMA)))
    return found


def header_name(name: str) -> str | None:
    if not name:
        return "an empty header name is refused"
    return None if _HEADER_NAME.fullmatch(name) else f"{shown(name)} is not a header name (RFC 9110, field-name)"


def matched_header_name(name: str) -> str | None:
    """Check a header name in a match: pseudo headers and `@request.auth.claims` are allowed too."""
    return None if is_claim(name) or name in PSEUDO_HEADERS else header_name(name)


def cors_header_name(name: str) -> str | None:
    return None if name == "*" else header_name(name)


def is_claim(name: str) -> bool:
    """Return whether a header name stands for a JWT claim: `@request.auth.claims.sub`, `@request.auth.claims[sub]`."""
    head, rest = name[:20], name[20:]
    if head.lower() != "@request.auth.claims":
        return False
    return (rest[:1] == "." and len(rest) > 1) or (rest[:1] == "[" and rest[-1:] == "]" and len(rest) > 2)


def gateway_name(name: str) -> str | None:
    """Check a Gateway's name: `name` or `namespace/name`."""
    namespace, slash, short = name.partition("/")
    if not slash:
        return fqdn(name)
    if not namespace or not short:
        return f"{shown(name)} lacks its namespace or name; write namespace/name"
    if not is_label(namespace):
        return f"{shown(namespace)} is not a namespace; write namespace/name, in letters, digits and -"
    return None if is_label(short) else f"{shown(short)} is not a Gateway name; use letters, digits and -"


def protocol(name: str) -> Wording | None:
    """Check a port's protocol; an empty one lets Istio detect it."""
    if not name or name.lower() in _PROTOCOLS:
        return None
    known = [word.upper() for word in _PROTOCOLS]
    return suggestion(name, known).after(f"{shown(name)} is not a protocol; expected {one_of(known)}")


def speaks_http(name: str) -> bool:
    return name.lower() in _HTTP_PROTOCOLS


def speaks_tls(name: str) -> bool:
    return name.lower() in ("https", "tls")


def ip_or_cidr(text: str) -> str | None:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return f"{shown(text)} is neither an IP address nor a CIDR range like 10.0.0.0/8"
    return None


def unix_path(path: str) -> str | None:
    """Check the part after `unix://`: an absolute path to a file, or an abstract socket (`@name`)."""
    if path.startswith("@") or (path.startswith("/") and not path.endswith("/")):
        return None
    return f"{shown(path)} is not an absolute path to a socket; write unix:///path/to/socket"


def covers(wide: str, name: str) -> bool:
    """Return whether host `wide`, perhaps a wildcard, includes `name`, perhaps a wildcard too."""
    if not wide.startswith("*"):
        return wide == name
    return name[name.startswith("*") :].endswith(wide[1:]) and len(name) >= len(wide) - 1


def overlap(one: str, other: str) -> bool:
    """Return whether some host belongs to both names."""
    return covers(one, other) or covers(other, one)
