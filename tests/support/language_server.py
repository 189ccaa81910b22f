"""Speaks the Language Server Protocol to yaml-language-server, as an editor does."""

from __future__ import annotations

import itertools
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any

LIMIT = 60.0  # seconds after which a test gives up waiting
SETTINGS = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}


def found() -> str | None:
    """The command of the server, if there is one."""
    return os.environ.get("YAML_LANGUAGE_SERVER") or shutil.which("yaml-language-server")


class LanguageServer:
    """A running server. Positions are (line, character), from 0."""

    def __init__(self, command: str):
        self._process = subprocess.Popen(
            [command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._numbers = itertools.count(1)
        self._answers: dict[int, Any] = {}
        self._problems: dict[str, list[dict[str, Any]]] = {}
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        text = {"hover": {"contentFormat": ["markdown"]}}
        able = {"textDocument": text, "workspace": {"configuration": True}}
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": able})
        self._tell("initialized", {})

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(LIMIT)
        self._thread.join(LIMIT)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def problems(self, uri: str, text: str) -> list[str]:
        """Open a file; what the server says is wrong with it."""
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        self._handle(lambda: uri in self._problems)
        return [f"{each['range']['start']['line'] + 1}: {each['message']}" for each in self._problems[uri]]

    def hover(self, uri: str, line: int, character: int) -> str:
        """What is shown over a place; empty if nothing is."""
        found = self._ask("textDocument/hover", _place(uri, line, character))
        return str(found["contents"]["value"]) if found else ""

    def completions(self, uri: str, line: int, character: int) -> set[str]:
        """The words that are offered at a place."""
        found = self._ask("textDocument/completion", _place(uri, line, character))
        return {each["label"] for each in found["items"]}

    def _ask(self, method: str, parameters: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        self._handle(lambda: number in self._answers)
        return self._answers.pop(number)

    def _tell(self, method: str, parameters: dict[str, Any]) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        octets = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(octets) + octets)
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while head := stream.readline():
            length = int(head.partition(b":")[2])
            while stream.readline().strip():
                pass
            self._messages.put(json.loads(stream.read(length)))

    def _handle(self, done: Callable[[], bool]) -> None:
        """Handle messages until something has come."""
        while not done():
            message = self._messages.get(timeout=LIMIT)
            if message.get("method") == "workspace/configuration":
                wanted = message["params"]["items"]
                settings = [SETTINGS if each.get("section") == "yaml" else {} for each in wanted]
                self._send({"id": message["id"], "result": settings})
            elif message.get("method") == "textDocument/publishDiagnostics":
                self._problems[message["params"]["uri"]] = message["params"]["diagnostics"]
            elif "method" in message and "id" in message:
                self._send({"id": message["id"], "result": None})
            elif "id" in message:
                self._answers[message["id"]] = message.get("result")


def _place(uri: str, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
