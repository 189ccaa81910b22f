"""Summarise a rule in plain values: for expectations, plans and reports, which need no Istio models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chaos.errors import Location
from chaos.faults import Kind, RuleFault, fault_of
from chaos.mesh.compile.fault import Fault
from chaos.mesh.compile.redirect import DEFAULT_CODE
from chaos.mesh.decision import Cluster, RetryPolicy, Rule
from chaos.mesh.upstream.retry import DEFAULT_POLICY
from chaos.units import Percent

if TYPE_CHECKING:
    from chaos.mesh.compile.rule import RuleCompiler


@dataclass(frozen=True, slots=True)
class DestinationShare:
    """One destination of a rule.

    `name` is the cluster's (`host:port` or `host:port/subset`); `share` is in [0, 1], 0.0 for a weight of zero. `known`
    is False when the service, port or subset does not exist (503); `endpoints` may be 0 (503 `no healthy upstream`)."""

    name: str
    share: float
    known: bool
    endpoints: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """The retries of a rule. `attempts` counts those after the first attempt; `retried(status)` returns whether a
    response of that status is retried."""

    attempts: int
    retry_on: tuple[str, ...]
    retried: Callable[[int], bool] = field(compare=False, repr=False)
    per_try_timeout: float | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One HTTPRoute as compiled, or the default route of a service. Times in seconds, None where nothing is configured.

    `faults` are in the order in which a request meets them; 0 % stands for one that never happens. `hosts` are the
    virtual hosts through which the rule is reached, perhaps none."""

    rule: Rule
    virtual_service: str | None = None
    hosts: tuple[str, ...] = ()
    faults: tuple[RuleFault, ...] = ()
    destinations: tuple[DestinationShare, ...] = ()
    retries: Retrying | None = None
    timeout: float | None = None
    redirect_code: int | None = None
    direct_response: int | None = None
    mirrors: tuple[tuple[str, Percent], ...] = ()

    @property
    def key(self) -> str:
        return self.rule.key

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def location(self) -> Location | None:
        return self.rule.location

    @property
    def is_default(self) -> bool:
        """Whether this is a service's own route, without a VirtualService."""
        return self.virtual_service is None

    def with_hosts(self, hosts: tuple[str, ...]) -> RuleInfo:
        return replace(self, hosts=hosts)

    def with_fault(self, fault: Fault | None) -> RuleInfo:
        """Return the summary with these faults, or without any."""
        if fault is None and not self.faults:
            return self
        return replace(self, faults=fault.configured if fault else ())

    def fault(self, kind: type[Kind]) -> Kind | None:
        """Return its fault of this kind, or None."""
        return fault_of(self.faults, kind)


def info_of(compiler: RuleCompiler, fault: Fault | None) -> RuleInfo:
    """Summarise a compiled rule and its fault."""
    effective, route = compiler.effective, compiler.route
    total = sum(branch.weight for branch in compiler.branches) or 1
    virtual_service = effective.virtual_service
    info = RuleInfo(
        effective.rule,
        f"{virtual_service.namespace}/{virtual_service.name}",
        destinations=tuple(_share(branch.name, branch.weight / total, branch.cluster) for branch in compiler.branches),
        retries=_retrying(compiler.retry) if compiler.branches else None,
        timeout=compiler.timeout if compiler.branches else None,
        redirect_code=(route.redirect.redirect_code or DEFAULT_CODE) if route.redirect else None,
        direct_response=route.direct_response.status if route.direct_response else None,
        mirrors=tuple((cluster.name, percent) for cluster, percent in compiler.mirrors if compiler.branches),
    )
    return info.with_fault(fault)


def info_of_service(rule: Rule, name: str, cluster: Cluster | None) -> RuleInfo:
    """Summarise the default route of a service."""
    return RuleInfo(rule, destinations=(_share(name, 1.0, cluster),), retries=_retrying(DEFAULT_POLICY))


def _share(name: str, share: float, cluster: Cluster | None) -> DestinationShare:
    return DestinationShare(name, share, cluster is not None, len(cluster.endpoints) if cluster else 0)


def _retrying(policy: RetryPolicy | None) -> Retrying | None:
    if policy is None:
        return None
    return Retrying(
        policy.attempts,
        tuple(policy.description.split(",")),
        lambda status: policy.retry_on(status, [], True),
        policy.per_try_timeout,
        policy is DEFAULT_POLICY,
    )
