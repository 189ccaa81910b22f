"""Path normalisation as Istio configures it (BASE) and Envoy does it, before any route is tested.

Envoy canonicalises the path with Chromium's URL library (source/common/chromium_url/url_canon_path.cc): `.` and `..`
segments are resolved, escapes of unreserved characters are decoded, a few characters are escaped, `\\` becomes `/`.
Slashes are not merged, `%2F` is not decoded, and the query is left alone. Observed on Envoy 1.40."""

from __future__ import annotations

import re

_UNUSUAL = re.compile(rb'[%\\"<>^`{|}\x80-\xff]|/\.').search
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_TO_ESCAPE = re.compile(rb'["<>^`{|}\x80-\xff]')
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# A dot segment may carry parameters (`..;x=1`), which are removed with it.
_DOTS = re.compile(rb"(\.\.?)(;.*)?", re.DOTALL)


def normalise(path: bytes) -> bytes | None:
    """Return the path (without query) as it is matched and forwarded; None when Envoy refuses it (`%00`)."""
    if _UNUSUAL(path) is None:
        return path
    if b"%00" in path:
        return None
    path = _ESCAPE.sub(_decode, path).replace(b"\\", b"/")
    path = _TO_ESCAPE.sub(lambda found: b"%%%02X" % ord(found[0]), path)
    return _without_dots(path) if b"/." in path else path


def _decode(escape: re.Match[bytes]) -> bytes:
    octet = int(escape[1], 16)
    return bytes((octet,)) if octet in _UNRESERVED else escape[0]


def _without_dots(path: bytes) -> bytes:
    """Resolve `.` and `..` segments; `..` at the root stays at the root. Empty segments count as segments."""
    first, *segments = path.split(b"/")
    kept: list[bytes] = [first]
    directory = False  # whether the last segment was dots, which leave a slash behind them
    for segment in segments:
        dots = _DOTS.fullmatch(segment)
        directory = dots is not None
        if dots is None:
            kept.append(segment)
        elif dots[1] == b".." and len(kept) > 1:
            kept.pop()
    return b"/".join(kept) + (b"/" if directory else b"")
