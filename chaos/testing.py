"""A gateway for the length of a test, and the verdict on what it did: what the pytest plugin hands out.

The gateway is the real one, in a process of its own. The load is the caller's: any client that is pointed at `url`.
Nothing here imports Locust.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from anyio.from_thread import start_blocking_portal

from chaos.claims.effects import PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.hypotheses.judging import Hypotheses
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.reading import hosts_of
from chaos.claims.hypotheses.tokens import ExpressionError
from chaos.claims.judge.judge import Judge
from chaos.claims.routing import effects_of
from chaos.errors import InvalidInput
from chaos.experiment.model import API_VERSION, KIND
from chaos.experiment.services import proxy_of
from chaos.load.tags import of_headers
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import Digest, Key
from chaos.runner.plan.checked import Prepared, prepare
from chaos.runner.plan.gateway_rules import gateway_plan
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.session import start
from chaos.verify.verdict import Verdict

TASK = "test"
"""What the test's own requests are called in hypotheses."""


class VerdictError(AssertionError):
    """What was claimed was falsified, or could not be decided. `findings` are all of the verdicts."""

    def __init__(self, findings: Sequence[Finding]):
        self.findings = tuple(findings)
        super().__init__("\n" + "\n".join(f"{each.verdict}: {each.sentence or each.title}" for each in findings))


@dataclass(eq=False)
class Gateway:
    """One that runs. `url` is where requests go; the Host header says which service is meant."""

    url: str
    admin: Admin
    rules: Rules
    digest: Digest = field(default_factory=Digest)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counters: GatewayCounters | None = None

    @property
    def environ(self) -> dict[str, str]:
        """For an application under test: its calls to the mesh pass through here."""
        return {"HTTP_PROXY": self.url, "http_proxy": self.url, "CHAOS_GATEWAY": self.url}

    @property
    def proxies(self) -> dict[str, str]:
        """As `requests` and `urllib` want them: `requests.get("http://payments/", proxies=gateway.proxies)`."""
        return {"http": self.url}

    def record(self, response: Any, *, seconds: float | None = None) -> Any:
        """Count what the test's own client got: a response of requests, httpx, aiohttp or urllib, or a status.

        Returns the response, so that a call can be wrapped in it. `seconds` is the latency where the response does
        not carry it (`elapsed`). Thread-safe."""
        key, elapsed = _outcome(response)
        with self._lock:
            self.digest.add(key, round(1e6 * (elapsed if seconds is None else seconds)))
        return response

    def counters(self) -> GatewayCounters:
        """The gateway's own counts, per rule; the last ones when it has ended."""
        return self._counters if self._counters is not None else self.admin.read_counters()

    def faults(self, enabled: bool) -> None:
        """Switch the rules' faults off and on again."""
        self.admin.switch_faults(enabled)

    def close(self) -> None:
        self._counters = self.admin.read_counters()


