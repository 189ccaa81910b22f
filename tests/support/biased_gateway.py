"""A run's gateway with dice that are off on purpose: `python biased_gateway.py BIAS`, the plan on stdin.

Each abort draw is divided by BIAS, so that 50 % becomes 50 % x BIAS; everything else is the gateway as it is. What it
injects it also counts and tags, as a gateway with a fault of that kind would."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

from chaos.faults import FaultKind
from chaos.gateway.process.main import run_gateway
from chaos.mesh.decision import Decision, Draws, Request
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.gateway import options_of
from chaos.runner.plan.gateway_rules import GatewayRules


@dataclass(frozen=True, slots=True)
class BiasedDraws:
    draws: Draws
    bias: float

    def fault(self, kind: FaultKind) -> float:
        draw = self.draws.fault(kind)
        return min(draw / self.bias, 1.0) if kind is FaultKind.ABORT else draw

    @property
    def split(self) -> float:
        return self.draws.split

    def apart(self, purpose: str) -> float:
        return self.draws.apart(purpose)

    def mirror(self, index: int) -> float:
        return self.draws.mirror(index)


class BiasedRules:
    """Rules that are handed other numbers than were drawn."""

    def __init__(self, rules: Any, bias: float):
        self._rules, self._bias = rules, bias

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rules, name)

    def decide(self, request: Request, draws: Draws) -> Decision:
        return self._rules.decide(request, BiasedDraws(draws, self._bias))


def main(bias: str) -> int:
    plan = GatewayPlan.of(sys.stdin.buffer.readline())
    rules = GatewayRules(plan)
    options = options_of(plan, rules, exit_with_stdin=True)
    biased = replace(options, parse=lambda text: BiasedRules(rules.parse(text), float(bias)))  # type: ignore[arg-type, return-value]
    return run_gateway(biased, BiasedRules(rules.compiled(), float(bias)))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
