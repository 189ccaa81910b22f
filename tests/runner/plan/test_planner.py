"""A run is planned from its texts, and everything that is wrong is told before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.experiments import experiment, virtual_service, write
from support.plans import FILE, planned, planned_web, refusals, text_of

from chaos.errors import ExitCode, InvalidInput
from chaos.runner.plan.options import RunOptions
from chaos.runner.plan.phases import Stop
from chaos.runner.plan.planner import plan_run
from chaos.runner.plan.run_plan import RunPlan
from chaos.runner.terminal.result import outcome_of
from chaos.verify.verdict import Verdict

HEAD = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec:\n"
RULES = "---\n" + text_of(virtual_service(abort=10))
WEB = "  services: {web: {builtin: webserver}}\n"
HOLD = "vary: web.abort, from: 0, to: 9, hold: failures < 5%"


# ------------------------------------------------------------------------------------------------ what is refused

REFUSED = [
    ("  phases: [{name: a}, {name: b}, {name: a}]", "4:41: spec.phases[2].name: a second phase called a"),
    (
        f"  phases: [{{name: a}}]\n  search: {{{HOLD}}}",
        "4:3: spec.phases: a search makes its own phases; leave one of the two out",
    ),
    ("  phases: [{name: a, ramp: {vary: shop.abort, from: 0, to: 9}}]", "4:12: spec.phases[0]: no rule of shop has"),
    (  # of two phases whose names begin alike
        "  phases: [{name: a}, {name: ab, ramp: {vary: shop.abort, from: 0, to: 9}}]",
        "4:23: spec.phases[1]: no rule of shop has",
    ),
    ("  verify: {expect: ['fault: failures < 5%']}", "4:21: spec.verify.expect[0]: unknown phase 'fault'"),
    ("  verify: {expect: ['failurs < 5%']}", "4:21: spec.verify.expect[0]: unknown metric 'failurs'; did you mean"),
    ("  safeguards: ['masked(web) > 5%']", "4:16: spec.safeguards[0]: a safeguard cannot use masked"),
    ("  load: {tasks: [{get: http://shop/}]}", "4:18: spec.load.tasks[0]: no rule and no service is called shop"),
    (
        "  load: {locustfile: a.py, tasks: [{get: http://web/}]}",
        "4:28: spec.load.tasks: a locustfile sends its own requests, and these would not be sent",
    ),
    ("  load: {locustfile: /no/such/file.py}", "4:22: spec.load.locustfile: /no/such/file.py: there is no such file"),
    (
        "  verify: {expect: ['checks < 1%']}",
        "4:21: spec.verify.expect[0]: unknown metric 'checks'; did you mean 'checks_",
    ),
    ("  verify: {expect: ['checks_failed < 1%']}", "4:21: spec.verify.expect[0]: no task has `expect`, so nothing is"),
    ("  load: {users: 0}", "4:17: spec.load.users: 0 is less than 1"),
]


@pytest.mark.parametrize(("spec", "problem"), REFUSED)
def test_what_is_wrong_is_told_at_its_line(spec: str, problem: str) -> None:
    (told,) = refusals(f"{HEAD}{spec}\n{WEB}{RULES}")
    assert told.startswith(f"{FILE}:{problem}")


def test_a_rules_host_that_is_no_service_is_told_to_have_its_full_name_alone() -> None:
    """As in a sidecar, where only services have short names; the message said that it was unknown, and known."""
    rules = RULES + "---\n" + text_of(virtual_service("shop"))
    told = " ".join(refusals(f"{HEAD}  load: {{tasks: [{{get: http://shop/}}]}}\n{WEB}{rules}"))
    assert "known only as shop.default.svc.cluster.local" in told


def test_hypotheses_safeguards_and_the_search_are_told_of_at_once() -> None:
    verify = "  verify: {expect: ['failurs < 5%', 'p99 <']}\n  safeguards: ['failurs < 5%']\n"
    search = "  search: {vary: web.abort, from: 0, to: 9, hold: failurs < 5%}\n"
    assert [each.split(": ")[1] for each in refusals(f"{HEAD}{verify}{search}{WEB}{RULES}")] == [
        "spec.verify.expect[0]",
        "spec.verify.expect[1]",
        "spec.safeguards[0]",
        "spec.search.hold",
    ]


WITHOUT_FAULTS = "---\n" + text_of(virtual_service())


@pytest.mark.parametrize("switch", ["on", "off"])
def test_faults_cannot_be_switched_where_no_rule_has_one(switch: str) -> None:
    (told,) = refusals(f"{HEAD}  phases: [{{name: a}}, {{name: b, faults: {switch}}}]\n{WEB}{WITHOUT_FAULTS}")
    said = "there are no faults to switch: no rule has a fault, and there is no policy"
    assert told == f"{FILE}:4:41: spec.phases[1].faults: {said}"


def test_phases_of_rules_without_faults_are_none_to_be_switched() -> None:
    assert len(planned(f"{HEAD}  phases: [{{name: a}}, {{name: b}}]\n{WEB}{WITHOUT_FAULTS}").phases) == 2


def test_a_phase_with_rules_of_its_own_has_its_own_faults_to_switch(tmp_path: Path) -> None:
    write(tmp_path, virtual_service(abort=50), name="faulty.yaml")
    phases = [{"name": "a", "faults": True, "rules": ["faulty.yaml"]}]
    run_plan = plan_run(write(tmp_path, experiment(phases=phases), virtual_service()), RunOptions())
    assert [each.kind for each in run_plan.expected] == ["lost", "failures", "route", "abort"]


NOTHING = [
    (text_of(experiment()), "5:1: spec.load: no request could be derived from the rules; give load.tasks"),
    (text_of(experiment(load={"tasks": [{"get": "http://web/"}]})), None),
    (
        RULES.replace("  hosts:\n  - web\n", ""),
        "6:1: spec: hosts: there are none, so no request reaches these rules",
    ),
]


@pytest.mark.parametrize(("text", "problem"), NOTHING)
def test_a_run_that_would_say_nothing_is_refused(text: str, problem: str | None) -> None:
    """A task to a service that no rule speaks of still shows whether its route is the default's."""
    if problem is None:
        assert [each.kind for each in planned(text).expected] == ["lost", "failures", "route"]
    else:
        assert problem in "\n".join(refusals(text))


