"""The web UI's table of faults: each rule's share as configured, as drawn by the gateway, and as seen by users.

It calls the gateway's admin API on behalf of the browser, which cannot reach it; its sockets are gevent's, so users go
on."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from chaos.faults import NAMES, count_of
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import Digest

TIMEOUT = 5.0


class Gateway:
    """The gateway's admin API. Every call raises OSError when it fails."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80

    def rules(self) -> dict[str, str]:
        """Return the rules' names by key."""
        return {rule["key"]: rule["name"] for rule in self._ask("GET", "/rules").get("rules", ())}

    def counters(self) -> GatewayCounters:
        """Return what the gateway has counted so far."""
        answer: GatewayCounters = self._ask("GET", "/counters")
        return answer

    def faults(self) -> bool:
        """Return whether faults are on."""
        enabled = self._ask("GET", "/faults").get("enabled")
        if not isinstance(enabled, bool):
            raise OSError(f"the gateway did not say whether faults are on, but {enabled!r}")
        return enabled

    def switch(self, enabled: bool) -> None:
        self._ask("PUT", "/faults", {"enabled": enabled})

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json"} if text else {})
            response = connection.getresponse()
            answer = response.read()
            if response.status >= 300:
                raise OSError(f"the gateway answered {method} {path} with {response.status}")
            return json.loads(answer) if answer else {}
        except ValueError as error:
            raise OSError(f"the gateway answered {method} {path} with {error}") from None
        finally:
            connection.close()


class Faults:
    """The table, updated by the session's digests. `configured` maps (rule's name, kind) to a fraction."""

    def __init__(self, gateway: Gateway | None, configured: dict[tuple[str, str], float]):
        self.gateway = gateway
        self._configured = configured
        self._seen: dict[str, dict[str, int]] = {}

    def observe(self, digest: Digest) -> None:
        """Add a digest to the shares that users saw."""
        for key, tally in digest.items():
            seen = self._seen.setdefault(key.route, dict.fromkeys(("requests", *NAMES), 0))
            seen["requests"] += tally.count
            for kind in NAMES:
                if kind in key.fault:
                    seen[kind] += tally.count

    def switch(self, enabled: bool) -> None:
        """Switch all faults on or off. Raises OSError when there is no gateway to ask, or it refuses."""
        if self.gateway is None:
            raise OSError("this gateway has no admin address")
        self.gateway.switch(enabled)

    @property
    def enabled(self) -> bool:
        """Whether faults are on, as far as the gateway says; a phase of the run may have switched them."""
        try:
            return self.gateway is None or self.gateway.faults()
        except OSError:
            return True

    def rows(self) -> list[dict[str, str]]:
        """Return one row for each rule and kind of fault that is configured or was seen."""
        drawn = self._drawn()
        wanted = dict.fromkeys(self._configured)
        for ledger in (drawn, self._seen):
            wanted |= {(name, kind): None for name, row in ledger.items() for kind in NAMES if row.get(kind)}
        return [self._row(name, kind, drawn.get(name, {})) for name, kind in wanted]

    def _row(self, name: str, kind: str, drawn: dict[str, int]) -> dict[str, str]:
        configured = self._configured.get((name, kind))
        return {
            "name": f"{name or '(no rule)'} · {kind}",
            "configured": "" if configured is None else f"{configured:.4%}".rstrip("0%").rstrip(".") + " %",
            "drawn": share(drawn, kind),
            "observed": share(self._seen.get(name, {}), kind),
        }

    def _drawn(self) -> dict[str, dict[str, int]]:
        """Return the gateway's counters by rule name, added up over all phases; empty when it cannot be reached."""
        found: dict[str, dict[str, int]] = {}
        if self.gateway is None:
            return found
        try:
            names, counters = self.gateway.rules(), self.gateway.counters()
        except OSError:
            return found
        for phase in counters.get("phases", {}).values():
            for key, counts in phase.items():
                row = found.setdefault(names.get(key, key), dict.fromkeys(("requests", *NAMES), 0))
                row["requests"] += counts["requests"]
                for kind in NAMES:
                    row[kind] += count_of(kind, counts["faults"])
        return found


def share(row: dict[str, int], kind: str) -> str:
    """Return `50.1 % of 14 000`; empty without requests."""
    requests = row.get("requests", 0)
    return f"{row.get(kind, 0) / requests:.1%} of {requests:,}".replace("%", " %").replace(",", " ") if requests else ""
