"""Which requests a replay sends, worked out from a journal, and how it tells that they met something else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.experiments import experiment, virtual_service
from support.ids import first_ids
from support.plans import planned, text_of
from support.policies import policy

from chaos.errors import InvalidInput
from chaos.journal.records import DigestLine, Exemplars, Faulted, Record, encode
from chaos.protocol.digest import Digest, Key
from chaos.protocol.exemplars import Exemplar
from chaos.runner.replaying import (
    Choice,
    Replay,
    Sent,
    _text_of,
    differences,
    outcome_lines,
    overrides_of,
    plan_replay,
)

PHASES = [{"name": "before", "faults": False, "requests": 10}, {"name": "fault", "requests": 20}]
SERVICES = {"web": {"builtin": "webserver"}, "app": {"builtin": "proxy", "url": "http://web/"}}
TASKS = [{"name": "web", "get": "http://web/"}]
BOTH = [*TASKS, {"name": "app", "get": "http://app/"}]


def digest_of(*outcomes: tuple[str, str, str, int]) -> Digest:
    """Of answers: (phase, task, fault, how many)."""
    digest = Digest()
    for phase, task, fault, count in outcomes:
        for _ in range(count):
            digest.add(Key(phase, task, "web[0]", "", 503 if fault else 200, fault), 1000)
    return digest


def journal(folder: Path, *records: Record, abort: float = 100, policies: str = "", **spec: Any) -> Path:
    """The folder of a run that sent ten requests before the fault, and twenty in it."""
    spec = {"services": SERVICES, "load": {"tasks": TASKS}, "phases": PHASES, "seed": 5, **spec}
    plan = planned(text_of(experiment(**spec), virtual_service(abort=abort)) + policies).plan_record("1")
    sent = DigestLine(
        second=0.0, entries=tuple(digest_of(("before", "web", "", 10), ("fault", "web", "", 20)).entries())
    )
    (folder / "journal.jsonl").write_text("".join(encode(each) + "\n" for each in (plan, sent, *records)))
    return folder


def ids(replay: Replay) -> list[str]:
    return [request.id for request in replay.requests]


def test_with_every_request_faulted_those_of_the_faulty_phase_are_sent_in_order(tmp_path: Path) -> None:
    replay = plan_replay(journal(tmp_path), Choice())
    assert ids(replay) == first_ids(5, 30)[10:]
    assert {(each.task, each.fault) for each in replay.requests} == {("web", "abort")}


def test_where_no_fault_fires_there_is_nothing_to_send(tmp_path: Path) -> None:
    assert plan_replay(journal(tmp_path, abort=0), Choice()).requests == []


CHOICES = [
    (Choice(), 20),
    (Choice(limit=7), 7),
    (Choice(limit=0), 0),
    (Choice(phase="fault"), 20),
    (Choice(phase="before"), 0),
    (Choice(task="web"), 20),
    (Choice(task="other"), 0),
    (Choice(fault="abort"), 20),
    (Choice(fault="delay"), 0),
]


@pytest.mark.parametrize(("choice", "count"), CHOICES, ids=str)
def test_of_these_some_may_be_chosen(tmp_path: Path, choice: Choice, count: int) -> None:
    assert len(plan_replay(journal(tmp_path), choice).requests) == count


POLICIES = f"---\n{policy('{reset: {}}', name='cut', percentage=50)}---\n{policy('{status: {code: 429}}', name='busy')}"


def test_policies_are_met_before_rules_and_computed_like_them(tmp_path: Path) -> None:
    run = journal(tmp_path, policies=POLICIES)
    replay = plan_replay(run, Choice())
    met = [tuple(each.name for each in request.policies) for request in replay.requests]
    assert len(met) == 20 and set(met) == {("cut", "busy"), ("busy",)}
    assert {request.fault for request in replay.requests} == {""}
    cut = met.count(("cut", "busy"))
    assert len(ids(plan_replay(run, Choice(fault="reset")))) == len(ids(plan_replay(run, Choice(policy="cut")))) == cut
    same = [Key("fault", "web", "", "", 0, error="reset")] * cut
    same += [Key("fault", "web", "", "", 429, policy="busy")] * (20 - cut)
    assert differences(replay, Sent(counted(same))) == []
    changed = [*same[1:], Key("fault", "web", "web[0]", "", 503, "abort")]
    assert differences(replay, Sent(counted(changed))) == [
        "web: abort: 0 then, 1 now",
        f"web: no response, by a policy: {cut} then, {cut - 1} now",
    ]
    assert "429   policy busy " in next(outcome_lines(counted(same[-1:])))


def test_whom_a_policy_meets_by_its_order_is_not_computed(tmp_path: Path) -> None:
    first = f"---\n{policy('{sequence: {first: 3}}', name='first')}"
    replay = plan_replay(journal(tmp_path, abort=0, policies=first), Choice())
    assert (replay.uncomputed, replay.requests) == (["first"], [])


def counted(keys: Iterable[Key]) -> Digest:
    digest = Digest()
    for key in keys:
        digest.add(key, 1000)
    return digest


def test_the_requests_of_an_application_are_those_whose_calls_the_gateway_noted(tmp_path: Path) -> None:
    """Under the user's id, in the phase in which it was sent; a call that nobody of ours sent is left out."""
    rows = [
        {"id": each, "phase": phase, "rule": "virtualservice/default/web/0", "fault": "abort"}
        for each in first_ids(5, 30)
        for phase in ("before", "fault")
    ]
    replay = plan_replay(
        journal(tmp_path, Faulted(requests=(*rows, rows[0] | {"id": "x"})), load={"tasks": BOTH}), Choice()
    )
    assert sorted(ids(replay)) == sorted(first_ids(5, 30)[10:])
    assert {each.task for each in replay.requests} == {"web", "app"}


