"""Decide which requests may reach the web UI: those of its own pages, and those of programs. Does not import Locust."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.protocol.page_origin import sender

COMMANDS = ("/stop", "/stats/reset")


def may_pass(method: str, path: str, host: str, headers: Mapping[str, str], own_hosts: set[str]) -> bool:
    """Return whether a request comes from our own page or from a program, or reads only the first page; `headers` by
    lower-case name.

    Host reveals a foreign name that was pointed at this address (DNS rebinding). Any page may link to the first page.
    The commands that older versions of Locust take by GET are for our own page alone: an old browser that loads an
    image from there does not say which page asked for it."""
    if host.lower() not in own_hosts:
        return False
    match sender(headers, f"http://{host}"):
        case "own page":
            return True
        case "no page":
            return method != "GET" or path not in COMMANDS
        case "foreign page":
            return method == "GET" and path == "/"
