"""The library as a program uses it: the names of docs/api.md, with real gateways, loads and journals."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.experiments import alive, descendants, experiment, virtual_service, write
from support.goldens import assert_golden

import chaos

ROOT = Path(__file__).parents[1]
ABORT50 = ROOT / "experiments" / "abort50.yaml"
FEW = {"requests": 300, "users": 4}


# ---------------------------------------------------------------------------------------------- the names


def test_importing_the_package_imports_nothing() -> None:
    """What it is made of comes when a name is asked for."""
    program = (
        "import importlib, sys, typing; before = set(sys.modules); import chaos; "
        "print(sorted(set(sys.modules) - before)); chaos.FixedDraws; print('pydantic' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["['chaos', 'chaos.version']", "False"]


def test_every_name_is_there_and_no_other() -> None:
    assert set(chaos.__all__) <= set(dir(chaos))
    assert all(getattr(chaos, name) is not None for name in chaos.__all__)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        chaos.runn  # type: ignore[attr-defined]  # noqa: B018


def test_type_checkers_are_told_the_same_names_from_the_same_places() -> None:
    tree = ast.parse(Path(chaos.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == {**chaos._HOMES, "testing": "chaos"}
    assert sorted(chaos.__all__) == sorted([*told, "__version__"])


def test_the_page_is_made_of_the_docstrings_and_signatures_change_on_purpose() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
    assert_golden(ROOT / "docs" / "api.md", made["page"]())
    assert_golden(Path(__file__).with_name("api_signatures.txt"), made["signatures"]())


# ---------------------------------------------------------------------------------------------- rules


def test_rules_decide_single_requests(tmp_path: Path) -> None:
    rules = chaos.load_rules(write(tmp_path, virtual_service("reviews", abort=50)))
    asked = chaos.Request.parse("GET http://reviews/")
    aborted = rules.decide(asked, chaos.FixedDraws(abort=0.1))
    assert (aborted.status, aborted.destination, aborted.delay) == (503, "", 0.0)
    spared = rules.decide(asked, chaos.FixedDraws(abort=0.5))
    assert (spared.status, spared.destination) == (None, "reviews.default.svc.cluster.local:80")
    assert "reviews" in rules.hosts


def test_rules_may_be_a_text_and_explain_themselves() -> None:
    rules = chaos.Rules.parse((ROOT / "experiments" / "match.yaml").read_text())
    explained = chaos.explain(rules, "GET http://webserver/", {"end-user": "jason"})
    assert "jason-by-header match[0]: takes it" in str(explained)
    assert explained.to_dict()["rule"]["name"] == "jason-by-header"
    assert str(chaos.explain(rules, chaos.Request.parse("webserver/", ["end-user: jason"]))) == str(explained)


def problems_of(folder: Path) -> str:
    """A file with two mistakes."""
    rule = virtual_service(abort=120)
    rule["spec"]["http"][0]["fault"]["abort"]["httpStatus"] = 42
    return write(folder, rule, name="wrong.yaml")


def test_everything_wrong_is_told_at_once_with_its_line_and_column(tmp_path: Path) -> None:
    file = problems_of(tmp_path)
    for call in (chaos.load_rules, chaos.load_experiment, chaos.run):
        with pytest.raises(chaos.InvalidInput) as refused:
            call(file)
        problems = refused.value.problems
        assert len(problems) == 2
        assert all(each.location.file == file and each.location.line > 1 < each.location.column for each in problems)
        assert set(problems) <= set(chaos.validate(file))


def test_what_cannot_be_read_is_invalid_input(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    for call in (chaos.load_rules, chaos.load_experiment, chaos.run, chaos.read_run):
        with pytest.raises(chaos.InvalidInput, match="there is no such"):
            call(missing)
        with pytest.raises(chaos.InvalidInput, match="folder"):
            call(tmp_path)
    (problem,) = chaos.validate(missing)
    assert (problem.location, problem.severity) == (chaos.Location(str(missing)), "error")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "-1 is less than 0"),
        ({"workers": 0}, "0 is less than 1"),
        ({"gateway": "nowhere"}, "is not a URL"),
        ({"gateway": "http://example.com"}, "not on this machine"),
    ],
)
def test_an_argument_that_does_not_fit_is_invalid_input(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(chaos.InvalidInput, match=message):
        chaos.run(ABORT50, out=tmp_path, **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------- experiments


def test_a_forecast_is_typed_and_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    from chaos.cli.commands import call

    forecast = chaos.load_experiment(ABORT50).forecast()
    (rule,) = forecast.rules
    (fault,) = rule.faults
    assert (fault.kind, fault.share, fault.parameters["status"], rule.tasks) == ("abort", 0.5, 400, ("GET /",))
    assert all(claim.median is not None and claim.median > 500 for claim in forecast.claims)
    assert call(["plan", "--no-probe", str(ABORT50)]) == 0
    assert capsys.readouterr().out == f"{forecast}\n"
    assert call(["plan", "--no-probe", str(ABORT50), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(forecast.to_dict()))


def test_overrides_are_laid_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load=FEW), virtual_service(abort=50))
    found = chaos.load_experiment(file, overrides={"spec.seed": 7, "metadata.name": "other"})
    assert (found.seed, found.name) == (7, "other")
    for wrong in ({"spec.sed": 7}, {"seed": 7}, {"spec.seed": "seven"}, {"spec.seed": object()}):
        with pytest.raises(chaos.InvalidInput):
            chaos.load_experiment(file, overrides=wrong)


# ---------------------------------------------------------------------------------------------- runs


def test_a_run_blocks_until_its_verdict_and_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load = {"requests": 7500, "users": 4}
    file = write(tmp_path, experiment(load=load, verify={"tolerance": 20}), virtual_service(abort=50))
    read = chaos.load_experiment(file, overrides={"spec.seed": 7})
    Path(file).unlink()  # what was read is what is run
    result = chaos.run(read, out=tmp_path / "reports")
    assert result.verdict is chaos.Verdict.VERIFIED, result.summary()
    assert (result.name, result.seed, result.requests, result.exit_code) == ("case", 7, 7500, 0)
    assert result.report is not None and result.summary().endswith(f"report: {result.report}")
    assert capfd.readouterr() == ("", "")
    assert not descendants(os.getpid())
    again = chaos.read_run(tmp_path / "reports" / "case" / "latest")
    assert (again.folder, again.findings) == (result.folder, result.findings)
    assert json.loads((result.folder / "result.json").read_text()) == json.loads(json.dumps(again.to_dict()))
    assert again.to_dict()["command"] == ["chaos", "run", file, "--set", "spec.seed=7"]


@pytest.mark.slow
async def test_where_a_loop_runs_a_run_is_awaited(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load=FEW), virtual_service(abort=0))
    with pytest.raises(RuntimeError, match="run_async"):
        chaos.run(file, out=tmp_path)
    result = await chaos.run_async(file, out=tmp_path, report=False, seed=3)
    assert (result.requests, result.seed, result.report) == (300, 3, None)


@pytest.mark.slow
def test_a_run_in_a_thread(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load=FEW), virtual_service(abort=50))
    found: list[chaos.Result] = []
    thread = threading.Thread(target=lambda: found.append(chaos.run(file, out=tmp_path, report=False)))
    thread.start()
    thread.join()
    assert (found[0].requests, found[0].verdict) == (300, chaos.Verdict.INCONCLUSIVE)


@pytest.mark.slow
def test_events_are_told_to_whoever_asks(tmp_path: Path) -> None:
    phases = [{"name": name, "requests": 50, "faults": name == "fault"} for name in ("before", "fault")]
    file = write(tmp_path, experiment(phases=phases), virtual_service(abort=50))
    told: list[tuple[str, str]] = []
    result = chaos.run(file, out=tmp_path, report=False, on_event=lambda level, text: told.append((level, text)))
    assert [span.name for span in result.phases] == ["before", "fault"]
    assert told == [(event.level, event.text) for event in result.recorded.events]


@contextmanager
def waiting_upstream() -> Iterator[tuple[str, socket.socket]]:
    """A gateway of others that takes connections and never answers: its URL, and where to wait for the first."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.settimeout(60)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", listening


