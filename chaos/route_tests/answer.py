"""What the rules say of one request, and where that differs from what a test expects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from chaos.mesh.compile.rules import Rules
from chaos.mesh.explain.explanation import Explanation
from chaos.mesh.model.resources import Resources
from chaos.mesh.names import full_name
from chaos.mesh.resolve.delegate import EffectiveRule


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a test expects and that does not come; `hint` says what was perhaps meant."""

    field: str
    wanted: str
    came: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.field}: wanted {self.wanted}{self.hint}, came {self.came}"


@dataclass(frozen=True, eq=False)
class Subject:
    """The rules under test, as one proxy applies them. `notes` name what the files lack and was
    therefore assumed."""

    rules: Rules
    resources: Resources
    notes: tuple[str, ...] = ()

    @cached_property
    def with_destination_rule(self) -> frozenset[str]:
        """The hosts that have a DestinationRule."""
        return frozenset(full_name(each.spec.host, each.namespace) for each in self.resources.destination_rules)

    def effective(self, key: str) -> EffectiveRule | None:
        """Return the rule with this key as it counts; None for the route of a service without a VirtualService."""
        wanted = key.partition("@")[0]
        entries = (entry for host in self.rules.virtual_hosts for entry in host.source.entries)
        return next((entry.rule for entry in entries if entry.rule.rule.key == wanted), None)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """`rule` is the rule of a VirtualService that takes the request, or None."""

    subject: Subject
    explanation: Explanation
    rule: EffectiveRule | None

    @property
    def namespace(self) -> str:
        """The namespace in which the rule's short names are meant."""
        return self.rule.namespace if self.rule is not None else self.subject.rules.proxy.namespace

    @property
    def forwarded(self) -> bool:
        return self.explanation.fate.kind == "forward"

    @property
    def own_status(self) -> int | None:
        """The status that the proxy answers with by itself, to every such request; None if it forwards any."""
        faults = self.explanation.rule.faults if self.explanation.rule is not None else ()
        always = [fault.parameters["status"] for fault in faults if fault.ends and fault.share == 1]
        return int(always[0] or 0) if always else self.explanation.fate.status

    @property
    def end(self) -> str:
        """What becomes of the request, in a few words: `forwarded`, `a redirect, 301 to http://new/`."""
        fate = self.explanation.fate
        if self.forwarded:
            return "forwarded" if self.rule is not None else "forwarded by the service's own route"
        to = f" to {fate.location}" if fate.location else ""
        return f"{fate.status} ({fate.kind.replace('-', ' ')}){to}"
