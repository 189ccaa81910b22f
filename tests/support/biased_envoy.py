"""The engine `envoy` with percentages that are off on purpose: `python biased_envoy.py SCALE`, the plan on stdin.

Envoy itself draws, counts and tags as it should; what it is told to draw is not what the rules say."""

from __future__ import annotations

import sys
from dataclasses import replace

import chaos.runner.in_generations as generations
from chaos.faults import RuleFault
from chaos.runner.envoy import __main__ as engine
from chaos.units import Percent

if __name__ == "__main__":
    scale, right = float(sys.argv.pop(1)), generations._scaled

    def _scaled(fault: RuleFault, factor: float) -> RuleFault:
        made = right(fault, factor)
        return replace(made, percent=Percent(round(made.percent.per_million * scale)))

    generations._scaled = _scaled
    sys.exit(engine.main())