def first_request(listening: socket.socket) -> None:
    """Return when one has arrived; the connection that only tries whether anybody listens brings none."""
    while True:
        connection, _ = listening.accept()
        with connection:
            if connection.recv(1):
                return


async def test_a_run_that_is_cancelled_leaves_a_journal_and_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path, experiment(load={"users": 4}), virtual_service(abort=50))
    with waiting_upstream() as (url, listening):
        running = asyncio.ensure_future(chaos.run_async(file, out=tmp_path / "reports", gateway=url))
        await asyncio.to_thread(first_request, listening)
        children = descendants(os.getpid())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert children and not [pid for pid in children if alive(pid)]
    assert len(asyncio.all_tasks()) == 1
    result = chaos.read_run(tmp_path / "reports" / "case")
    assert (result.outcome, result.verdict, result.reasons) == ("interrupted", None, ("the run was cancelled",))


SCRIPT = """
import sys, chaos
try:
    chaos.run(sys.argv[1], out=sys.argv[2], gateway=sys.argv[3], report=False)
except KeyboardInterrupt:
    print(chaos.read_run(sys.argv[2] + "/case/latest").outcome)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "said", "code"), [(signal.SIGINT, "interrupted\n", 0), (signal.SIGTERM, "", -15)])
def test_a_signal_ends_the_run_in_good_order_and_is_passed_on(
    tmp_path: Path, number: int, said: str, code: int
) -> None:
    file = write(tmp_path, experiment(load={"users": 4}), virtual_service(abort=50))
    with waiting_upstream() as (url, listening):
        command = [sys.executable, "-c", SCRIPT, file, str(tmp_path), url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as script:
            first_request(listening)
            script.send_signal(number)
            listening.close()  # nobody has to wait for answers that will not come
            assert script.communicate(timeout=60)[0] == said
    assert script.returncode == code
    assert chaos.read_run(tmp_path / "case").outcome == "interrupted"


# ---------------------------------------------------------------------------------------------- a gateway in a test


def test_a_gateway_for_a_block_and_a_verdict_on_it() -> None:
    rules = chaos.load_rules(ABORT50)
    with chaos.testing.gateway(rules, seed=5) as gateway:
        connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=10)
        for _ in range(400):
            connection.request("GET", "/", headers={"Host": "webserver"})
            response = gateway.record(connection.getresponse())
            response.read()
        connection.close()
    findings = gateway.verify("failures < 70%", tolerance=15)
    assert {finding.kind for finding in findings} >= {"abort", "hypothesis"}
    with pytest.raises(chaos.testing.VerdictError) as failed:
        gateway.verify("failures < 20%", tolerance=15)
    assert chaos.Verdict.FALSIFIED in [finding.verdict for finding in failed.value.findings]
    with pytest.raises(chaos.InvalidInput):
        gateway.verify("failures <")
