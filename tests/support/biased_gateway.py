"""`chaos gateway` with dice that are off on purpose: `python biased_gateway.py BIAS FILE... --listen ...`.

Each abort draw is divided by BIAS, so that 50 % becomes 50 % x BIAS; everything else is the gateway as it is. What it
injects it also counts and tags, as a gateway with a fault of that kind would."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from typing import Any

from chaos.gateway.process.main import run_gateway
from chaos.gateway.process.options import GatewayOptions
from chaos.mesh.decision import Decision, Draws, Request
from chaos.run.plan.rule_files import RuleFiles
from chaos.run.serve import read_table


@dataclass(frozen=True, slots=True)
class BiasedDraws:
    draws: Draws
    bias: float

    @property
    def delay(self) -> float:
        return self.draws.delay

    @property
    def abort(self) -> float:
        return min(self.draws.abort / self.bias, 1.0)

    @property
    def split(self) -> float:
        return self.draws.split

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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("bias", type=float)
    parser.add_argument("files", nargs="+")
    for name in ("--listen", "--admin", "--seed", "--workers", "--addresses"):
        parser.add_argument(name)
    given = parser.parse_args(arguments)
    rules = RuleFiles(tuple(given.files), read_table(given.addresses))
    return run_gateway(
        GatewayOptions(
            load=lambda: BiasedRules(rules.load(), given.bias),  # type: ignore[arg-type, return-value]
            parse=lambda text: BiasedRules(rules.parse(text), given.bias),  # type: ignore[arg-type, return-value]
            listen=given.listen,
            admin=given.admin,
            seed=int(given.seed),
            watch=False,
            exit_with_stdin="CHAOS_SUPERVISED" in os.environ,
        )
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
