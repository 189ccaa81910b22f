"""The requests of the live page, whoever serves it: the run's document, the switches of the faults, the report.

In Locust's web UI they come through flask, at `chaos run --live` through the supervisor's own small server. Does not
import Locust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from chaos.load.board import Board
from chaos.load.gateway_admin import GatewayAdmin
from chaos.protocol.live_state import LONGEST_POLL, gateway_call

PREFIX = "/chaos/"
LONGEST_BODY = 10_000
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
PARTS = {
    "live.css": "text/css; charset=utf-8",
    **dict.fromkeys(("live.js", "live_charts.js", "live_locust.js"), "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    content_type: str = JSON
    status: int = 200

    @classmethod
    def of(cls, value: object, status: int = 200) -> Answer:
        return cls(json.dumps(value).encode(), status=status)


class LivePages:
    """`gateway` is None as long as there is none whose faults can be switched."""

    def __init__(self, board: Board, gateway: GatewayAdmin | None = None):
        self.board, self.gateway = board, gateway

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> Answer:
        """Return the answer to a request for a path that begins with PREFIX. May wait for the next document."""
        match method, path.removeprefix(PREFIX):
            case "GET", "live":
                after = int(number) if (number := query.get("after", "")).isdecimal() else 0
                return Answer(self.board.next(after, query.get("page", "")[:40], LONGEST_POLL).encode())
            case "POST", "seen":
                self.board.leave(query.get("page", ""))
                return Answer.of({})
            case "GET", name if name in PARTS:
                return Answer(_part(name), PARTS[name])
            case "GET", "report":
                return self._report()
            case "GET", "faults":
                return self._faults()
            case "POST", "faults":
                return self._switch(body)
        return Answer(b"there is no such page\n", TEXT, 404)

    def _report(self) -> Answer:
        try:
            return Answer(Path(self.board.report).read_bytes(), "text/html; charset=utf-8")
        except OSError:
            return Answer(b"there is no report yet\n", TEXT, 404)

    def _switch(self, body: bytes) -> Answer:
        """Carry out what the page wants of the gateway. The run notes it by the gateway's counters."""
        try:
            call = gateway_call(json.loads(body))
        except ValueError as error:
            return self._faults(str(error), 400)
        if self.gateway is None:
            return self._faults("this gateway has no admin address", 502)
        try:
            self.gateway.ask(*call)
        except OSError as error:
            return self._faults(str(error), 502)
        return self._faults()

    def _faults(self, error: str = "", status: int = 200) -> Answer:
        """Return what the gateway says of its faults (`GET /faults`), whether they can be switched, and an error."""
        said: dict[str, Any] = {}
        if self.gateway is not None:
            try:
                said = self.gateway.ask("GET", "/faults")
            except OSError as failure:
                error = error or str(failure)
        switchable = self.gateway is not None
        return Answer.of({"enabled": True, "rules": []} | said | {"switchable": switchable, "error": error}, status)


@cache
def _part(name: str) -> bytes:
    return (files("chaos.load") / name).read_bytes()
