"""A request in words, `GET http://webserver/x?y=1`, as a load task: what `chaos explain` is asked about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from chaos.experiment.tasks import LoadTask

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN = _METHOD


def parse_request(text: str, headers: Iterable[str] = ()) -> LoadTask:
    """Method and URL, GET when there is only a URL; `http://` may be left out. Raises ValueError."""
    words = text.split()
    if not words or len(words) > 2:
        raise ValueError(f"{text!r} is not a request; write it like 'GET http://webserver/x?y=1'")
    method, url = words if len(words) == 2 else ("GET", words[0])
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is not a method; write it like 'GET http://webserver/'")
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{url!r} is not a URL with a host; write it like http://webserver/x?y=1")
    return LoadTask(text, method, url, dict(_header(each) for each in headers))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name.strip()):
        raise ValueError(f"{text!r} is not a header; write it like 'end-user: jason'")
    return name.strip().lower(), value.strip()