def test_a_call_that_was_noted_in_another_phase_is_left_out(tmp_path: Path) -> None:
    """It was in flight when the phase changed; whoever sends it again under these rules would send another request."""
    app = plan_replay(journal(tmp_path, load={"tasks": BOTH}), Choice())
    others = sorted(set(first_ids(5, 30)[10:]) - set(ids(app)))
    rows = [
        {"id": each, "phase": "before", "rule": "virtualservice/default/web/0", "fault": "abort"} for each in others
    ]
    assert others
    replay = plan_replay(journal(tmp_path, Faulted(requests=tuple(rows)), load={"tasks": BOTH}), Choice())
    assert ids(replay) == ids(app)


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    search = {"vary": "web.abort", "from": 0, "to": 9, "hold": "failures < 5%"}
    with pytest.raises(InvalidInput, match="a search has no phases"):
        plan_replay(journal(tmp_path, phases=[], search=search), Choice())
    (tmp_path / "load.py").touch()
    with pytest.raises(InvalidInput, match="came from a locustfile"):
        plan_replay(journal(tmp_path, load={"locustfile": str(tmp_path / "load.py")}), Choice())
    (tmp_path / "journal.jsonl").write_text("")
    with pytest.raises(InvalidInput, match="begins without a plan"):
        plan_replay(tmp_path, Choice())


SETTINGS = [
    (["chaos", "run", "a.yaml"], ()),
    (["chaos", "run", "a.yaml", "--set", "a=1", "--seed", "5", "--set", "b=2"], ("a=1", "b=2")),
    (["chaos", "run", "a.yaml", "--set=a=1", "--set", "b=2"], ("a=1", "b=2")),
]


@pytest.mark.parametrize(("command", "settings"), SETTINGS)
def test_settings_are_those_of_the_runs_command(command: list[str], settings: tuple[str, ...]) -> None:
    assert overrides_of(command) == settings


def came_back(*outcomes: tuple[str, str, int], noted: dict[str, list[str]] | None = None) -> Sent:
    """What was sent, when these came back: (task, fault, how many)."""
    return Sent(digest_of(*(("fault", *each) for each in outcomes)), noted or {})


def test_the_same_faults_again_are_no_difference(tmp_path: Path) -> None:
    assert differences(plan_replay(journal(tmp_path), Choice()), came_back(("web", "abort", 20))) == []


def test_other_faults_are_told_with_their_numbers(tmp_path: Path) -> None:
    sent = came_back(("web", "abort", 12), ("web", "", 8))
    assert differences(plan_replay(journal(tmp_path), Choice()), sent) == [
        "web: no fault: 0 then, 8 now",
        "web: abort: 20 then, 12 now",
    ]