# ------------------------------------------------------------------------------------------------ a gateway that runs


GATEWAYS = [
    ("127.0.0.1:80", "'127.0.0.1:80' is not a URL; write it like http://127.0.0.1:15000"),
    ("ftp://127.0.0.1", "is not a URL"),
    ("http://", "is not a URL"),
    ("https://127.0.0.1:80", "https: the lean client speaks plain HTTP; set spec.load.client: locust"),
    ("http://10.1.2.3:80", "10.1.2.3 is not on this machine; name it in spec.allowHosts"),
    ("http://mesh.example.com", "mesh.example.com is not on this machine"),
]


@pytest.mark.parametrize(("url", "words"), GATEWAYS)
def test_only_a_gateway_that_may_be_asked_is_asked(url: str, words: str) -> None:
    (told,) = refusals(f"{HEAD}{WEB}{RULES}", gateway=url)
    assert told.startswith("--gateway:1:1: ") and words in told


@pytest.mark.parametrize(
    ("url", "allowed"),
    [("http://127.0.0.1:80", []), ("http://localhost", []), ("https://mesh.example.com:443", ["*.example.com"])],
)
def test_a_gateway_on_this_machine_or_named_may_be_asked(url: str, allowed: list[str]) -> None:
    load = {"client": "locust"}
    assert planned_web(load=load, allowHosts=allowed, options={"gateway": url}).gateway == url


