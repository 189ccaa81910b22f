"""Calls to the gateway's admin API on behalf of the live page, which cannot reach it itself. Does not import Locust."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 5.0


class GatewayAdmin:
    """The admin API at one address. In the load's process its sockets are gevent's, so users go on."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send one request and return its JSON. Raises OSError when that fails, with the gateway's own sentence if it
        refuses."""
        connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json"} if text else {})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        except OSError as error:
            raise OSError(f"the gateway does not answer: {error.strerror or error}") from None
        except (HTTPException, ValueError) as error:
            raise OSError(f"the gateway answered {method} {path} with {error}") from None
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise OSError(f"the gateway answered {method} {path} with something else than an object")
        if response.status >= 300:
            raise OSError(str(answer.get("error") or f"the gateway answered {method} {path} with {response.status}"))
        return answer