class Chaos:
    """The fixture. One gateway after another may be started; `verify` speaks of the last."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.gateway: Gateway | None = None
        self._started = 0

    @contextmanager
    def rules(
        self,
        *documents: str | Path | Mapping[str, Any],
        host: str | None = None,
        to: str | Sequence[str] | None = None,
        abort: Mapping[str, Any] | None = None,
        delay: Mapping[str, Any] | None = None,
        services: Mapping[str, Any] | None = None,
        seed: int = 1,
    ) -> Iterator[Gateway]:
        """A gateway that applies these rules while the block lasts.

        `documents` are experiment or Istio files (paths), YAML texts, or documents as mappings. Or, in short, one
        rule: requests for `host` meet `abort` and `delay` as HTTPFaultInjection writes them (a percentage may be a
        plain number) and else reach `to` (`host:port`, or several); without `to` the built-in service answers.
        `services` is spec.services of an experiment file. Raises InvalidInput, EnvironmentFailed."""
        file = self._write(_documents(documents, host, to, abort, delay, services))
        prepared = prepare([str(file)]).require()
        rules = compile_rules(prepared.reading.resources, prepared.registry(), proxy_of(prepared.reading))
        with _gateway(prepared, seed) as (url, admin):
            self.gateway = Gateway(url, admin, rules)
            try:
                yield self.gateway
            finally:
                self.gateway.close()

    def verify(
        self, *expect: str, confidence: float = 99.0, tolerance: float = 2.0, undecided: bool = False
    ) -> list[Finding]:
        """Assert that the rules did what they say, and that hypotheses about recorded responses (`failures < 5%`) hold.

        `confidence` in percent, `tolerance` in percentage points. Raises VerdictError when anything is falsified, saw
        no traffic, or, unless `undecided` is accepted, could not be decided with the requests there were."""
        if self.gateway is None:
            raise InvalidInput.at("chaos.verify", "there was no gateway; call it after `with chaos.rules(...)`")
        rules = self.gateway.rules
        effects = effects_of(rules, (), others=True)
        judge = Judge(
            expectations([PhaseEffects("", effects, True)], tolerance=tolerance / 100),
            confidence / 100,
            Hypotheses([_parsed(text, rules) for text in expect], hosts_of(rules)),
        )
        judge.observe(self.gateway.digest)
        findings = judge.findings(self.gateway.counters())
        if not findings:
            raise VerdictError([_nothing()])
        accepted = {Verdict.VERIFIED, *([Verdict.INCONCLUSIVE] if undecided else [])}
        if any(each.verdict not in accepted for each in findings):
            raise VerdictError(findings)
        return findings

    def _write(self, text: str | Path) -> Path:
        if isinstance(text, Path):
            return text
        self._started += 1
        file = self.folder / f"rules-{self._started}.yaml"
        file.write_text(text)
        return file


def _documents(
    documents: Sequence[str | Path | Mapping[str, Any]],
    host: str | None,
    to: str | Sequence[str] | None,
    abort: Mapping[str, Any] | None,
    delay: Mapping[str, Any] | None,
    services: Mapping[str, Any] | None,
) -> str | Path:
    """One YAML stream; a single path stays a path, so that problems name the user's own file."""
    if len(documents) == 1 and isinstance(documents[0], Path) and host is None and services is None:
        return documents[0]
    parts = [_text(document) for document in documents]
    if host is not None:
        parts.append(yaml.safe_dump(_one_rule(host, abort, delay), sort_keys=False))
    elif abort is not None or delay is not None:
        raise InvalidInput.at("chaos.rules", "abort and delay need host, the service whose requests meet them")
    if not parts:
        raise InvalidInput.at("chaos.rules", "needs rules: documents, or host with abort or delay")
    known = dict(services or {})
    if to is not None and host is not None:
        known[host] = {"endpoints": [{"address": each} for each in ([to] if isinstance(to, str) else to)]}
    if known:
        own = {"apiVersion": API_VERSION, "kind": KIND, "spec": {"services": known}}
        parts.insert(0, yaml.safe_dump(own, sort_keys=False))
    return "---\n".join(part if part.endswith("\n") else part + "\n" for part in parts)


def _text(document: str | Path | Mapping[str, Any]) -> str:
    if isinstance(document, Path):
        return document.read_text()
    return document if isinstance(document, str) else yaml.safe_dump(dict(document), sort_keys=False)


def _one_rule(host: str, abort: Mapping[str, Any] | None, delay: Mapping[str, Any] | None) -> dict[str, Any]:
    fault = {name: _fault(given) for name, given in (("delay", delay), ("abort", abort)) if given is not None}
    rule: dict[str, Any] = {"route": [{"destination": {"host": host}}]} | ({"fault": fault} if fault else {})
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": host.partition(".")[0]},
        "spec": {"hosts": [host], "http": [rule]},
    }


def _fault(given: Mapping[str, Any]) -> dict[str, Any]:
    percentage = given.get("percentage")
    return dict(given) | ({"percentage": {"value": percentage}} if isinstance(percentage, int | float) else {})


def _parsed(text: str, rules: Rules) -> Expression:
    try:
        return parse_expression(text, Names(tasks=(TASK,), hosts=tuple(hosts_of(rules))))
    except ExpressionError as error:
        raise InvalidInput.at("chaos.verify", str(error)) from None


def _nothing() -> Finding:
    return Finding(
        "nothing", "route", "nothing", Verdict.NO_TRAFFIC, "there is nothing to verify: no rule has a fault or a split"
    )


def _outcome(response: Any) -> tuple[Key, float]:
    """The digest's key and the latency in seconds, whatever the client."""
    if isinstance(response, int):
        return Key("", TASK, "", "", response), 0.0
    status = next((int(value) for name in ("status_code", "status") if (value := getattr(response, name, None))), 0)
    tags = of_headers(_items(getattr(response, "headers", {})))
    elapsed = getattr(response, "elapsed", None)
    key = Key(tags.phase or "", TASK, tags.route, tags.destination, status, tags.fault, tags.attempts)
    return key, elapsed.total_seconds() if elapsed is not None else 0.0


def _items(headers: Any) -> Iterable[tuple[str, str]]:
    return ((str(name), str(value)) for name, value in headers.items())


@contextmanager
def _gateway(prepared: Prepared, seed: int) -> Iterator[tuple[str, Admin]]:
    """A gateway and the services behind it while the block lasts. Raises EnvironmentFailed with its own words.

    In a thread with an event loop of its own: the test may have one that runs, or none."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(start(prepared, gateway_plan(prepared, seed=seed), seed=seed)) as session,
    ):
        assert session.gateway is not None
        yield session.url, session.gateway.admin
