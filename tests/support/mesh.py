"""Rules from a few lines of YAML, and requests to ask them about."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.errors import InvalidInput
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.mesh.decision import Decision, Draws, Endpoint, Forward, Headers, Request
from chaos.mesh.draws import FixedDraws
from chaos.mesh.model.resources import Resources
from chaos.mesh.names import Proxy
from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents
from chaos.mesh.upstream.registry import Registry, parse_host_port

Services = Mapping[str, list[Mapping[str, str]]]
WEB: Services = {"web:80": [{}]}
NEVER = FixedDraws(delay=0.999999, abort=0.999999, split=0.0, mirrors=(0.999999,) * 4)


def registry(services: Services, namespace: str = "default") -> Registry:
    """`{"web:80": [{"version": "v1"}]}`: one endpoint with these labels behind web, port 80."""
    entries = []
    for place, (key, labels) in enumerate((key, labels) for key, labels in services.items()):
        host, port = parse_host_port(key)
        endpoints = [
            Endpoint("127.0.0.1", 20000 + 100 * place + number, tuple(sorted(each.items())))
            for number, each in enumerate(labels)
        ]
        entries.append((host, port, endpoints))
    return Registry.of(entries, namespace)


def load_resources(text: str | bytes, file: str = "rules.yaml") -> Resources:
    """Read one text; raises InvalidInput with every error of shape. Admission is not asked."""
    documents = read_documents(text, file)
    resources, problems = read_resources(documents)
    errors = [*documents.problems, *(problem for problem in problems if problem.severity == "error")]
    if errors:
        raise InvalidInput(errors)
    return resources


def rules_of(documents: str, services: Services = WEB, proxy: Proxy | None = None) -> Rules:
    proxy = proxy or Proxy()
    resources = load_resources(documents, "rules.yaml") if documents else Resources()
    return compile_rules(resources, registry(services, proxy.namespace), proxy)


def virtual_service(http: str, *, hosts: str = "[web]", name: str = "web", **metadata: str) -> str:
    """A VirtualService with these rules (a YAML list, indented by nothing)."""
    more = "".join(f", {key}: {value}" for key, value in metadata.items())
    indented = "\n".join(f"  {line}" for line in http.strip("\n").splitlines())
    return (
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}{more}}}\nspec:\n  hosts: {hosts}\n  http:\n{indented}\n"
    )


def web(http: str, services: Services = WEB, proxy: Proxy | None = None) -> Rules:
    """Rules of one VirtualService for host `web`."""
    return rules_of(virtual_service(http), services, proxy)


def request(
    target: str = "/", headers: Mapping[str, str | list[str]] | None = None, *, method: str = "GET", host: str = "web"
) -> Request:
    lines: Headers = [(b"host", host.encode())]
    for name, values in (headers or {}).items():
        for value in [values] if isinstance(values, str) else values:
            lines.append((name.lower().encode(), value.encode()))
    return Request(method.encode(), target.encode("latin-1"), host.encode(), lines, id=b"id-1")


def decide(rules: Rules, asked: Request | str = "/", draws: Draws = NEVER) -> Decision:
    return rules.decide(request(asked) if isinstance(asked, str) else asked, draws)


def taken(rules: Rules, asked: Request | str = "/") -> str | None:
    """The name of the rule that takes the request."""
    rule = decide(rules, asked).rule
    return rule.name if rule else None


def forwarded(rules: Rules, asked: Request | str = "/", draws: Draws = NEVER) -> Forward:
    action = decide(rules, asked, draws).action
    assert isinstance(action, Forward), action
    return action


def sent(rules: Rules, asked: Request | str = "/", draws: Draws = NEVER) -> dict[str, list[str]]:
    """The headers that upstream gets, by name."""
    asked = request(asked) if isinstance(asked, str) else asked
    forward = forwarded(rules, asked, draws)
    return by_name(forward.headwork.upstream_headers(asked, forward))


def answered(
    rules: Rules, asked: Request | str = "/", headers: Headers | None = None, status: int = 200
) -> dict[str, list[str]]:
    """The headers that the client gets for an answer from upstream, by name."""
    asked = request(asked) if isinstance(asked, str) else asked
    forward = forwarded(rules, asked)
    return by_name(forward.headwork.downstream_headers(asked, status, headers or []))


def by_name(headers: Headers | tuple[tuple[bytes, bytes], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode(), []).append(value.decode())
    return found
