"""Rules for programs: read Istio documents, decide single requests, explain. Nothing is started and nothing is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from chaos.api.inputs import Name, Overrides, settings_of
from chaos.errors import InvalidInput, Problem
from chaos.experiment.services import proxy_of
from chaos.mesh.compile.rules import compile_rules
from chaos.mesh.decision import Decision, Draws, Request
from chaos.mesh.explain.asking import explain as explain_compiled
from chaos.mesh.explain.explanation import AboutPolicy, Explanation
from chaos.policies.compiled import Policy, compile_policies
from chaos.policies.described import record
from chaos.runner.plan.checked import Prepared, prepare
from chaos.runner.plan.files import read_text


class Rules:
    """Istio documents as a proxy applies them, compiled once. Made by `load_rules` and `Rules.parse`.

    Nothing in it changes, so threads may share it."""

    def __init__(self, prepared: Prepared):
        self.prepared = prepared.require()
        reading = prepared.reading
        self.compiled = compile_rules(reading.resources, prepared.registry(), proxy_of(reading))
        self.policies = compile_policies(reading.policies, self.compiled)

    @classmethod
    def parse(cls, text: str, file: str = "rules.yaml") -> Rules:
        """Rules from a text, a YAML stream as a file holds it; problems call it `file`. Raises InvalidInput."""
        return cls(prepare([file], thorough=False, read=lambda name: text if name == file else read_text(name)))

    def decide(self, request: Request, draws: Draws) -> Decision:
        """What happens to this request: an answer made here or a destination, after how many seconds of delay.

        A fault fires when its draw lies below its percentage: `FixedDraws(abort=0.1)` meets an abort of 50 %. The same
        request and draws always give the same decision."""
        return self.compiled.decide(request, draws)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every name that these rules answer for, short names and those with a port among them."""
        return self.compiled.hosts

    @property
    def files(self) -> tuple[str, ...]:
        """The files that they were read from."""
        return tuple(self.prepared.reading.texts)

    def __repr__(self) -> str:
        return f"<Rules of {', '.join(self.files)}: {len(self.compiled.rules)}>"


def load_rules(file: Name, *others: Name, overrides: Overrides | None = None) -> Rules:
    """Read Istio documents, or experiments with such documents in them, as one set of rules.

    Raises InvalidInput with everything that Istio would refuse, each at its file, line and column. What Istio's
    analyzers would merely warn of is for `validate`."""
    return Rules(prepare(_names(file, *others), settings_of(overrides), thorough=False))


def explain(rules: Rules, request: Request | str, headers: Iterable[str] | Mapping[str, str] = ()) -> Explanation:
    """Say which rule takes a request, why the earlier ones do not, and with which probabilities what happens then; and
    which policies are about it.

    A text is read as `Request.parse` reads it, together with `headers`. Printed, the answer reads like `chaos explain`.
    Raises InvalidInput for what is no request."""
    asked = Request.parse(request, headers) if isinstance(request, str) else request
    about = tuple(_about(policy) for policy in rules.policies.about(asked))
    return replace(explain_compiled(rules.compiled, asked), policies=about)


def _about(policy: Policy) -> AboutPolicy:
    said = record(policy)
    return AboutPolicy(
        name=said["name"],
        where=said["where"],
        kind=said["kind"],
        share=said["share"],
        sentence=said["sentence"],
        limits=said["limits"],
        scope=said["scope"],
        ends=said["ends"],
    )


def validate(file: Name, *others: Name) -> tuple[Problem, ...]:
    """Check files as `chaos validate` does, all of them as one set: every error that Istio would refuse, warnings of
    its analyzers, and infos on pitfalls. Empty when there is nothing to say; never raises for what is in a file."""
    names = _names(file, *others)
    try:
        prepared = prepare(names)
    except InvalidInput as error:
        return error.problems
    if prepared.errors or prepared.reading.document is None:
        return prepared.problems
    return tuple(dict.fromkeys((*prepared.problems, *_of_plan(prepared))))


def _of_plan(prepared: Prepared) -> tuple[Problem, ...]:
    """Return what `chaos plan` would refuse or warn of in a sound experiment."""
    from chaos.runner.plan.engines import ANY
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.plan.planner import plan_prepared

    try:
        return plan_prepared(prepared, RunOptions(engine=ANY)).notes
    except InvalidInput as error:
        return error.problems


def _names(*files: Name) -> list[str]:
    return [os.fspath(file) for file in files]
