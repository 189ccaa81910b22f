"""Plan a run: compile the rules, resolve tasks and phases, derive the expectations. Reports every problem before any
process starts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from chaos.claims.effects import Effect, PhaseEffects
from chaos.claims.expectation import Expectation
from chaos.claims.expectations import expectations
from chaos.claims.hypotheses.coverage import judge_failures, judge_lost
from chaos.claims.hypotheses.judging import hidden
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.reading import names_of, read_hold, read_hypotheses, read_safeguards
from chaos.claims.hypotheses.safeguards import Safeguard
from chaos.claims.hypotheses.unseen import behind
from chaos.claims.judge.forecast import plan_lines
from chaos.claims.policing import policy_effects
from chaos.claims.routing import effects_of, route_of, untouched
from chaos.errors import InvalidInput, Problem
from chaos.experiment.further_listeners import connection_problems
from chaos.experiment.model import Load
from chaos.experiment.read import Reading
from chaos.experiment.safety import allowed, directed, task_problems
from chaos.experiment.services import proxy_of
from chaos.experiment.tasks import LoadTask, derive_tasks, tasks_of
from chaos.mesh.compile.rules import SERVICE, Rules, compile_rules
from chaos.mesh.source.document import Path as FieldPath
from chaos.policies.compiled import compile_policies
from chaos.runner.outside.log_file import check
from chaos.runner.plan.calls import require_calls
from chaos.runner.plan.checked import Prepared, Read, prepare
from chaos.runner.plan.connections import connection_effects, connection_rules, not_applied
from chaos.runner.plan.engines import Engine, reaching_deeper
from chaos.runner.plan.fed_rows import row_problems
from chaos.runner.plan.files import beside, read_text, trouble_with_file
from chaos.runner.plan.listeners import require_listeners
from chaos.runner.plan.load_hosts import joining_of
from chaos.runner.plan.nothing_behind import nothing_behind
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.outlook import Outlook, outlooks, too_short, with_enough_users
from chaos.runner.plan.phase_rules import PhaseRules, with_rules
from chaos.runner.plan.phases import RunPhase, phases_of
from chaos.runner.plan.policies import require_hosts, require_policies, unreached_policies
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.plan.search import SearchPlan, plan_search
from chaos.runner.plan.unreached import unreached
from chaos.verify.claim import certain_tolerance


def plan_run(file: str, options: RunOptions, read: Read = read_text) -> RunPlan:
    """Return the plan of one run of a file. Raises InvalidInput with its problems."""
    prepared = prepare([file], options.overrides, read=read).require_sound()
    require_calls(prepared.reading, _directed(prepared), options)
    return plan_prepared(prepared, options)


def plan_prepared(prepared: Prepared, options: RunOptions) -> RunPlan:
    """Return the plan of one run of what has been read and found sound. Raises InvalidInput with its problems."""
    reading = prepared.reading
    if options.gateway is not None:
        _check_gateway(options.gateway, reading)
    if options.engine.mesh is not None:
        _check_entry(options.engine.mesh.url, reading)
    if options.access_log is not None:
        _check_log(options, reading)
    require_listeners(reading, options)
    require_policies(reading, options.engine.name, options.workers)
    rules = compile_rules(reading.resources, prepared.registry(), proxy_of(reading))
    if wrong := list(connection_problems(reading, rules.mesh)):
        raise InvalidInput(wrong)
    tasks, notes = _tasks(prepared, rules)
    open_ended = bool(reading.experiment.spec.load.locustfile) or bool(prepared.services.applications())
    planned = phases_of(reading.experiment.spec)
    claims = _claims(reading, rules, tasks, planned)
    if options.gateway is not None:
        _check_safeguards(claims.safeguards, reading)
    _check_watched(claims, tasks, reading)
    ruled = [with_rules(prepared, phase, rules, phase.place) for phase in planned]
    _check_rows(reading, tasks, ruled)
    require_hosts(reading, [each.rules for each in ruled])
    phases = tuple(each.phase for each in ruled)
    hypotheses, safeguards, search = claims.hypotheses, claims.safeguards, _search(prepared, rules, claims.hold)
    judged = reading.experiment.spec.verify.failures != "allow"
    effects = tuple(
        PhaseEffects(
            each.phase.name,
            effects_of(each.rules, tasks, others=open_ended),
            each.phase.faults,
            own_failures=judged and not judge_failures(hypotheses, each.phase.name),
            lost=judged and not judge_lost(hypotheses, each.phase.name),
            connections=connection_effects(connection_rules(reading, each.rules.mesh)),
            policies=policy_effects(
                compile_policies(reading.policies, each.rules), tasks, each.phase.name, others=open_ended
            ),
        )
        for each in ruled
    )
    deeper = frozenset.intersection(*(frozenset(_deeper(rules, each.effects)) for each in effects))
    options = replace(options, engine=reaching_deeper(options.engine, deeper))
    tagged = options.gateway is None
    verify = reading.experiment.spec.verify
    tolerance = verify.tolerance / 100
    certain = certain_tolerance(tolerance) if verify.certain_tolerance is None else verify.certain_tolerance / 100
    made = expectations(
        effects, tolerance=tolerance, certain=certain, tagged=tagged, logged=options.access_log is not None
    )
    expected = _counted(made, options.engine)
    expected = expected if search is None else ()
    called = deeper if options.engine.mesh is not None else ()
    silent, unjudged = (
        unreached(reading, rules, effects[0].effects, prepared.problems, called) if search is None else ((), [])
    )
    weights = {task.name: float(task.weight) for task in tasks}
    lines = plan_lines(
        effects, expected, weights, confidence=verify.confidence / 100, hypotheses=len(hypotheses),
        requests=phases[0].stop.requests,
    )  # fmt: skip
    found = outlooks(phases, effects, lines, weights)
    load = _with_locustfile(with_enough_users(_with_client(reading, tasks), found), reading.file)
    joining = joining_of(options.hosts, load)
    if joining is not None:
        load = load.model_copy(update={"processes": options.hosts.workers or load.workers})
    # What cannot be seen from outside is listed as not judged, each claim with its reason.
    of_rules = [each for each in expected if not each.of_whole_phase and not (tagged and each.unseen)]
    if not of_rules and not silent and not hypotheses and search is None:
        raise InvalidInput.at(reading.file, "there is nothing to verify: no rule, and no task that takes one")
    if options.engine.mesh is not None and options.engine.mesh.prometheus:  # the run tells of them at its end
        silent = tuple(each for each in silent if each.rule not in called)
    seed = options.seed if options.seed is not None else reading.experiment.spec.seed
    return RunPlan(
        prepared,
        options,
        load,
        joining,
        rules,
        tasks,
        phases,
        effects,
        expected,
        tuple(lines),
        hypotheses,
        safeguards,
        search,
        silent,
        (
            *(each for each in prepared.problems if each.severity != "error"),
            *notes,
            *unjudged,
            *_too_short(reading, load, found),
            *unreached_policies(reading, effects),
            *not_applied(reading, connection_rules(reading, rules.mesh), options.engine),
            *nothing_behind(rules, effects if options.gateway is None else (), reading.file),
        ),
        random.getrandbits(48) if seed is None else seed,
    )


def _check_rows(reading: Reading, tasks: Sequence[LoadTask], ruled: Sequence[PhaseRules]) -> None:
    """Raise InvalidInput if rows of one task take different rules in a phase with rules of its own. Those of a ramp's
    steps are the same at other levels."""
    others = {each.phase.rules: each.rules for each in ruled if each.phase.rules}
    problems = [problem for rules in others.values() for problem in row_problems(reading, rules, tasks)]
    if problems:
        raise InvalidInput(dict.fromkeys(problems))


def _deeper(rules: Rules, effects: Sequence[Effect]) -> Iterator[str]:
    """Yield the keys of the rules with faults that no task takes."""
    return (info.key for info in untouched(rules, effects) if info.hosts and info.faults)


def _counted(expected: Sequence[Expectation], engine: Engine) -> tuple[Expectation, ...]:
    """Return the expectations; those that the engine counts nothing for are unseen, and in a running mesh those of
    routes that are no VirtualService's, whose responses have no tags."""
    found = tuple(replace(each, unseen=each.unseen or engine.uncounted.get(each.kind, "")) for each in expected)
    if engine.mesh is None:
        return found
    text = "no VirtualService of the file has this host, so its responses do not say which way they took"
    return tuple(
        replace(each, unseen=each.unseen or text) if each.rule.startswith(f"{SERVICE}/") else each for each in found
    )


