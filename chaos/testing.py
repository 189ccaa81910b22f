"""Run a gateway during a test, and judge what it did.

    with chaos.testing.gateway(chaos.load_rules("reviews.yaml")) as gateway:
        for _ in range(3000):
            gateway.record(requests.get("http://reviews/", proxies=gateway.proxies))
    gateway.verify("failures < 60%")

The gateway is the real one, in a process of its own. The load is the caller's: any client that sends
its requests to `url`. The pytest fixture `chaos` (docs/pytest.md) adds a short form for rules.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from anyio.from_thread import start_blocking_portal

from chaos.api.rules import Rules, load_rules
from chaos.api.shorthand import Document, Fault, as_stream
from chaos.claims.effects import PhaseEffects
from chaos.claims.expectations import expectations
from chaos.claims.finding import Finding
from chaos.claims.hypotheses.coverage import judge_failures
from chaos.claims.hypotheses.expression import Names, parse_expression
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.reading import hosts_of
from chaos.claims.hypotheses.tokens import ExpressionError
from chaos.claims.hypotheses.unseen import without_ids
from chaos.claims.judge.run_judge import RunJudge
from chaos.claims.routing import effects_of
from chaos.errors import InvalidInput
from chaos.load.tags import of_headers
from chaos.protocol.counters import GatewayCounters
from chaos.protocol.digest import Digest, Key
from chaos.runner.plan.checked import Prepared
from chaos.runner.plan.gateway_rules import gateway_plan
from chaos.runner.processes.admin import Admin
from chaos.runner.processes.session import start
from chaos.verify.claim import certain_tolerance
from chaos.verify.verdict import WORST_FIRST, Verdict

TASK = "test"
"""The name of the test's own requests in hypotheses."""

Response = TypeVar("Response")


class VerdictError(AssertionError):
    """A claim was falsified, had no traffic or could not be decided. `findings` are all findings; the message begins
    with the worst, so that a test report's first line says what is wrong."""

    def __init__(self, findings: Sequence[Finding]):
        self.findings = tuple(findings)
        worst_first = sorted(findings, key=lambda each: WORST_FIRST.index(each.verdict))
        super().__init__("\n".join(f"{each.verdict}: {each.sentence or each.title}" for each in worst_first))


class Gateway:
    """A gateway that runs, or has run: recorded responses can be verified afterwards as well. Made by `gateway`.

    `url` is where requests go; their Host header names the service. `rules` are those that it applies."""

    def __init__(self, url: str, admin: Admin, rules: Rules):
        self.url, self.rules = url, rules
        self._admin = admin
        self._digest = Digest()
        self._phase, self._renewals = "", 0
        self._lock = threading.Lock()
        self._counters: GatewayCounters | None = None

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables for an application under test, so that its calls to the mesh go through the gateway."""
        return {"HTTP_PROXY": self.url, "http_proxy": self.url, "CHAOS_GATEWAY": self.url}

    @property
    def proxies(self) -> dict[str, str]:
        """The gateway as a proxy, for `requests` and `urllib`: `requests.get("http://payments/",
        proxies=gateway.proxies)`."""
        return {"http": self.url}

    def record(self, response: Response, *, seconds: float | None = None) -> Response:
        """Count a response of the test's own client: of requests, httpx, aiohttp or urllib, or a status.

        Return the response, so that a call can be wrapped in it. `seconds` is the latency if the response does not
        have it (`elapsed`). Thread-safe."""
        key, elapsed = _outcome(response)
        with self._lock:
            if key.phase == self._phase or not key.route:  # a late response belongs to those that were forgotten
                self._digest.add(
                    key._replace(phase=self._phase), round(1e6 * (elapsed if seconds is None else seconds))
                )
        return response

    def renew(self) -> None:
        """Forget what was recorded and counted so far: what follows is judged by itself. For a gateway that several
        tests share."""
        with self._lock:
            self._renewals += 1
            self._phase, self._digest = f"test-{self._renewals}", Digest()
        self._admin.enter(self._phase)

    def counters(self) -> GatewayCounters:
        """Return the gateway's own counts per rule, as its admin API has them; the last ones if it has ended."""
        return self._counters if self._counters is not None else self._admin.read_counters()

    def faults(self, enabled: bool) -> None:
        """Switch the rules' faults off and on again. What is sent while they are off is no part of the verdict."""
        self._admin.switch_faults(enabled)

    def verify(
        self,
        *expect: str,
        confidence: float = 99.0,
        tolerance: float = 2.0,
        undecided: bool = False,
        rules: bool = True,
    ) -> list[Finding]:
        """Assert that the rules did what they say, and that hypotheses about recorded responses (`failures < 5%`) hold.

        Return the findings. `confidence` is in percent, `tolerance` in percentage points. Without `rules` the
        hypotheses alone are judged: they are decided by fewer requests than a share. Raises VerdictError if a claim is
        falsified, had no traffic or, unless `undecided`, could not be decided with the requests so far; InvalidInput
        for a text that is not a hypothesis."""
        __tracebackhide__ = True
        findings = self._findings(expect, confidence / 100, tolerance / 100, rules)
        accepted = {Verdict.VERIFIED, *([Verdict.INCONCLUSIVE] if undecided else [])}
        if any(each.verdict not in accepted for each in findings):
            raise VerdictError(findings)
        return findings

    def _findings(self, expect: Sequence[str], confidence: float, tolerance: float, rules: bool) -> list[Finding]:
        effects = effects_of(self.rules.compiled, (), others=True)
        hosts = hosts_of(self.rules.compiled)
        hypotheses = [_parsed(text, tuple(hosts)) for text in expect]
        phase = PhaseEffects(self._phase, effects, own_failures=not judge_failures(hypotheses, self._phase))
        judge = RunJudge(
            expectations([phase], tolerance=tolerance, certain=certain_tolerance(tolerance)) if rules else (),
            hypotheses,
            hosts=hosts,
            confidence=confidence,
            unseen=without_ids,
        )
        with self._lock:
            judge.observe(self._digest)
            judge.second(self._digest)
        return judge.findings(self.counters()) or [_nothing()]

    def _close(self) -> None:
        """Keep the last counts before the gateway ends."""
        self._counters = self._admin.read_counters()


