"""Serve the live page on loopback, from a thread of the run itself, so that it ends with the run however that ends."""

from __future__ import annotations

import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qsl, urlsplit

from chaos.errors import EnvironmentFailed
from chaos.load.address import free_address, own_hosts
from chaos.load.board import Board
from chaos.load.live_pages import LONGEST_BODY, PREFIX, Answer, LivePages
from chaos.load.ui_guard import may_pass

PATIENCE = 30.0  # seconds that a connection may say nothing

# The report opens as a blob of this page, which then has this page's policy, too: its styles are inline.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class LiveServer:
    """Serves from the moment it is made until `close`. Raises EnvironmentFailed if it cannot listen there."""

    def __init__(self, address: str):
        self.board = Board()
        self.pages = LivePages(self.board)
        try:
            host, port = free_address(address)
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise EnvironmentFailed(f"the live page: {str(error).removeprefix('ui: ')}") from None
        self._server.pages = self.pages
        self._server.hosts = own_hosts(host, port)
        self.url = f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the server; what waits for an answer gets none."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    pages: LivePages
    hosts: set[str]
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        address = urlsplit(self.path)
        length = self.headers.get("content-length", "0")
        size = int(length) if length.isdecimal() else LONGEST_BODY + 1
        body = self.rfile.read(size) if size <= LONGEST_BODY else b""
        if size > LONGEST_BODY or "transfer-encoding" in self.headers:
            self.close_connection = True  # what is left of the body would be taken for a request
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not may_pass(self.command, address.path, headers.get("host", ""), headers, self.server.hosts):
            answer = Answer(b"not from here\n", "text/plain", 403)
        elif address.path == "/":
            answer = Answer(_page(), "text/html; charset=utf-8")
        elif address.path.startswith(PREFIX):
            answer = self.server.pages.answer(self.command, address.path, dict(parse_qsl(address.query)), body)
        else:
            answer = Answer(b"there is no such page\n", "text/plain", 404)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        try:
            self.send_response(answer.status)
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
        except OSError:
            self.close_connection = True  # the page is gone

    def log_message(self, *_: object) -> None:
        """Log nothing: the terminal belongs to the run."""


@cache
def _page() -> bytes:
    return (files("chaos.runner.live") / "page.html").read_bytes()
