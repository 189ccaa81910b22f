"""Which requests may reach the web UI: those of its own pages, and those of programs. No Locust in here."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.protocol.page_origin import sender

COMMANDS = ("/stop", "/stats/reset")


def may_pass(method: str, path: str, host: str, headers: Mapping[str, str], own_hosts: set[str]) -> bool:
    """Whether a request is our own page's, or reads, or is a program's; `headers` by lower-case name.

    Host tells a foreign name that was pointed at this address (DNS rebinding). Any page may link to the first page. The
    commands that older versions of Locust take by GET are our own page's alone: an old browser that loads a picture
    from there says nothing of who asked."""
    if host.lower() not in own_hosts:
        return False
    match sender(headers, f"http://{host}"):
        case "own page":
            return True
        case "no page":
            return method != "GET" or path not in COMMANDS
        case "foreign page":
            return method == "GET" and path == "/"
