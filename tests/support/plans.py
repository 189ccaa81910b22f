"""Plans of runs from texts: no file is read and no process started."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chaos.errors import InvalidInput
from chaos.mesh.source.writing import to_yaml_stream
from chaos.runner.plan.checked import Prepared, prepare
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan
from support.experiments import experiment, virtual_service

FILE = "case.yaml"


def text_of(*documents: Mapping[str, object]) -> str:
    """The documents as a file's text."""
    return to_yaml_stream(documents)


def planned(text: str, **options: object) -> RunPlan:
    """Plan the experiment that is written in this text. Raises InvalidInput with everything that is wrong."""
    return plan_run(FILE, RunOptions(**options), read={FILE: text}.__getitem__)  # type: ignore[arg-type]


def planned_web(*, abort: float | None = 50, options: Mapping[str, object] | None = None, **spec: object) -> RunPlan:
    """Plan an experiment on the built-in `web`, which has one rule."""
    return planned(text_of(experiment(**spec), virtual_service(abort=abort)), **(options or {}))


def prepared(text: str) -> Prepared:
    """Read and check the experiment that is written in this text."""
    return prepare([FILE], read={FILE: text}.__getitem__)


def refusals(text: str, **options: object) -> list[str]:
    """Every problem with which the plan is refused, as the user reads it."""
    with pytest.raises(InvalidInput) as refused:
        planned(text, **options)
    return [str(problem) for problem in refused.value.problems]
