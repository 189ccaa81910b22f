"""The API server of one context: objects as plain JSON, errors as ours with the server's own words.

kr8s reads every kubeconfig (exec plugins, tokens, certificates) and keeps credentials fresh; requests are made by hand,
because dry runs, JSON Patch with tests and strict validation are its server's, not the library's."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaos.errors import EnvironmentFailed, InvalidInput
from chaos.formatting import listed

if TYPE_CHECKING:
    import kr8s
    from kr8s.asyncio import Api

Json = dict[str, Any]

TIMEOUT = 10.0  # seconds for one answer
STRICT = {"fieldValidation": "Strict"}
DRY_RUN = {"dryRun": "All"}

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object: its API group and version, and its plural in URLs."""

    version: str
    plural: str


VIRTUAL_SERVICES = Resource("networking.istio.io/v1", "virtualservices")
ENVOY_FILTERS = Resource("networking.istio.io/v1alpha3", "envoyfilters")
JOBS = Resource("batch/v1", "jobs")
SERVICES = Resource("v1", "services")
SERVICE_ENTRIES = Resource("networking.istio.io/v1", "serviceentries")


class Refused(EnvironmentFailed):
    """The API server refused a request, with this HTTP status."""

    def __init__(self, status: int, message: str):
        self.status = status
        super().__init__(message)


class Cluster:
    """One context, one namespace. Every call raises Refused for an error of the API server, and EnvironmentFailed where
    it does not answer. Its connections close with the block that it is used as."""

    def __init__(self, api: Api, context: str, namespace: str):
        self._api, self.context, self.namespace = api, context, namespace

    async def __aenter__(self) -> Cluster:
        # Without this, requests side by side would open a session each, of which kr8s forgets all but the last one.
        await self._api._create_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        # kr8s has no way to close what it opened: it leaves that to the end of the process, and Python then warns.
        if self._api._session is not None:
            await self._api._session.aclose()

    async def get(self, resource: Resource, name: str) -> Json | None:
        """Return an object, None if there is none of this name."""
        try:
            return await self._call("GET", resource, name)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def items(self, resource: Resource, labels: str = "", *, everywhere: bool = False) -> list[Json]:
        """Return the objects with these labels, of the namespace or of all of them."""
        items: list[Json] = (await self.listing(resource, labels, everywhere=everywhere)).get("items") or []
        return items

    async def listing(self, resource: Resource, labels: str = "", *, everywhere: bool = False) -> Json:
        """Return the list of these objects, whose version a watch can begin with."""
        params = {"labelSelector": labels} if labels else {}
        return await self._call("GET", resource, params=params, everywhere=everywhere)

    async def create(self, resource: Resource, value: Json, *, dry_run: bool = False) -> Json:
        """Create an object. Returns it as it is now; with `dry_run`, as it would be."""
        return await self._call("POST", resource, body=value, params=STRICT | (DRY_RUN if dry_run else {}))

    async def patch(
        self, resource: Resource, name: str, change: Any, *, kind: str = MERGE_PATCH, dry_run: bool = False
    ) -> Json:
        """Change an object. Returns it as it is then."""
        params = STRICT | (DRY_RUN if dry_run else {})
        return await self._call("PATCH", resource, name, body=change, params=params, content_type=kind)

    async def delete(self, resource: Resource, name: str, *, dry_run: bool = False) -> bool:
        """Delete an object. Returns False if there is none."""
        body = {"propagationPolicy": "Background"} | ({"dryRun": ["All"]} if dry_run else {})
        try:
            await self._call("DELETE", resource, name, body=body)
        except Refused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    async def may(self, verb: str, group: str, resource: str) -> bool:
        """Return whether the user of the context may do this in the namespace (SelfSubjectAccessReview)."""
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": self.namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        reviews = Resource("authorization.k8s.io/v1", "selfsubjectaccessreviews")
        answer = await self._call("POST", reviews, body=review, everywhere=True)
        return bool((answer.get("status") or {}).get("allowed"))

    async def watch(self, resource: Resource, since: str) -> AsyncIterator[Json]:
        """Yield the changes of the namespace's objects since a version, until the API server ends the watch."""
        params = {"watch": "true", "resourceVersion": since, "allowWatchBookmarks": "true"}
        with _errors(self.context):
            async with self._api.call_api(
                "GET", resource.version, namespace=self.namespace, url=resource.plural, params=params, stream=True,
                timeout=None,
            ) as response:  # fmt: skip
                async for line in response.aiter_lines():
                    if line.strip():
                        yield json.loads(line)

    async def _call(
        self,
        method: str,
        resource: Resource,
        name: str = "",
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        everywhere: bool = False,
    ) -> Json:
        url = resource.plural + (f"/{name}" if name else "")
        sent: Json = {} if body is None else {"content": json.dumps(body), "headers": {"content-type": content_type}}
        with _errors(self.context):
            async with self._api.call_api(
                method,
                resource.version,
                namespace=None if everywhere else self.namespace,
                url=url,
                params=dict(params or {}),
                timeout=TIMEOUT,
                **sent,
            ) as response:
                found: Json = response.json()
                return found


