"""Send what has an `https` URL to the run's HTTPS listener: connections go there; the server's name, its certificate
and the authority are the URL's. For both clients of Locust."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from geventhttpclient import HTTPClient
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.url import URL
from locust import FastHttpUser
from locust.clients import HttpSession
from locust.contrib.fasthttp import insecure_ssl_context_factory
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from chaos.loopback import is_loopback
from chaos.protocol.load_plan import Plan


def through_listener(plan: Plan) -> Callable[[str, int], bool]:
    """Return whether an https request to a host and port goes to the listener: not one to this machine itself, and none
    of a direct task."""
    direct = {
        (parts.hostname, parts.port or 443) for task in plan.tasks if task.direct for parts in [urlsplit(task.url)]
    }
    return lambda host, port: not is_loopback(host) and (host.lower(), port) not in direct


class SecureClients(HTTPClientPool):
    """FastHttpUser's clients, one for each host: those of the listener, which verify its certificate, and others as the
    user has them."""

    def __init__(self, plan: Plan, user: FastHttpUser):
        assert plan.secure is not None
        timeouts = {"network_timeout": user.network_timeout, "connection_timeout": user.connection_timeout}
        self._own: dict[str, Any] = {**timeouts, "concurrency": user.concurrency}
        super().__init__(
            **self._own,
            insecure=user.insecure,
            ssl_context_factory=user.ssl_context_factory or (insecure_ssl_context_factory if user.insecure else None),
            proxy_host=user.proxy_host,
            proxy_port=user.proxy_port,
        )
        self._listener, self._ca = urlsplit(plan.secure), plan.ca
        self._goes_through = through_listener(plan)

    def get_client(self, url: str | URL) -> HTTPClient:
        """Return the client for a URL."""
        url = url if isinstance(url, URL) else URL(url)
        if url.scheme != "https" or not self._goes_through(url.host, url.port or 443):
            return super().get_client(url)
        key = f"{url.host} over TLS", url.port
        if key not in self.clients:
            self.clients[key] = self._client(url.host, url.port or 443)
        return self.clients[key]

    def _client(self, host: str, port: int) -> HTTPClient:
        return HTTPClient(
            self._listener.hostname or "",
            self._listener.port or 443,
            headers={"Host": host if port == 443 else f"{host}:{port}"},
            ssl=True,
            ssl_options={"server_hostname": host, "ca_certs": self._ca},
            **self._own,
        )


class SecureAdapter(HTTPAdapter):
    """The connections of HttpUser's session for https URLs."""

    def __init__(self, plan: Plan):
        assert plan.secure is not None
        self._listener: SplitResult = urlsplit(plan.secure)
        self._ca, self._goes_through = plan.ca, through_listener(plan)
        super().__init__()

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> Response:
        """Send a request; to the listener with the run's CA, unless the user says another one, or none."""
        url = urlsplit(request.url or "")
        if verify is True and self._goes_through(url.hostname or "", url.port or 443):
            verify = self._ca
        return super().send(request, stream, timeout, verify, cert, proxies)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return where a request's connection goes, and how it is verified."""
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        host = where["host"]
        if not self._goes_through(host, where["port"] or 443):
            return where, how
        how["server_hostname"] = host
        if verify:
            how["assert_hostname"] = host
        return {**where, "host": self._listener.hostname or "", "port": self._listener.port}, how

    def add_headers(self, request: PreparedRequest, **kwargs: Any) -> None:
        """Name the host of the URL: a connection would name the listener's."""
        request.headers.setdefault("Host", urlsplit(request.url or "").netloc.rpartition("@")[2])


def send_securely(session: HttpSession, plan: Plan) -> None:
    """Send the https requests of a session to the listener."""
    session.mount("https://", SecureAdapter(plan))
