"""chaos: chaos testing with Istio VirtualServices, with verdicts whose probability of being wrong is stated.

    import chaos

    rules = chaos.load_rules("reviews.yaml")
    print(chaos.explain(rules, "GET http://reviews/"))

    result = chaos.run("abort50.yaml")
    assert result.verdict is chaos.Verdict.VERIFIED, result.summary()

The names in `__all__` are what programs may use; docs/api.md tells what each is. All else may change with any version.
Each is imported when it is first asked for, so that `import chaos` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from chaos.version import __version__ as __version__

if TYPE_CHECKING:
    from chaos import testing as testing
    from chaos.api.experiment import Experiment as Experiment
    from chaos.api.experiment import load_experiment as load_experiment
    from chaos.api.result import Result as Result
    from chaos.api.result import read_run as read_run
    from chaos.api.rules import Rules as Rules
    from chaos.api.rules import explain as explain
    from chaos.api.rules import load_rules as load_rules
    from chaos.api.rules import validate as validate
    from chaos.api.running import run as run
    from chaos.api.running import run_async as run_async
    from chaos.claims.finding import Finding as Finding
    from chaos.errors import ChaosError as ChaosError
    from chaos.errors import EnvironmentFailed as EnvironmentFailed
    from chaos.errors import InvalidInput as InvalidInput
    from chaos.errors import Location as Location
    from chaos.errors import Problem as Problem
    from chaos.mesh.decision import Decision as Decision
    from chaos.mesh.decision import Draws as Draws
    from chaos.mesh.decision import Request as Request
    from chaos.mesh.draws import FixedDraws as FixedDraws
    from chaos.mesh.explain.explanation import Explanation as Explanation
    from chaos.runner.plan.forecast import Forecast as Forecast
    from chaos.verify.verdict import Verdict as Verdict

_HOMES = {
    "ChaosError": "chaos.errors",
    "Decision": "chaos.mesh.decision",
    "Draws": "chaos.mesh.decision",
    "EnvironmentFailed": "chaos.errors",
    "Experiment": "chaos.api.experiment",
    "Explanation": "chaos.mesh.explain.explanation",
    "Finding": "chaos.claims.finding",
    "FixedDraws": "chaos.mesh.draws",
    "Forecast": "chaos.runner.plan.forecast",
    "InvalidInput": "chaos.errors",
    "Location": "chaos.errors",
    "Problem": "chaos.errors",
    "Request": "chaos.mesh.decision",
    "Result": "chaos.api.result",
    "Rules": "chaos.api.rules",
    "Verdict": "chaos.verify.verdict",
    "explain": "chaos.api.rules",
    "load_experiment": "chaos.api.experiment",
    "load_rules": "chaos.api.rules",
    "read_run": "chaos.api.result",
    "run": "chaos.api.running",
    "run_async": "chaos.api.running",
    "validate": "chaos.api.rules",
}
"""Where each name is defined; a test compares this with what type checkers are told above."""

__all__ = [  # noqa: RUF022 - as one meets them
    "load_rules",
    "Rules",
    "Request",
    "FixedDraws",
    "Draws",
    "Decision",
    "explain",
    "Explanation",
    "validate",
    "load_experiment",
    "Experiment",
    "Forecast",
    "run",
    "run_async",
    "read_run",
    "Result",
    "Verdict",
    "Finding",
    "ChaosError",
    "InvalidInput",
    "Problem",
    "Location",
    "EnvironmentFailed",
    "testing",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a name when it is first asked for (PEP 562)."""
    if name == "testing":
        return importlib.import_module("chaos.testing")
    if name not in _HOMES:
        raise AttributeError(f"module 'chaos' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