def _too_short(reading: Reading, load: Load, found: Sequence[Outlook]) -> Iterator[Problem]:
    """Yield a warning for each phase that will leave claims open."""
    for each, sentence in too_short(load, found):
        yield reading.problem(each.phase.place, sentence, severity="warning", code="too-short")


def _check_gateway(url: str, reading: Reading) -> None:
    """Raise InvalidInput if it is not a URL, is not on this machine, or the experiment has phases or a search, which
    only a gateway of ours can switch."""
    spec = reading.experiment.spec
    _check_entry(url, reading)
    if spec.phases or spec.search is not None:
        what = "phases" if spec.phases else "search"
        message = "a gateway that already runs cannot change its faults; leave this out with --gateway"
        raise InvalidInput([reading.problem(("spec", what), message)])


def _check_entry(url: str, reading: Reading) -> None:
    """Raise InvalidInput if requests cannot, or must not, be sent to this gateway."""
    parts, spec = urlsplit(url), reading.experiment.spec
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput.at("--gateway", f"{url!r} is not a URL; write it like http://127.0.0.1:15000")
    if parts.scheme == "https" and spec.load.client == "lean" and not spec.load.locustfile:
        raise InvalidInput.at("--gateway", "https: the lean client speaks plain HTTP; set spec.load.client: locust")
    if not allowed(parts.hostname, spec.allow_hosts):
        raise InvalidInput.at("--gateway", f"{parts.hostname} is not on this machine; name it in spec.allowHosts")


