"""Which claims follow from the rules: an expectation for everything that a rule does to the requests that reach it.

An expectation knows its target and how to find its requests in the client's digests. Judging is for `judge`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from chaos.claims.effects import Effect, PhaseEffects, Retries
from chaos.claims.observations import Outcome
from chaos.units import format_duration
from chaos.verify.claim import DEFAULT_TOLERANCE

DELAY_TOLERANCE = 0.05
LEAST_DELAY_TOLERANCE = 0.002
"""Seconds. Timers and schedulers are no more exact than this on a busy machine."""

EASY, HARD = 1.0, 4.0
"""Weights with which a run of both kinds has all its verdicts at about the same time."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One claim that can be tested. `share` is the target proportion, or the target in seconds for `added-delay`.

    `labels` are the destinations it is about, `status` the HTTP status (of its aborts, for `residual`), `seconds` the
    delay, `tasks` whose requests count (None: anyone's). For `residual` the share follows from what the gateway
    measures; `share` is then None."""

    id: str
    kind: str
    title: str
    rule: str = ""
    rule_name: str = ""
    where: str = ""
    phase: str = ""
    tasks: tuple[str, ...] | None = None
    share: float | None = None
    tolerance: float = DEFAULT_TOLERANCE
    status: int = 0
    labels: tuple[str, ...] = ()
    seconds: float = 0.0
    retries: Retries | None = field(default=None, compare=False)
    tagged: bool = True

    @property
    def weight(self) -> float:
        """For dividing alpha: claims that one counter-example refutes, and latencies, are decided soon with little of
        it."""
        soon = self.share in (0.0, 1.0) or self.kind == "added-delay"
        return EASY if soon else HARD

    @property
    def task(self) -> str:
        """The task it is about, when it is about a single one."""
        return self.tasks[0] if self.tasks is not None and len(self.tasks) == 1 else ""

    def classify(self, outcome: Outcome) -> bool | None:
        """Whether an outcome has what is claimed; None when the claim is not about it."""
        if outcome.phase != self.phase or (self.tasks is not None and outcome.task not in self.tasks):
            return None
        if not outcome.status:
            return None  # no answer, no tags: these requests are counted as lost, not as evidence
        return self._tagged(outcome) if self.tagged else self._untagged(outcome)

    def _tagged(self, outcome: Outcome) -> bool | None:
        if self.kind in ("route", "redirect", "direct-response", "no-route"):
            return self._arrived(outcome)
        if outcome.route != self.rule_name:
            return None
        if self.kind == "abort":
            return "abort" in outcome.fault and outcome.status == self.status
        if self.kind in ("delay", "added-delay"):
            return "delay" in outcome.fault
        if not outcome.destination:
            return None
        if self.kind == "destination":
            return outcome.destination in self.labels
        return self.failed(outcome.status) if self.kind == "residual" else None

    def _arrived(self, outcome: Outcome) -> bool:
        """Took the rule, and met what the rule does when it does not abort."""
        if outcome.route != self.rule_name:
            return False
        if "abort" in outcome.fault:
            return True
        if self.kind == "route":
            return outcome.destination in self.labels if self.labels else True
        return outcome.status == self.status

    def _untagged(self, outcome: Outcome) -> bool | None:
        """Without our tags only status and body tell: the load marks answers whose body is Envoy's `fault filter
        abort`."""
        if self.kind in ("redirect", "direct-response", "no-route"):
            return outcome.status == self.status
        if self.kind == "abort":
            return outcome.status == self.status and "abort" in outcome.fault
        return None

    def failed(self, status: int) -> bool:
        """Whether this final answer is one that the retries were there to prevent."""
        return self.retries is not None and self.retries.retried(status)


def expectations(
    phases: Iterable[PhaseEffects], *, tolerance: float = DEFAULT_TOLERANCE, tagged: bool = True
) -> tuple[Expectation, ...]:
    """Everything that follows from the rules in each phase. `tagged` False: a gateway that does not tell what it did,
    of which only what shows in an answer can be expected."""
    made = [
        replace(each, phase=phase.name, tagged=tagged, id=f"{phase.name}:{each.id}" if phase.name else each.id)
        for phase in phases
        for effect in phase.effects
        for each in _of_effect(effect, phase.faults, tolerance)
    ]
    return tuple(made if tagged else filter(_shows, made))


def _shows(expectation: Expectation) -> bool:
    """Whether it can be judged from status, body and latency alone."""
    if expectation.kind == "delay" and expectation.share in (0.0, 1.0):
        return False  # one slow answer is no counter-example
    shown = ("abort", "delay", "added-delay", "redirect", "direct-response", "no-route")
    return expectation.tasks is not None and expectation.kind in shown


def _of_effect(effect: Effect, faults: bool, tolerance: float) -> Iterator[Expectation]:
    base = Expectation("", "", "", effect.key, effect.name, effect.where, tasks=effect.tasks, tolerance=tolerance)
    if effect.reply is not None and effect.tasks is not None:
        yield _reply(base, effect)
    elif effect.tasks is not None:
        yield _route(base, effect)
    yield from _faults(base, effect) if faults else _no_faults(base, effect)
    aborts = (effect.abort_share or 0.0) if faults else 0.0
    if aborts < 1:
        yield from _forwarding(base, effect)


def _reply(base: Expectation, effect: Effect) -> Expectation:
    assert effect.reply is not None
    words = {"redirect": "redirected", "direct-response": "answered", "no-route": "no route"}
    title = f"{words[effect.reply]} {effect.reply_status}"
    return replace(_named(base, effect.reply, title), share=1.0, status=effect.reply_status)


def _route(base: Expectation, effect: Effect) -> Expectation:
    labels = () if effect.unreachable else tuple(label for label, _ in effect.destinations)
    title = f"to {short(labels[0])}" if len(labels) == 1 else f"takes {effect.name}"
    return replace(_named(base, "route", title), share=1.0, labels=labels)


def _faults(base: Expectation, effect: Effect) -> Iterator[Expectation]:
    if effect.abort_share is not None:
        title = f"abort {effect.abort_status}"
        yield replace(_named(base, "abort", title), share=effect.abort_share, status=effect.abort_status)
    if effect.delay_share is None:
        return
    words = format_duration(effect.delay)
    yield replace(_named(base, "delay", f"delay {words}"), share=effect.delay_share, seconds=effect.delay)
    if effect.delay_share > 0:
        near = max(effect.delay * DELAY_TOLERANCE, LEAST_DELAY_TOLERANCE)
        yield replace(
            _named(base, "added-delay", f"added delay {words}"),
            share=effect.delay,
            tolerance=near,
            seconds=effect.delay,
        )


def _no_faults(base: Expectation, effect: Effect) -> Iterator[Expectation]:
    """While faults are off none of those that the rule has may fire."""
    if effect.abort_share:
        yield replace(_named(base, "abort", "no abort"), share=0.0, status=effect.abort_status)
    if effect.delay_share:
        yield replace(_named(base, "delay", "no delay"), share=0.0, seconds=effect.delay)


def _forwarding(base: Expectation, effect: Effect) -> Iterator[Expectation]:
    if len(effect.destinations) > 1:
        for label, share in effect.destinations:
            named = _named(base, "destination", f"to {short(label)}", label)
            yield replace(named, share=share, labels=(label,))
    if effect.retries is not None and effect.retries.attempts > 0 and effect.destinations:
        title = f"failing after {effect.retries.attempts} retries"
        yield replace(_named(base, "residual", title), retries=effect.retries, status=effect.abort_status)
    for label, share in effect.mirrors:
        yield replace(_named(base, "mirror", f"mirrored to {short(label)}", label), share=share, labels=(label,))


def _named(base: Expectation, kind: str, title: str, detail: str = "") -> Expectation:
    tasks = "" if base.rule else ",".join(base.tasks or ())  # without a rule only the tasks tell expectations apart
    name = "#".join(part for part in (base.rule or "none", tasks, kind, detail) if part)
    return replace(base, id=name, kind=kind, title=title)


def short(label: str) -> str:
    """A cluster's label as people say it: `webserverv1.default.svc.cluster.local:80/v1` is `webserverv1/v1`."""
    host, slash, subset = label.partition("/")
    host = host.rsplit(":", 1)[0] if ":" in host else host
    return host.removesuffix(".svc.cluster.local").removesuffix(".default") + slash + subset
