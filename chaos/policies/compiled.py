"""Policies compiled for the request path: which of them are about a request, and which it meets.

A policy is in front of the rules, or beneath their retries (scope `upstream`); it draws for each request, or for each
attempt, from the request's own seed and id. What it compares is what a VirtualService's match compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chaos.errors import Location
from chaos.mesh.compile.hosts import HostTable
from chaos.mesh.compile.match import EVERYTHING, CompiledMatch, compile_match
from chaos.mesh.compile.rules import CompiledHost, Rules
from chaos.mesh.decision import Draws, Request
from chaos.mesh.names import covers, full_name
from chaos.mesh.paths import normalise
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault
from chaos.policies.model import FaultPolicySpec, Target, When
from chaos.policies.read import PolicyRead
from chaos.units import Percent

_ALWAYS = When()


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy. `percent` is the share of its requests that meet the fault."""

    name: str
    fault: Fault
    percent: Percent
    spec: FaultPolicySpec
    location: Location
    namespace: str = "default"

    @property
    def when(self) -> When:
        return self.spec.when or _ALWAYS

    @property
    def upstream(self) -> bool:
        """Whether it is beneath the rules' retries."""
        return self.spec.scope == "upstream"

    @property
    def key(self) -> str:
        """Its key where rules have theirs: `policy/<name>`."""
        return f"policy/{self.name}"

    def counts_in(self, phase: str) -> bool:
        """Return whether it may be in force in a phase of this name."""
        return self.when.phase in ("", phase)

    def in_force(self, seconds: float) -> bool:
        """Return whether it is in force so many seconds after its phase has begun."""
        when = self.when
        return when.after <= seconds and (when.for_ is None or seconds < when.after + when.for_)

    def dice(self, draws: Draws, again: str = "") -> Dice:
        """Return the dice of a request's draws for this policy; `again` tells its attempts apart."""
        return lambda purpose: draws.apart(f"policy {self.name} {again}{purpose}")

    def drawn(self, dice: Dice, percent: Percent | None = None) -> bool:
        """Return whether the dice choose this request, in whole parts per million; `percent` is another share that was
        set by hand."""
        return dice("") * 1e6 < (percent or self.percent).per_million

    @property
    def computed(self) -> bool:
        """Whether the seed and a request's id alone say if it meets the fault: neither order, time nor others do."""
        timed = not self.always or self.fault.counts or self.fault.chooser() is not None
        return not (self.upstream or timed or self.spec.max_active is not None)

    @property
    def always(self) -> bool:
        """Whether it is in force for the whole of its phases."""
        return self.when.after == 0 and self.when.for_ is None

    @property
    def takes_all(self) -> bool:
        """Whether each of its requests meets it in front of the rules and goes no further, for the whole of its
        phases."""
        drawn = self.percent.fraction == 1 and self.fault.chooser() is None and self.spec.max_active is None
        return drawn and self.fault.ends and self.always and not self.upstream

    @property
    def sentence(self) -> str:
        """What it does, for people: `30 % of the requests have their connection reset`."""
        of = "attempts" if self.upstream else "requests"
        return f"{self.fault.choice(of) or f'{self.percent} of the {of}'} {self.fault.sentence}"


@dataclass(frozen=True, slots=True, eq=False)
class _Aimed:
    """A policy and the conditions of those of its targets that are about one host."""

    policy: Policy
    matches: tuple[CompiledMatch, ...]


class Policies:
    """All policies of an experiment, by the hosts that they are about."""

    def __init__(
        self, policies: Sequence[Policy], domains: Iterable[tuple[str, int, tuple[_Aimed, ...]]], only: int | None
    ):
        self.all = tuple(policies)
        self._table: HostTable[tuple[_Aimed, ...]] = HostTable(domains, only=only)

    def __iter__(self) -> Iterator[Policy]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def about(self, request: Request) -> list[Policy]:
        """Return the policies whose targets a request is among, in their order, whether or not it will meet them."""
        aimed = self._table.find(request.authority)
        if not aimed:
            return []
        path, mark, query = request.target.partition(b"?")
        normal = normalise(path)
        if normal is None:
            return []
        return [each.policy for each in aimed if _matches(each.matches, request, normal, mark + query)]


NO_POLICIES = Policies((), (), None)


class PolicedRules(Rules):
    """Rules with policies in front of them and beneath their retries."""

    policies: Policies


def policed(rules: Rules, policies: Policies) -> Rules:
    """Return the rules with their policies; the same rules without any."""
    if not policies:
        return rules
    made = PolicedRules.__new__(PolicedRules)
    made.__dict__.update(rules.__dict__)
    made.policies = policies
    return made


def policies_of(rules: object) -> Policies:
    """Return the policies that rules have."""
    return rules.policies if isinstance(rules, PolicedRules) else NO_POLICIES


def compile_policies(read: Sequence[PolicyRead], rules: Rules) -> Policies:
    """Compile policies for the virtual hosts of these rules. A host that nobody routes to has no effect here; it is a
    problem of its own (policies/check.py)."""
    policies = [
        Policy(
            each.name,
            each.policy.fault,
            Percent.of(each.policy.spec.percentage),
            each.policy.spec,
            each.locate(),
            each.policy.metadata.namespace,
        )
        for each in read
    ]
    domains = []
    for host in rules.virtual_hosts:
        aimed = tuple(_aimed(policies, host, rules))
        domains += [(domain, host.listener, aimed) for domain in host.domains]
    return Policies(policies, domains, rules.mesh.only)


def _aimed(policies: Iterable[Policy], host: CompiledHost, rules: Rules) -> Iterator[_Aimed]:
    """Yield the policies with a target that is a virtual host, with the conditions of these targets."""
    for policy in policies:
        matches = tuple(
            EVERYTHING if target.match is None else compile_match(target.match, rules.headers)
            for target in policy.spec.targets
            if is_about(target, host, policy.namespace)
        )
        if matches:
            yield _Aimed(policy, matches)


class Served(Protocol):
    """A virtual host: its name, and the port of its listener."""

    @property
    def host(self) -> str: ...
    @property
    def listener(self) -> int: ...


def is_about(target: Target, host: Served, namespace: str) -> bool:
    """Return whether a target's host, and its port if it has one, are those of a virtual host."""
    name = full_name(target.host, namespace).lower()
    port = target.match.port if target.match is not None else 0
    return covers(name, host.host.lower()) and port in (0, host.listener)


def _matches(matches: Iterable[CompiledMatch], request: Request, path: bytes, query: bytes) -> bool:
    return any(all(each.test(request, path, query) for each in match.conditions) for match in matches)


def met_ahead(policies: Iterable[Policy], draws: Draws) -> tuple[Policy, ...]:
    """Return those of the policies in front of the rules whose faults a request meets, of those that are computed."""
    return tuple(each for each in policies if each.computed and each.drawn(each.dice(draws)))