def _check_log(options: RunOptions, reading: Reading) -> None:
    """Raise InvalidInput if there is no access log to follow, or no way to tell which requests of it count."""
    assert options.access_log is not None
    if options.gateway is None:
        raise InvalidInput.of("--access-log", "is that of a gateway that runs already; name it, too: --gateway URL")
    load = reading.experiment.spec.load
    problems = []
    if load.warmup:
        message = "nobody knows which lines of the access log are of the warm-up; leave one of the two out"
        problems.append(reading.problem(("spec", "load", "warmup"), message))
    if load.locustfile:
        message = "nobody knows which rules a locustfile's requests take; --access-log is for tasks"
        problems.append(reading.problem(("spec", "load", "locustfile"), message))
    if problems:
        raise InvalidInput(problems)
    check(options.access_log)


def _check_safeguards(safeguards: Sequence[Safeguard], reading: Reading) -> None:
    """Raise InvalidInput for safeguards that would never fire, because a gateway that already runs does not say what
    they watch."""
    found = [(index, hidden(each.expression)) for index, each in enumerate(safeguards)]
    message = "a safeguard cannot watch this with --gateway: {}"
    problems = [
        reading.problem(("spec", "safeguards", index), message.format(reason)) for index, reason in found if reason
    ]
    if problems:
        raise InvalidInput(problems)


def _check_watched(claims: Claims, tasks: Sequence[LoadTask], reading: Reading) -> None:
    """Raise InvalidInput for safeguards that would never fire, and a search that would never end at a limit, because
    no response of an application says what they watch."""
    unseen = behind([task.name for task in tasks if task.direct])
    watched: list[tuple[FieldPath, Expression]] = [
        (("spec", "safeguards", index), each.expression) for index, each in enumerate(claims.safeguards)
    ]
    if claims.hold is not None:
        watched.append((("spec", "search", "hold"), claims.hold))
    found = [(path, unseen(expression)) for path, expression in watched]
    problems = [reading.problem(path, f"cannot be seen: {reason}") for path, reason in found if reason]
    if problems:
        raise InvalidInput(problems)


