"""Check policies against the rules: a host that nobody routes to, a phase that there is not, a match that Istio
refuses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from chaos.errors import Problem
from chaos.formatting import plural
from chaos.mesh.check.admission.match import validate_match
from chaos.mesh.check.cursor import At
from chaos.mesh.compile.rules import CompiledHost, Rules
from chaos.mesh.model.message import camel_case
from chaos.mesh.model.resources import Resource
from chaos.mesh.read.shape import Wording, suggestion
from chaos.policies.compiled import is_about
from chaos.policies.kinds.corrupt import Corrupt
from chaos.policies.model import KIND, Target
from chaos.policies.read import PolicyRead

UNROUTED = "policy-without-host"
UNKNOWN_PHASE = "policy-without-phase"

_MEANINGLESS = ("name", "gateways", "source_labels", "source_namespace", "stat_prefix")
"""Fields of a match that choose between proxies, of which there is one here, or name what a policy names itself."""


def match_problems(read: Iterable[PolicyRead]) -> Iterator[Problem]:
    """Yield what Istio's admission says of the targets' conditions, and those that mean nothing here."""
    for each in read:
        metadata = each.policy.metadata
        resource = Resource(KIND, "", metadata.name, metadata.namespace, each.policy.spec, each.document)
        for index, target in enumerate(each.policy.spec.targets):
            if target.match is None:
                continue
            at = At(resource, ("spec", "targets", index, "match"))
            validate_match(at, target.match)
            for name in filter(target.match.has, _MEANINGLESS):
                at.into(camel_case(name)).error("means nothing in a policy; leave it out", "policy")
            yield from at.problems


def routing_problems(read: Iterable[PolicyRead], *rules: Rules) -> Iterator[Problem]:
    """Yield a problem for each target whose host no virtual host of any of these rules is."""
    hosts = [host for each in rules for host in each.virtual_hosts]
    known = list(dict.fromkeys(host.host for host in hosts))
    for each in read:
        for index, target in enumerate(each.policy.spec.targets):
            if not any(is_about(target, host, each.policy.metadata.namespace) for host in hosts):
                yield each.problem(("spec", "targets", index, "host"), _unrouted(target, known), UNROUTED)
        yield from _beyond_the_body(each, hosts)


def phase_problems(read: Iterable[PolicyRead], phases: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each policy whose phase the experiment does not have."""
    for each in read:
        when = each.policy.spec.when
        if when is not None and when.phase and when.phase not in phases:
            otherwise = f"there are {', '.join(phases)}" if phases else "the experiment has no phases"
            hint = suggestion(when.phase, list(phases), otherwise)
            yield each.problem(("spec", "when", "phase"), hint.after(f"no phase is called {when.phase}"), UNKNOWN_PHASE)


def worker_problems(read: Iterable[PolicyRead], workers: int) -> Iterator[Problem]:
    """Yield a problem for each policy that counts requests, if several workers would each count their own."""
    if workers == 1:
        return
    for each in read:
        message = f"each of the {workers} workers would count its own requests; write --workers 1"
        if each.policy.fault.counts:
            yield each.problem(("spec", "fault", each.policy.fault.kind), message)
        if each.policy.spec.max_active is not None:
            yield each.problem(("spec", "maxActive"), message)


def stranger_problems(read: Iterable[PolicyRead], lacks: str) -> Iterator[Problem]:
    """Yield a problem for each policy: what carries out the rules `lacks` such faults."""
    for each in read:
        yield each.problem(("spec", "fault", each.policy.fault.kind), lacks)


def _beyond_the_body(read: PolicyRead, hosts: Iterable[CompiledHost]) -> Iterator[Problem]:
    """Yield that more bytes are to be corrupted than any response has, if the rules themselves answer all requests."""
    fault = read.policy.fault
    if not isinstance(fault, Corrupt):
        return
    namespace = read.policy.metadata.namespace
    about = [host for host in hosts if any(is_about(target, host, namespace) for target in read.policy.spec.targets)]
    ruled = [rule for host in about for owner in host.owners for rule in owner.spec.http]
    answers = [None if rule.fault is not None else rule.direct_response for rule in ruled]
    if not answers or any(answer is None for answer in answers):
        return
    bodies = [answer.body.octets if answer.body is not None else b"" for answer in answers if answer is not None]
    most = max(map(len, bodies))
    if fault.bytes > most:
        right = f"write {most} or less" if most else "they have none, so leave the policy out"
        message = f"{plural(fault.bytes, 'byte')} of bodies that have {most} at most; {right}"
        yield read.problem(("spec", "fault", "corrupt", "bytes"), message)


def _unrouted(target: Target, known: list[str]) -> Wording:
    port = f" on port {target.match.port}" if target.match is not None and target.match.port else ""
    short = {name.partition(".")[0]: name for name in known}
    names = {name: name for name in known} if "." in target.host else {name: name for name in short}
    hint = suggestion(target.host, names, f"there are {', '.join(known)}" if known else "")
    return hint.after(f"nobody routes to {target.host}{port}: no VirtualService and no service has this host")
