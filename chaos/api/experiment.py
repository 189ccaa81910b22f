"""Experiments for programs: read one, ask what it will show."""

from __future__ import annotations

import os
from dataclasses import replace

from chaos.api.inputs import Name, Overrides, settings_of
from chaos.api.rules import Rules
from chaos.errors import Problem
from chaos.runner.plan.files import read_text
from chaos.runner.plan.forecast import Forecast
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan


class Experiment:
    """An experiment that has been read and found sound. Made by `load_experiment`; what becomes of its files afterwards
    does not change it."""

    def __init__(self, plan: RunPlan):
        self._plan = plan

    @property
    def name(self) -> str:
        """Names its runs: `metadata.name`, else the file's name."""
        return self._plan.name

    @property
    def file(self) -> str:
        """Where it was read from."""
        return self._plan.file

    @property
    def description(self) -> str:
        """`spec.description`; empty without one."""
        return self._plan.description

    @property
    def seed(self) -> int | None:
        """`spec.seed`; None when each run chooses one."""
        return self._plan.prepared.reading.experiment.spec.seed

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Warnings and infos: nothing that keeps it from being run."""
        return self._plan.notes

    @property
    def rules(self) -> Rules:
        """The rules that it is about."""
        return Rules(self._plan.prepared)

    def forecast(self) -> Forecast:
        """What it will show, before anything runs: the outcomes of every rule with their shares, and how many requests
        and how long a verdict takes. Printed, it reads like `chaos plan`."""
        return self._plan.forecast()

    def __repr__(self) -> str:
        return f"<Experiment {self.name} of {self.file}>"


def planned(experiment: Experiment, options: RunOptions) -> RunPlan:
    """One run of it, from the texts as they were read. Raises InvalidInput for options that do not fit."""
    prepared = experiment._plan.prepared
    texts = {**prepared.reading.texts, **{each.path: each.text for each in prepared.reading.attached.values()}}
    options = replace(options, overrides=prepared.overrides, command=_command(options, prepared.overrides))
    return plan_run(experiment.file, options, lambda name: texts[name] if name in texts else read_text(name))


def _command(options: RunOptions, settings: tuple[str, ...]) -> tuple[str, ...]:
    """What repeats the run in a shell, for the report."""
    given = [part for setting in settings for part in ("--set", setting)]
    given += ["--seed", str(options.seed)] if options.seed is not None else []
    given += ["--gateway", options.gateway] if options.gateway is not None else []
    return ("chaos", "run", *given)


def load_experiment(file: Name, *, overrides: Overrides | None = None) -> Experiment:
    """Read an experiment, or a file of Istio documents, whose load and claims then follow from the rules.

    `overrides` are laid over the file's fields, as by `chaos run --set`: `{"spec.load.users": 50, "spec.seed": 7}`.
    Raises InvalidInput with everything that is wrong, each at its file, line and column."""
    return Experiment(plan_run(os.fspath(file), RunOptions(overrides=settings_of(overrides))))
