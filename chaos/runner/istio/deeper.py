"""What Prometheus says of the rules that no task takes, whose faults are for calls of applications.

With `--scope run` the response flags FI and DI are the run's alone, but its calls that met no fault look like those of
anybody: how many there were is unknown. So there is a count of faults and a least share, and no verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.claims.finding import Finding
from chaos.faults import RuleFault
from chaos.formatting import count, listed, share
from chaos.mesh.compile.rules import Rules
from chaos.mesh.compile.summary import RuleInfo
from chaos.runner.istio.prometheus import Counted
from chaos.verify.verdict import Verdict

WORDS = {"abort": ("aborted", "FI"), "delay": ("delayed", "DI")}


class DeeperCalls:
    """The calls of some rules, by their keys, that Prometheus counts while a load lasts. With `everybody` the faults
    meet all of them."""

    def __init__(self, url: str, rules: Rules, keys: Sequence[str], *, everybody: bool):
        self._everybody = everybody
        self._rules = [info for info in rules.rules if info.key in keys]
        self._others = [info for info in rules.rules if info.faults]
        self._counted = Counted(url, {host for info in self._rules for host in _hosts(info)})

    async def begin(self) -> None:
        """Note what was counted before. Raises EnvironmentFailed."""
        if self._rules:
            await self._counted.begin()

    async def end(self) -> tuple[Finding, ...]:
        """Return what is known, once the counters have been scraped after the load. Raises EnvironmentFailed."""
        if not self._rules:
            return ()
        await self._counted.end()
        return tuple(self._finding(info, fault) for info in self._rules for fault in info.faults)

    def _finding(self, info: RuleInfo, fault: RuleFault) -> Finding:
        kind = fault.kind.value
        return Finding(
            id=f"{info.key}#deeper-{kind}",
            kind=kind,
            title=f"{kind} of deeper calls",
            verdict=Verdict.NOT_JUDGED,
            sentence=self._sentence(info, kind),
            rule=info.key,
            rule_name=info.name,
            where=str(info.location or ""),
            configured=fault.share,
            cause="unseen",
        )

    def _sentence(self, info: RuleInfo, kind: str) -> str:
        """Return what is known of a rule's fault."""
        shared = list(self._sharing(info, kind))
        if shared:
            text = f"{listed(shared)} has faults for calls to the same service, whose counters do not tell them apart"
            return f"{info.name}: nothing is known of its {kind}: {text}"
        calls = self._counted.calls(_hosts(info))
        faulted, (word, flag) = calls.faulted(kind), WORDS[kind]
        service = listed(sorted(_hosts(info)))
        text = f"{info.name}: {self._counted.url} counted {count(calls.total)} calls to {service} while the load lasted"
        text += f", by whomever, {count(faulted)} of them {word} ({flag})"
        if not self._counted.whole:
            text += "; some counters were not scraped after the load, so these are not all"
        if not faulted:
            return f"{text}: none of those that the fault is for met it, or none came"
        if self._everybody:
            return f"{text}, phases without faults among them"
        return f"{text}: at least {share(faulted / calls.total)} of the run's own"

    def _sharing(self, info: RuleInfo, kind: str) -> Iterator[str]:
        for other in self._others:
            kinds = {fault.kind.value for fault in other.faults}
            if other.key != info.key and kind in kinds and _hosts(other) & _hosts(info):
                yield other.name


def _hosts(info: RuleInfo) -> frozenset[str]:
    """Return the services that a rule leads to, as the metric names them."""
    return frozenset(each.name.partition("/")[0].rpartition(":")[0] for each in info.destinations)