HTTPS = [
    ("load: {tasks: [{get: https://web/}]}", "24: spec.load.tasks[0].get: https: a request through the gateway"),
    ("load: {client: locust, tasks: [{method: PUT, url: https://web/}]}", "53: spec.load.tasks[0].url: https: a req"),
    ("load: {tasks: [{get: HTTPS://127.0.0.1:1/}]}", "18: spec.load.tasks[0]: 'HTTPS://127.0.0.1:1/' is not a"),
    ("load: {tasks: [{get: https://127.0.0.1:1/}]}", "24: spec.load.tasks[0].get: https: the lean client speaks"),
    ("services: {web: {builtin: proxy, url: https://x/}}", "41: spec.services.web.url: https: the built-in proxy"),
]


@pytest.mark.parametrize(("spec", "problem"), HTTPS)
def test_https_is_never_sent_as_plain_http(spec: str, problem: str) -> None:
    services = "" if spec.startswith("services") else WEB
    told = refusals(f"{HEAD}  {spec}\n{services}{RULES}")
    assert told and told[0].startswith(f"{FILE}:4:{problem}"), told


def test_https_to_the_urls_own_address_is_sent_by_locusts_client() -> None:
    load = {"client": "locust", "tasks": [{"get": "https://127.0.0.1:1/"}, {"get": "http://web/"}]}
    assert planned_web(load=load).tasks[0].direct


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ("  phases: [{name: a, faults: off}, {name: b}]", f"{FILE}:4:3: spec.phases"),
        (f"  search: {{{HOLD}}}", f"{FILE}:4:3: spec.search"),
    ],
)
def test_a_gateway_that_runs_already_is_asked_for_no_other_faults(spec: str, place: str) -> None:
    (told,) = refusals(f"{HEAD}{spec}\n{WEB}{RULES}", gateway="http://127.0.0.1:80")
    assert told == f"{place}: a gateway that already runs cannot change its faults; leave this out with --gateway"


def test_a_safeguard_that_could_never_fire_is_refused() -> None:
    (told,) = refusals(f"{HEAD}  safeguards: ['delayed < 5%']\n{WEB}{RULES}", gateway="http://127.0.0.1:80")
    assert told.startswith(f"{FILE}:4:16: spec.safeguards[0]: a safeguard cannot watch this with --gateway")


def test_of_a_gateway_that_says_nothing_only_what_shows_in_answers_is_judged() -> None:
    """There are no tags that say which rule an answer comes from."""
    ours, theirs = planned_web(), planned_web(options={"gateway": "http://127.0.0.1:80"})
    assert {each.kind for each in ours.expected} == {"lost", "failures", "route", "abort"}
    unseen = {each.kind: bool(each.unseen) for each in theirs.expected}
    assert unseen == {"lost": False, "failures": True, "route": True, "abort": False}
    assert all(each.tagged for each in ours.expected) and not any(each.tagged for each in theirs.expected)


def test_what_cannot_be_seen_from_outside_is_said_before_the_run() -> None:
    """Nothing of these rules shows through a gateway that says nothing; each claim is listed as not judged."""
    hosts = [{"destination": {"host": host}, "weight": 50} for host in ("web", "other")]
    rule = virtual_service(route=hosts, retries={"attempts": 2, "retryOn": "5xx"})
    services = {name: {"builtin": "webserver"} for name in ("web", "other")}
    plan = planned(text_of(experiment(services=services), rule), gateway="http://127.0.0.1:80")
    told = [text for level, text in plan.announcements() if level == "info"]
    assert told == [
        "from outside 5 claims cannot be judged: failing by themselves, web[0] takes web[0], web[0] to web, "
        "web[0] to other and web[0] failing after 2 retries"
    ]
    unseen = [each.unseen for each in plan.expected if each.unseen]
    assert len(unseen) == 5 and all("a run without --gateway judges it" in each for each in unseen)


