"""`chaos replay`: send the faulted requests of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import say, say_lines
from chaos.faults import FaultKind
from chaos.printable import printable_line

if TYPE_CHECKING:
    from chaos.runner.replaying import Replay


def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or of an experiment: its latest run.")],
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only requests of this task.")] = None,
    fault: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Only requests that met this fault: abort, delay, or a policy's: reset."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only requests that met the fault of this FaultPolicy.")
    ] = None,
    phase: Annotated[str | None, typer.Option(metavar="NAME", help="Only requests of this phase.")] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Only the request with this x-request-id, faulted or not.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N requests.")] = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Send the requests to a gateway that already runs.")
    ] = None,
    only_list: Annotated[
        bool,
        typer.Option("--list", help="Print the requests (id, fault, task, rule, separated by tabs); send nothing."),
    ] = False,
) -> int:
    """Send exactly the faulted requests of a run again, or a single one, with the same ids and so the same faults."""
    from chaos.errors import ExitCode, InvalidInput
    from chaos.formatting import plural
    from chaos.runner.replaying import Choice, differences, exemplar_lines, outcome_lines, plan_replay, send

    check_fault(fault)
    choice = Choice(task, fault, phase, limit, id_, policy)
    planned = plan_replay(run, choice)
    check_names(choice.task, [each.name for each in planned.run_plan.tasks], "task")
    check_names(choice.phase, [each.name for each in planned.run_plan.phases], "phase")
    check_names(choice.policy, [each.name for each in planned.run_plan.prepared.reading.policies], "policy")
    requests = planned.requests
    if not requests:
        missing = "no request of this run met such a fault" if id_ is None else f"the run sent no request {id_}"
        raise InvalidInput.at(str(run), missing)
    if only_list:
        for each in requests:
            met = ",".join(filter(None, (each.fault, *(policy.fault.kind for policy in each.policies))))
            say("\t".join(map(printable_line, (each.id, met, each.task, each.rule))))
        return 0
    say(f"{planned.run_plan.name}: {plural(len(requests), 'request')} again, seed {planned.run_plan.seed}")
    sent = send(planned, gateway)
    say_lines(outcome_lines(sent.digest))
    if id_ is not None:
        say_lines(exemplar_lines(sent.exemplars, planned.run_plan.redaction()))
        said = [f"policy {name}" for name in sent.policies.get(id_, ())]
        say_lines([f"the gateway says that it met {', '.join(said)}"] if said else [])
    if uncomputed := planned.uncomputed:
        say(f"not compared: {', '.join(uncomputed)} may choose other requests now, by their order or by time")
    changed = [] if gateway or uncomputed else differences(planned, sent)
    say_lines(f"not as before: {line}" for line in changed)
    if not changed and not gateway and not uncomputed:
        say(f"{'every one' if id_ is None else 'it'} met {met_again(planned)}")
    return int(ExitCode.FALSIFIED if changed else ExitCode.VERIFIED)


def met_again(replay: Replay) -> str:
    """Return what the requests met, now as before. Of an application's, every fault of its calls was compared."""
    if not any(each.fault or each.policies for each in replay.requests):
        return "no fault, as before"
    if not any(each.task in replay.applications for each in replay.requests):
        return "the same fault as before"
    return "the same faults as before, of an application's calls those that have the request's id"


def check_fault(given: str | None) -> None:
    """Raise InvalidInput for a kind of fault that neither rules nor policies have."""
    from chaos.errors import InvalidInput
    from chaos.policies.kinds import KINDS

    known = [*(kind.value for kind in FaultKind), *(kind.kind for kind in KINDS)]
    if given is not None and given not in known:
        raise InvalidInput.at("--fault", f"there is no fault {given!r}; there are {', '.join(dict.fromkeys(known))}")


def check_names(given: str | None, known: list[str], what: str) -> None:
    """Raise InvalidInput for a name that the run does not have."""
    from chaos.errors import InvalidInput

    if given is not None and given not in known:
        raise InvalidInput.at(f"--{what}", f"the run has no {what} {given!r}; it has {', '.join(map(repr, known))}")
