"""The tests of one set of files as cases: a request, the proxy that it arrives at, and what is compared.

A test of ours is one case, one of istio-config-validator's a case for each request that it lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from urllib.parse import quote, urlsplit

from chaos.errors import InvalidInput, Location, Problem
from chaos.experiment.model import Proxy
from chaos.experiment.model_config_validator import ValidatorCase, ValidatorFile
from chaos.experiment.model_routing_case import NONE, RoutingCase
from chaos.experiment.read import Reading
from chaos.experiment.routing_test import RoutingTest
from chaos.mesh.decision import Request
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import MESH, covers, full_name, qualified
from chaos.mesh.source.document import Document, Path, field_path
from chaos.route_tests import expected, validator_cases
from chaos.route_tests.answer import Answer, Difference

_PATH_CHARACTERS = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One request and what is expected of it. `rule` is the name of the rule that it wants, if it says so;
    `delegates` says that a delegate which is in no file is assumed to take every request."""

    name: str
    location: Location
    line: str
    headers: tuple[tuple[str, str], ...]
    request: Request
    proxy: Proxy
    compare: Callable[[Answer], Iterable[Difference]]
    rule: str = ""
    delegates: bool = False

    @property
    def shown_request(self) -> str:
        """The request on one line, its headers in curl's notation."""
        return " ".join([self.line, *(f"-H '{name}: {value}'" for name, value in self.headers)])

    @property
    def port(self) -> int | None:
        """The port that the URL names, or None."""
        _, colon, port = self.request.authority.rpartition(b":")
        return int(port) if colon and port.isdigit() else None

    @property
    def is_named_after_request(self) -> bool:
        return self.name.rstrip("]").endswith(self.shown_request)


def cases_of(reading: Reading) -> tuple[Case, ...]:
    """Return every test that was read, in the order of the files. Raises InvalidInput with every request that cannot be
    sent."""
    found: list[Case] = []
    problems: list[Problem] = []
    for case in _cases(reading):
        if isinstance(case, Problem):
            problems.append(case)
        else:
            found.append(case)
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _cases(reading: Reading) -> Iterator[Case | Problem]:
    spec = reading.experiment.spec
    if reading.document is not None:
        yield from _ours(spec.tests, reading.document, spec.proxy)
    for each in reading.tests:
        if isinstance(each.content, RoutingTest):
            yield from _ours(each.content.spec.tests, each.document, each.content.spec.proxy or spec.proxy)
        elif isinstance(each.content, ValidatorFile):
            for index, case in enumerate(each.content.test_cases):
                yield from _theirs(case, each.document, index, reading)


# ---------------------------------------------------------------------------------------------- ours


def _ours(tests: Iterable[RoutingCase], document: Document, proxy: Proxy) -> Iterator[Case | Problem]:
    for index, test in enumerate(tests):
        rule = test.expect.rule or ""
        compare = partial(expected.differences, test.expect)
        headers = tuple(test.headers.items())
        yield _case(
            test.name or "",
            (document, ("spec", "tests", index)),
            test.request if " " in test.request.strip() else f"GET {test.request.strip()}",
            headers,
            proxy,
            compare,
            rule="" if rule == NONE else rule,
        )


def _case(
    name: str,
    place: tuple[Document, Path],
    line: str,
    headers: tuple[tuple[str, str], ...],
    proxy: Proxy,
    compare: Callable[[Answer], Iterable[Difference]],
    *,
    rule: str = "",
    delegates: bool = False,
) -> Case | Problem:
    document, path = place
    location = document.locate(path)
    try:
        request = Request.parse(line, dict(headers))
    except InvalidInput as error:
        return Problem(location, field_path(path), error.problems[0].message)
    made = Case(name, location, line, headers, request, proxy, compare, rule, delegates)
    return made if name else Case(made.shown_request, *(getattr(made, each) for each in _REST))


_REST = ("location", "line", "headers", "request", "proxy", "compare", "rule", "delegates")


# ---------------------------------------------------------------------------------- istio-config-validator's


def _theirs(case: ValidatorCase, document: Document, index: int, reading: Reading) -> Iterator[Case | Problem]:
    """Yield a case for each request of a test, named after it."""
    asked = case.request
    requests = list(product(asked.uri, asked.authority, asked.method))
    for uri, authority, method in requests:
        line = f"{method} http://{authority}{_target(uri)}"
        several = f" [{line}]" if case.description and len(requests) > 1 else ""
        yield _case(
            f"{case.description}{several}",
            (document, ("testCases", index)),
            line,
            tuple(asked.headers.items()),
            _proxy_for(authority, reading),
            partial(validator_cases.differences, case),
            delegates=case.delegate is not None,
        )


def _target(uri: str) -> str:
    """Return path and query of a uri, which may be a whole URL."""
    parts = urlsplit(uri)
    path = quote(parts.path, safe=_PATH_CHARACTERS)
    query = f"?{quote(parts.query, safe=_PATH_CHARACTERS + '?')}" if parts.query else ""
    return f"{'' if path.startswith('/') else '/'}{path}{query}"


def _proxy_for(authority: str, reading: Reading) -> Proxy:
    """Return the proxy that a request for this host arrives at: the Experiment's if it names one; else one that the
    first VirtualService with this host is bound to, in that VirtualService's namespace."""
    spec = reading.experiment.spec
    if spec.has("proxy"):
        return spec.proxy
    owner = owner_of(authority, reading.resources)
    if owner is None:
        return spec.proxy
    gateways = [qualified(name, owner.namespace) for name in owner.spec.gateways]
    if not gateways or MESH in gateways:
        return Proxy(namespace=owner.namespace)
    return Proxy(gateway=gateways[0], namespace=gateways[0].partition("/")[0])


def owner_of(authority: str, resources: Resources) -> Resource[VirtualService] | None:
    """Return the first VirtualService with this host, whatever it is bound to; those that name it before wildcards."""
    host = authority.rpartition(":")[0] if authority.rpartition(":")[2].isdigit() else authority
    services = resources.virtual_services
    exact = (
        each
        for each in services
        for name in each.spec.hosts
        if host in (name, full_name(name, each.namespace)) or full_name(host, each.namespace) == name
    )
    wide = (each for each in services for name in each.spec.hosts if covers(name, host))
    return next(exact, None) or next(wide, None)