def test_what_an_access_log_shows_is_not_unseen(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.touch()
    hosts = [{"destination": {"host": host}, "weight": 50} for host in ("web", "other")]
    services = {name: {"builtin": "webserver"} for name in ("web", "other")}
    text = text_of(experiment(services=services), virtual_service(route=hosts))
    plan = planned(text, gateway="http://127.0.0.1:80", access_log=log)
    assert {each.kind: bool(each.unseen) for each in plan.expected} == {
        "lost": False, "failures": False, "route": True, "destination": False,
    }  # fmt: skip


LOGS = [
    ("", {"gateway": None}, "--access-log: is that of a gateway that runs already; name it, too: --gateway URL"),
    ("", {"access_log": Path("/no/such/file")}, "--access-log: /no/such/file: No such file or directory; let `kubectl"),
    ("", {"access_log": Path("/")}, "--access-log: /: is neither a file nor a pipe"),
    ("  load: {warmup: 5s}\n", {}, f"{FILE}:4:18: spec.load.warmup: nobody knows which lines of the access log"),
]


@pytest.mark.parametrize(("spec", "options", "told"), LOGS)
def test_an_access_log_that_cannot_be_followed_is_refused(
    spec: str, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.touch()
    given = {"gateway": "http://127.0.0.1:80", "access_log": log, **options}
    (said,) = refusals(f"{HEAD}{spec}{WEB}{RULES}", **given)
    assert said.startswith(told)


def test_that_responses_come_is_not_enough_to_verify() -> None:
    plan = planned(text_of(experiment(), virtual_service()), gateway="http://127.0.0.1:80")
    findings = [replace(each, verdict=Verdict.VERIFIED) for each in plan.judge().findings(None) if each.kind == "lost"]
    findings += [each for each in plan.judge().findings(None) if each.kind == "route"]
    outcome, code, reasons = outcome_of(findings)
    assert (outcome, code) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert len(reasons) == 1 and reasons[0].startswith("Not judged: cannot be seen from outside")


def test_who_judges_failures() -> None:
    """A hypothesis does in the phases that it is about, and nobody when they are allowed."""
    phases = [{"name": "a", "faults": "off"}, {"name": "b"}]

    def judged(**verify: Any) -> list[tuple[bool, bool]]:
        return [(each.own_failures, each.lost) for each in planned_web(phases=phases, verify=verify).effects]

    assert judged() == [(True, True), (True, True)]
    assert judged(expect=["b: failures < 60%"]) == [(True, True), (False, False)]
    assert judged(expect=["errors < 1%"]) == [(True, False), (True, False)]
    assert judged(failures="allow") == [(False, False), (False, False)]


# ------------------------------------------------------------------------------------------------ the requests


def tasks_of(run_plan: RunPlan) -> list[tuple[str, bool]]:
    return [(task.url, task.direct) for task in run_plan.tasks]


def test_without_tasks_each_rule_gets_a_request_of_its_own() -> None:
    canary = {"match": [{"uri": {"prefix": "/canary"}}]}
    rules = virtual_service(abort=10, **canary)
    rules["spec"]["http"].append({"route": [{"destination": {"host": "web"}}]})
    run_plan = planned(text_of(experiment(), rules))
    assert tasks_of(run_plan) == [("http://web/canary", False), ("http://web/", False)]


def test_every_listener_gets_its_requests_unless_the_proxy_has_one_alone() -> None:
    services = {"web:80": {"builtin": "webserver"}, "web:8080": {"builtin": "webserver"}}
    rules = virtual_service(route=[{"destination": {"host": "web", "port": {"number": 80}}}])
    both = planned(text_of(experiment(services=services), rules))
    one = planned(text_of(experiment(services=services, proxy={"port": 8080}), rules))
    assert tasks_of(both) == [("http://web/", False), ("http://web:8080/", False)]
    assert tasks_of(one) == [("http://web/", False)]


APPLICATION: dict[str, Any] = {
    "web": {"builtin": "webserver"},
    "app": {"builtin": "proxy", "url": "http://web/"},
    "lo": {"endpoints": [{"address": "127.0.0.1:9001"}]},
}
DIRECTED = [
    ("http://web/", [], False),  # a service behind the gateway
    ("http://app/", [], True),  # an application under test: its own calls go through the gateway
    ("http://app.default.svc.cluster.local/", [], True),
    ("http://127.0.0.1:9001/", [], True),  # an address on this machine
    ("http://localhost:9001/", [], True),
    ("http://shop.example.com/", ["*.example.com"], True),  # beyond this machine, and allowed by name
    ("http://lo/", ["lo"], False),  # a service stays one, whatever may be reached beyond this machine
]


def test_what_no_response_of_an_application_says_is_not_judged_and_no_safeguard_watches_it() -> None:
    load = {"client": "locust", "tasks": [{"name": "shop", "get": "http://127.0.0.1:1/"}]}
    found = planned_web(load=load, verify={"expect": ["aborted < 50%"]}).judge().findings(None)
    assert [each.verdict for each in found if each.title == "aborted < 50%"] == [Verdict.NOT_JUDGED]
    with pytest.raises(InvalidInput, match="cannot be seen: requests of shop go to an application"):
        planned_web(load=load, safeguards=[{"hold": "aborted < 50%", "for": "3s"}])


@pytest.mark.parametrize(("url", "allowed", "direct"), DIRECTED)
def test_applications_and_hosts_outside_the_mesh_are_reached_directly_services_through_the_gateway(
    url: str, allowed: list[str], direct: bool
) -> None:
    load = {"tasks": [{"get": url}, {"get": "http://web/"}]}
    run_plan = planned_web(services=APPLICATION, load=load, allowHosts=allowed)
    assert tasks_of(run_plan)[0] == (url, direct)


def test_an_application_that_a_rule_speaks_of_is_reached_through_the_gateway() -> None:
    text = text_of(
        experiment(services=APPLICATION, load={"tasks": [{"get": "http://app/"}]}), virtual_service("app", abort=10)
    )
    assert tasks_of(planned(text)) == [("http://app/", False)]


# ------------------------------------------------------------------------------------------------ what is settled


def test_the_seed_is_the_options_the_experiments_or_a_new_one() -> None:
    assert planned_web(seed=5).seed == 5
    assert planned_web(seed=5, options={"seed": 0}).seed == 0
    first, second = planned_web().seed, planned_web().seed
    assert first != second and 0 <= first < 2**48


def test_each_phase_has_expectations_of_its_own() -> None:
    phases = [
        {"name": "before", "faults": False},
        {"name": "up", "ramp": {"vary": "web.abort", "from": 10, "to": 20, "steps": 2}},
    ]
    run_plan = planned_web(phases=phases)
    aborts = [(each.phase, each.title, each.share) for each in run_plan.expected if each.kind == "abort"]
    assert aborts == [
        ("before", "no abort", 0.0),
        ("up-10", "abort 503", 0.1),
        ("up-20", "abort 503", 0.2),
    ]
    assert len({each.id for each in run_plan.expected}) == len(run_plan.expected)


def test_a_search_expects_nothing_but_its_hypothesis() -> None:
    run_plan = planned_web(search={"vary": "web.abort", "from": 0, "to": 9, "hold": "failures < 5%"})
    assert (run_plan.expected, run_plan.silent, run_plan.hypotheses) == ((), (), ())
    assert run_plan.search is not None and run_plan.search.hold.text == "failures < 5%"


def test_hypotheses_and_safeguards_may_speak_of_tasks_phases_and_hosts() -> None:
    run_plan = planned_web(
        phases=[{"name": "before", "faults": False}, {"name": "fault"}],
        load={"tasks": [{"get": "http://web/", "name": "home"}]},
        verify={"expect": ["fault: home.p99 < 2 * before.home.p99"]},
        safeguards=[{"hold": "home.failures < 90%", "for": "3s"}],
    )
    (hypothesis,) = run_plan.hypotheses
    (safeguard,) = run_plan.safeguards
    assert (hypothesis.left.phase, hypothesis.right and hypothesis.right.phase) == ("fault", "before")
    assert safeguard.hold_for == 3.0


def test_warnings_and_remarks_on_the_rules_are_kept_and_errors_end_the_plan() -> None:
    shadowed = virtual_service()
    shadowed["spec"]["http"].append({"route": [{"destination": {"host": "web"}}], "name": "never"})
    run_plan = planned(text_of(experiment(verify={"unreached": "allow"}), shadowed))
    assert {note.severity for note in run_plan.notes} <= {"warning", "info"}
    assert any(note.code == "IST0130" for note in run_plan.notes)


def test_a_locustfile_is_beside_the_experiment(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text("")
    file = tmp_path / "t.yaml"
    file.write_text(f"{HEAD}  load: {{locustfile: users.py}}\n{WEB}{RULES}")
    planned = plan_run(str(file), RunOptions())
    assert planned.load.locustfile == str(tmp_path / "users.py")


LOADS = [
    ("{arrivals: poisson}", "4:3: spec.load: arrivals: poisson needs arrivalRate, the requests per second"),
    ("{arrivals: uniform}", '4:20: spec.load.arrivals: "uniform" is not known; expected even or poisson'),
    ("{keepAlive: false, locustfile: x.py}", "4:3: spec.load: keepAlive is for tasks"),
    ("{users: 5, stages: [{duration: 1s, users: 2}]}", "4:3: spec.load: stages and users exclude each other"),
    ("{spawnRate: 5, stages: [{duration: 1s, users: 2}]}", "4:3: spec.load: stages and spawnRate exclude each"),
    ("{arrivalRate: 5, stages: [{duration: 1s, users: 2}]}", "4:3: spec.load: stages cannot be used with arrivalRate"),
    ("{stages: [{duration: 1s, users: 0}]}", "4:41: spec.load.stages[0].users: 0 is less than 1"),
    ("{stages: [{users: 1}]}", "4:19: spec.load.stages[0].duration: required, but missing"),
    ("{stages: 5}", "4:18: spec.load.stages: expected a list, not 5"),
]


@pytest.mark.parametrize(("load", "problem"), LOADS)
def test_a_load_that_does_not_fit_together_is_refused(load: str, problem: str) -> None:
    told = refusals(f"{HEAD}  load: {load}\n{WEB}{RULES}")
    assert [each for each in told if each.startswith(f"{FILE}:{problem}")], told


def test_the_load_is_told_of_arrivals_and_connections() -> None:
    load = {"arrivalRate": 50, "arrivals": "poisson", "keepAlive": False}
    told = planned_web(load=load).plan_record("x").load
    assert (told["arrival_rate"], told["arrivals"], told["keep_alive"]) == (50.0, "poisson", False)


def test_a_run_lasts_as_long_as_its_stages_unless_something_else_says_when() -> None:
    stages = [{"duration": "20s", "users": 10}, {"duration": "40s", "users": 30, "spawnRate": 5}]
    run_plan = planned_web(load={"stages": stages})
    assert (run_plan.phases[0].stop, run_plan.load.users) == (Stop(False, 60.0), 30)
    assert run_plan.plan_record("x").load["stages"] == [(20.0, 10, 100.0), (40.0, 30, 5.0)]
    assert planned_web(load={"stages": stages, "until": "decided"}).phases[0].stop == Stop(True, 60.0)
    assert planned_web(load={"stages": stages, "duration": "5s"}).phases[0].stop == Stop(False, 5.0)
    phases = [{"name": "a", "duration": "5s"}, {"name": "b"}]
    assert [each.stop.duration for each in planned_web(load={"stages": stages}, phases=phases).phases] == [5.0, 60.0]