def _phase_problems(reading: Reading, rules: Rules) -> Iterator[Problem]:
    """Yield two phases of one name, phases beside a search, and `faults` without any fault to switch."""
    spec = reading.experiment.spec
    if spec.search is not None and spec.phases:
        yield reading.problem(("spec", "phases"), "a search makes its own phases; leave one of the two out")
    names = [phase.name for phase in spec.phases]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield reading.problem(("spec", "phases", index, "name"), f"a second phase called {name}")
    faulty = bool(reading.policies) or any(info.faults for info in rules.rules)
    for index, each in enumerate(spec.phases):
        if "faults" in each.model_fields_set and not faulty and not each.rules:
            message = "there are no faults to switch: no rule has a fault, and there is no policy"
            yield reading.problem(("spec", "phases", index, "faults"), message)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the experiment itself claims: hypotheses, safeguards, and what a search holds, None without one."""

    hypotheses: tuple[Expression, ...]
    safeguards: tuple[Safeguard, ...]
    hold: Expression | None


def _claims(reading: Reading, rules: Rules, tasks: Sequence[LoadTask], phases: Sequence[RunPhase]) -> Claims:
    """Read the experiment's claims. Raises InvalidInput with the problems of their texts and of the phases."""
    known = None if reading.experiment.spec.load.locustfile else [task.name for task in tasks]
    names = names_of(known, [phase.name for phase in phases], rules)
    hypotheses, problems = read_hypotheses(reading, names)
    safeguards, more = read_safeguards(reading, names)
    hold, others = read_hold(reading, names)
    found = [*_phase_problems(reading, rules), *problems, *more, *others]
    if found:
        raise InvalidInput(found)
    return Claims(hypotheses, safeguards, hold)


def _search(prepared: Prepared, rules: Rules, hold: Expression | None) -> SearchPlan | None:
    """Return the plan of the search; None without one. Raises InvalidInput."""
    search = plan_search(prepared, hold)
    if search is not None:
        with_rules(prepared, search.phase(search.start), rules, ("spec", "search", "vary"))
    return search


def _with_client(reading: Reading, tasks: Sequence[LoadTask]) -> Load:
    """Return the load with the client that speaks TLS if it has requests over TLS and nobody chose one."""
    load = reading.experiment.spec.load
    tls = any(task.url.startswith("https:") and task.call is None for task in tasks)
    return load.model_copy(update={"client": "locust"}) if tls and "client" not in load.model_fields_set else load


def _with_locustfile(load: Load, file: str) -> Load:
    """Return the load with the path of its locustfile, which is relative to the experiment file."""
    return load.model_copy(update={"locustfile": beside(file, load.locustfile)}) if load.locustfile else load


def _tasks(prepared: Prepared, rules: Rules) -> tuple[tuple[LoadTask, ...], list[Problem]]:
    """Return the experiment's tasks, or else tasks derived from the rules, and notes. Raises InvalidInput."""
    reading = prepared.reading
    load = reading.experiment.spec.load
    if load.locustfile:
        path = beside(reading.file, load.locustfile)
        if trouble := trouble_with_file(path):
            message = f"{path}: {trouble}"
            raise InvalidInput([reading.problem(("spec", "load", "locustfile"), message)])
        return tasks_of(reading), []
    if load.tasks:
        tasks = _directed(prepared)
        problems = task_problems(reading, prepared.services, tasks)
        if problems:
            raise InvalidInput(problems)
        return tasks, []
    ports = [80] if rules.mesh.only is not None else [listener.port for listener in rules.mesh.listeners]
    tasks = derive_tasks(reading.resources, lambda task: _taken(rules, task), ports)
    services = reading.resources.virtual_services
    if services and not any(each.spec.hosts for each in services):
        message = (
            "hosts: there are none, so no request reaches these rules; a VirtualService without hosts is a delegate"
        )
        raise InvalidInput([Problem(services[0].locate(("spec",)), "spec", message)])
    if not tasks:
        raise InvalidInput(
            [reading.problem(("spec", "load"), "no request could be derived from the rules; give load.tasks")]
        )
    return tasks, []


def _directed(prepared: Prepared) -> tuple[LoadTask, ...]:
    """Return the experiment's tasks, each with where it goes."""
    return tuple(directed(task, prepared.reading, prepared.services) for task in tasks_of(prepared.reading))


def _taken(rules: Rules, task: LoadTask) -> tuple[str, str] | None:
    key = route_of(rules, task).rule
    info = rules.info(key) if key else None
    return (key, info.name) if info is not None and not info.is_default else None