def test_of_an_application_the_gateways_notes_count_and_not_its_answers(tmp_path: Path) -> None:
    rows = [
        {"id": each, "phase": "fault", "rule": "virtualservice/default/web/0", "fault": "abort"}
        for each in first_ids(5, 30)
    ]
    replay = plan_replay(journal(tmp_path, Faulted(requests=tuple(rows)), load={"tasks": BOTH}), Choice(task="app"))
    count = len(replay.requests)
    noted = {each.id: ["abort"] for each in replay.requests}
    assert count > 3
    assert differences(replay, came_back(("app", "", count), noted=noted)) == []
    assert differences(replay, came_back(("app", "", count))) == [
        f"app: no fault: 0 then, {count} now",
        f"app: abort: {count} then, 0 now",
    ]


def test_of_an_application_that_calls_again_every_fault_of_an_id_is_compared(tmp_path: Path) -> None:
    """The first call is delayed, the application gives it up and calls again: then and now, whichever comes first."""
    calls = ("delay", "delay,abort", "delay")
    rows = [
        {"id": each, "phase": "fault", "rule": "virtualservice/default/web/0", "fault": fault}
        for each in first_ids(5, 30)
        for fault in calls
    ]
    run = journal(tmp_path, Faulted(requests=tuple(rows)), load={"tasks": BOTH})
    replay = plan_replay(run, Choice(task="app", fault="abort", limit=1))
    (request,) = replay.requests
    assert request.fault == "delay,abort"
    assert differences(replay, came_back(("app", "", 1), noted={request.id: [*reversed(calls)]})) == []
    assert differences(replay, came_back(("app", "", 1), noted={request.id: ["delay", "abort"]})) == [
        "app: abort: 0 then, 1 now",
        "app: delay: 2 then, 1 now",
        "app: delay,abort: 1 then, 0 now",
    ]


def test_what_came_back_is_a_line_for_each_kind_of_answer() -> None:
    digest = Digest()
    digest.add(Key("", "home", "web[0]", "web:80", 200), 1500)
    digest.add(Key("", "checkout", "web[0]", "", 503, "abort"), 2000)
    digest.add(Key("", "checkout", "", "", 0, error="refused"), 1000)
    assert list(outcome_lines(digest)) == [
        "checkout     refused   -                  1         1.0 ms",
        "checkout         503   abort              1         2.0 ms",
        "home             200   -                  1         1.5 ms",
    ]


def test_a_single_request_is_found_by_its_id_faulted_or_not(tmp_path: Path) -> None:
    """It is sent under the rules of its phase; those of the first phase meet no fault, because there are none."""
    run, sent = journal(tmp_path), first_ids(5, 30)
    for number, (name, fault) in {0: ("before", ""), 9: ("before", ""), 10: ("fault", "abort")}.items():
        replay = plan_replay(run, Choice(id=sent[number]))
        assert [(phase.name, [each.fault for each in found]) for phase, found in replay.wanted] == [(name, [fault])]
        assert ids(replay) == [sent[number]] and replay.requests[0].task == "web"
    assert plan_replay(run, Choice(id="never-sent")).requests == []


def test_the_phase_of_a_kept_request_is_the_one_that_its_response_told(tmp_path: Path) -> None:
    """By the order alone the tenth request would be of the first phase, which it was sent too late for."""
    request = first_ids(5, 10)[9]
    told = Exemplar(request, Key("fault", "web", "web[0]", "", 503, "abort"), 1.0, 1000)
    replay = plan_replay(journal(tmp_path, Exemplars(requests=(told.record(),))), Choice(id=request))
    assert [(phase.name, [each.fault for each in found]) for phase, found in replay.wanted] == [("fault", ["abort"])]


@pytest.mark.parametrize("mark", ["***", "(hidden)"])
def test_hidden_credentials_are_taken_from_the_file_if_it_is_the_same_still(tmp_path: Path, mark: str) -> None:
    """Journals from before have another mark in their place."""
    file, text = tmp_path / "shop.yaml", "headers: {authorization: 'abc', x: kept}\n"
    file.write_text(text)
    kept = {str(file): text.replace("abc", mark)}
    assert _text_of(str(file), kept) == text
    file.write_text(text.replace("kept", "other"))
    with pytest.raises(InvalidInput, match="is not the file of the run any more"):
        _text_of(str(file), kept)