@contextmanager
def gateway(rules: Rules, *, seed: int = 1) -> Iterator[Gateway]:
    """Run a gateway that applies these rules, and the services behind it, while the block lasts.

    It works inside and outside a running event loop. `seed` decides which requests meet a fault. Raises
    EnvironmentFailed with the reason if a process does not start."""
    with _started(rules.prepared, seed) as (url, admin):
        running = Gateway(url, admin, rules)
        try:
            yield running
        finally:
            running._close()


class Chaos:
    """The pytest fixture `chaos`. It can start one gateway after another; `verify` judges the last one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.gateway: Gateway | None = None
        self._started = 0

    @contextmanager
    def rules(
        self,
        *documents: Document,
        host: str | None = None,
        to: str | Sequence[str] | None = None,
        abort: Fault | None = None,
        delay: Fault | None = None,
        services: Mapping[str, object] | None = None,
        seed: int = 1,
    ) -> Iterator[Gateway]:
        """Run a gateway that applies these rules while the block lasts.

        `documents` are experiment or Istio files (paths), YAML texts, or documents as mappings. The short form is one
        rule: requests for `host` meet `abort` and `delay`, which are written as in HTTPFaultInjection (a percentage
        may be a plain number), and then go to `to` (`host:port`, or several), or without it to the built-in service.
        `services` is spec.services of an experiment file. Raises InvalidInput and EnvironmentFailed."""
        stream = as_stream(documents, host=host, to=to, abort=abort, delay=delay, services=services)
        with gateway(load_rules(self._file(stream)), seed=seed) as self.gateway:
            yield self.gateway

    def verify(
        self,
        *expect: str,
        confidence: float = 99.0,
        tolerance: float = 2.0,
        undecided: bool = False,
        rules: bool = True,
    ) -> list[Finding]:
        """Do the same as `Gateway.verify`, for the gateway that was started last."""
        __tracebackhide__ = True
        if self.gateway is None:
            raise InvalidInput.at("chaos.verify", "there was no gateway; call it after `with chaos.rules(...)`")
        return self.gateway.verify(
            *expect, confidence=confidence, tolerance=tolerance, undecided=undecided, rules=rules
        )

    def _file(self, stream: str | Path) -> Path:
        """Return a file with the documents, so that problems can point at file and line."""
        if isinstance(stream, Path):
            return stream
        self._started += 1
        file = self.folder / f"rules-{self._started}.yaml"
        file.write_text(stream, encoding="utf-8")
        return file


def _parsed(text: str, hosts: tuple[str, ...]) -> Expression:
    try:
        return parse_expression(text, Names(tasks=(TASK,), hosts=hosts))
    except ExpressionError as error:
        raise InvalidInput.at("chaos.verify", str(error)) from None


def _nothing() -> Finding:
    return Finding(
        "nothing",
        "route",
        "nothing",
        Verdict.NO_TRAFFIC,
        "nothing to verify: no hypothesis, and no rule has a fault or a split",
    )


def _outcome(response: object) -> tuple[Key, float]:
    """Return the digest's key and the latency in seconds of a response of any client."""
    if isinstance(response, int):
        return Key("", TASK, "", "", response), 0.0
    status = next((int(value) for name in ("status_code", "status") if (value := getattr(response, name, None))), 0)
    tags = of_headers(_items(getattr(response, "headers", None) or {}))
    elapsed = getattr(response, "elapsed", None)
    key = Key(tags.phase or "", TASK, tags.route, tags.destination, status, tags.fault, tags.attempts)
    return key, elapsed.total_seconds() if elapsed is not None else 0.0


def _items(headers: Mapping[object, object]) -> Iterable[tuple[str, str]]:
    return ((str(name), str(value)) for name, value in headers.items())


@contextmanager
def _started(prepared: Prepared, seed: int) -> Iterator[tuple[str, Admin]]:
    """Start gateway and services and yield the URL and the admin API. They run in a thread with its own event loop,
    because the test may have one or not."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(start(prepared, gateway_plan(prepared, seed=seed), seed=seed)) as session,
    ):
        assert session.gateway is not None
        yield session.url, session.gateway.admin