@contextlib.contextmanager
def _errors(context: str) -> Iterator[None]:
    """Turn what the library raises in the block into Refused and EnvironmentFailed."""
    import httpx
    import kr8s

    try:
        yield
    except kr8s.ServerError as error:
        raise _refused(error, context) from None
    except (kr8s.APITimeoutError, httpx.TimeoutException):
        text = f"the API server of context {context} did not answer within {TIMEOUT:g} s"
        raise EnvironmentFailed(text) from None
    except (httpx.HTTPError, OSError, RuntimeError) as error:  # the last one: kr8s has closed its connections to log in
        raise EnvironmentFailed(f"the API server of context {context} does not answer: {error}") from None


def _refused(error: kr8s.ServerError, context: str) -> Refused:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        text = f"context {context}: the API server does not accept its credentials (401); has its token expired?"
        return Refused(status, text)
    return Refused(status, _words(error) or str(error))


def _words(error: kr8s.ServerError) -> str:
    """Return what the server says itself, which kr8s leaves out of its failures (5xx)."""
    try:
        return str(error.response.json()["message"]) if error.response is not None else ""
    except (ValueError, LookupError, TypeError):
        return ""


async def connect(context: str, namespace: str = "") -> Cluster:
    """Return the cluster of a context; without a `namespace` that of the context, or `default`. Raises InvalidInput if
    there is no such context, and EnvironmentFailed if its credentials cannot be read."""
    try:
        from kr8s.asyncio import Api
    except ImportError:
        text = "needs the package kr8s: pip install 'chaos-harness[istio]'"
        raise InvalidInput.of("--engine istio", text) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Told a namespace, or kr8s takes that of the current context, and told of no service account, or in a pod
        # it takes that where there is no kubeconfig: neither is what `context` names.
        api = Api(bypass_factory=True, context=context, namespace=namespace or "default", serviceaccount=False)
        try:
            await api.auth
        except ValueError as error:
            raise InvalidInput.of("--context", _no_context(context, api, error)) from None
        except (OSError, KeyError, json.JSONDecodeError) as error:
            raise EnvironmentFailed(f"context {context}: its credentials cannot be read: {error}") from None
    return Cluster(api, context, namespace or api.auth.kubeconfig.get_context(context).get("namespace") or "default")


def _no_context(context: str, api: Api, error: ValueError) -> str:
    """Return what is wrong with a context, with those that there are."""
    kubeconfig = getattr(api.auth, "kubeconfig", None)
    if kubeconfig is None:
        return f"there is no context {context!r}, because there is no kubeconfig (KUBECONFIG, ~/.kube/config)"
    names = sorted(each["name"] for each in kubeconfig.contexts)
    if context in names:
        return f"{context}: {error}"
    return f"there is no context {context!r} in the kubeconfig; there are {listed(names)}"
