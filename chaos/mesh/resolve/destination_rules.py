"""Find the DestinationRule that applies to a service, and merge several for one host.

Source: istio setDestinationRules, mergeDestinationRule and destinationRule (pilot/pkg/model/push_context.go,
destination_rule.go), SidecarScope.DestinationRule (sidecar.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chaos.mesh.model.destination_rule import DestinationRule, Subset, TrafficPolicy
from chaos.mesh.model.resources import Resource
from chaos.mesh.names import ROOT_NAMESPACE, Proxy, covers, full_name, is_wildcard, specificity

Written = Resource[DestinationRule]


@dataclass(frozen=True, slots=True, eq=False)
class MergedRule:
    """DestinationRules of one namespace for one host that count as one.

    `selector`: the labels of the only workloads that it applies to, None if it applies to all."""

    host: str
    subsets: tuple[Subset, ...]
    traffic_policy: TrafficPolicy | None
    sources: tuple[Written, ...]
    export_to: frozenset[str] = frozenset()

    @property
    def selector(self) -> dict[str, str] | None:
        selector = self.sources[0].spec.workload_selector
        return dict(selector.match_labels) if selector is not None else None

    @property
    def namespace(self) -> str:
        return self.sources[0].namespace

    def subset(self, name: str) -> Subset | None:
        """Return the first subset of this name, or None."""
        return next((subset for subset in self.subsets if subset.name == name), None)

    def visible(self, namespace: str) -> bool:
        """Return whether clients of another namespace have it."""
        return not self.export_to or not self.export_to.isdisjoint(("*", namespace))


Pool = dict[str, list[MergedRule]]
"""By host: the rules of one namespace that were not merged."""


class DestinationRules:
    """The rules that one proxy has: its own namespace's first, then those of the service's, then the root
    namespace's."""

    def __init__(self, rules: Iterable[Written], proxy: Proxy):
        self._proxy = proxy
        ordered = sorted(rules, key=_precedence)
        of_client = [rule for rule in ordered if rule.namespace == proxy.namespace and _counts_at_home(rule)]
        if proxy.namespace == ROOT_NAMESPACE:  # its rules for everybody must not hide the services' own
            of_client = [rule for rule in of_client if _is_private(rule)]
        self._local = _pool(of_client)
        shared = [rule for rule in ordered if not _is_private(rule)]
        self._exported = {
            namespace: _pool([rule for rule in shared if rule.namespace == namespace])
            for namespace in {rule.namespace for rule in shared}
        }

    def find(self, host: str, service_namespace: str) -> MergedRule | None:
        """Return the rule for a service of this namespace, or None; an exact host comes before wildcards, longer ones
        before shorter ones.

        The search ends at the first namespace with rules for the host, even if none of them is for this workload."""
        own = _fitting(self._local, host)
        if own:
            return self._chosen(own)
        for namespace in (service_namespace, ROOT_NAMESPACE):
            found = _fitting(self._exported.get(namespace, {}), host)
            visible = [rule for rule in found if rule.visible(self._proxy.namespace)]
            if visible:
                return self._chosen(visible)
        return None

    def _chosen(self, rules: Sequence[MergedRule]) -> MergedRule | None:
        """Return the first rule that selects this workload, in its own namespace; else the last one without a
        selector."""
        labels = self._proxy.labels.items()
        for rule in rules:
            mine = rule.namespace == self._proxy.namespace
            if mine and rule.selector is not None and rule.selector.items() <= labels:
                return rule
        return next((rule for rule in reversed(rules) if rule.selector is None), None)


def _precedence(rule: Written) -> tuple[bool, tuple[datetime, str, str]]:
    return rule.spec.workload_selector is None, rule.precedence


def _export_to(rule: Written) -> frozenset[str]:
    """Return exportTo; a rule with a selector is for its own namespace, whatever it says."""
    return frozenset(rule.spec.export_to) if rule.spec.workload_selector is None else frozenset(".")


def _counts_at_home(rule: Written) -> bool:
    export_to = _export_to(rule)
    return not export_to or not export_to.isdisjoint(("*", ".", rule.namespace))


def _is_private(rule: Written) -> bool:
    return _export_to(rule) in ({"."}, {rule.namespace})


def _fitting(pool: Pool, host: str) -> list[MergedRule]:
    if host in pool:
        return pool[host]
    wildcards = [pattern for pattern in pool if is_wildcard(pattern) and covers(pattern, host)]
    return pool[min(wildcards, key=specificity)] if wildcards else []


def _pool(rules: Iterable[Written]) -> Pool:
    """Group rules of one namespace by host, in order of precedence, merged where Istio merges them."""
    pool: Pool = {}
    for rule in rules:
        host = full_name(rule.spec.host, rule.namespace)
        apart = pool.setdefault(host, [])
        own = not apart
        for place, earlier in enumerate(apart):
            merged, kept_apart = _merge(earlier, rule)
            apart[place], own = merged, kept_apart
        if own:
            apart.append(MergedRule(host, rule.spec.subsets, rule.spec.traffic_policy, (rule,), _export_to(rule)))
    return pool


def _merge(earlier: MergedRule, rule: Written) -> tuple[MergedRule, bool]:
    """Return the earlier rule with what the later one adds to it, and whether the later one also counts on its own.

    With equal exportTo they become one. If the later one's contains the earlier one's, both count. Rules whose
    selectors differ are not merged."""
    export_to = _export_to(rule)
    equal = earlier.export_to == export_to
    if not equal and not (earlier.export_to and earlier.export_to <= export_to):
        return earlier, True
    written = rule.spec.workload_selector
    selector = dict(written.match_labels) if written is not None else None
    if None not in (selector, earlier.selector) and selector != earlier.selector:
        return earlier, True
    return _with(earlier, rule), not equal and selector != earlier.selector


def _with(earlier: MergedRule, rule: Written) -> MergedRule:
    """Return the earlier rule with the later one's subsets, of which the first of a name wins; the first traffic policy
    wins as a whole."""
    return replace(
        earlier,
        subsets=earlier.subsets + rule.spec.subsets,
        traffic_policy=earlier.traffic_policy or rule.spec.traffic_policy,
        sources=(*earlier.sources, rule),
    )
