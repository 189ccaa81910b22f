"""A file is read once: what a run judges by is what its gateway serves, whatever becomes of the file meanwhile."""

from __future__ import annotations

import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest
from support.experiments import experiment, run, virtual_service, write

from chaos.experiment.read import read_experiment
from chaos.mesh.compile.rules import Rules
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.gateway_rules import GatewayRules, gateway_plan
from chaos.testing import Chaos
from chaos.units import Percent
from chaos.verify.verdict import Verdict

# Stands where the gateway is started: changes the files first, and then becomes the gateway that was meant.
MEDDLER = """
    import os, pathlib, sys

    for name in sys.argv[1:]:
        file = pathlib.Path(name)
        file.write_text(file.read_text().replace("value: 50", "value: 5"))
    os.execv(sys.executable, [sys.executable, "-m", "chaos.runner.gateway"])
"""


@pytest.mark.slow
def test_a_file_that_changes_while_the_gateway_starts_changes_nothing(tmp_path: Path) -> None:
    """Both the experiment's own file and one that it names in spec.resources; 5 % would be falsified at once."""
    (tmp_path / "meddler.py").write_text(textwrap.dedent(MEDDLER))
    rules = write(tmp_path, virtual_service(host="web", abort=50), name="rules.yaml")
    own = virtual_service(host="shop", abort=50)
    services = {"web": {"builtin": "webserver"}, "shop": {"builtin": "webserver"}}
    load = {"requests": 2000, "tasks": [{"get": "http://web/"}, {"get": "http://shop/"}]}
    spec = experiment(services=services, load=load, resources=["rules.yaml"], seed=4, verify={"tolerance": 20})
    file = write(tmp_path, spec, own)
    result = run(file, tmp_path, program=(sys.executable, str(tmp_path / "meddler.py"), file, rules))
    assert "value: 5\n" in Path(file).read_text() and "value: 5\n" in Path(rules).read_text()
    aborts = [finding for finding in result.findings if finding.kind == "abort"]
    assert [each.verdict for each in aborts] == [Verdict.VERIFIED] * 2
    assert all(each.drawn is not None and 0.4 < each.drawn.share < 0.6 for each in aborts)


def test_a_plan_arrives_as_it_was_sent() -> None:
    plan = GatewayPlan(
        ("a.yaml", "b.yaml"),
        {"a.yaml": "x: größer\n", "b.yaml": ""},
        ("spec.load.users=5",),
        {"web/v1": ("127.0.0.1", 4711)},
        watched=("b.yaml",),
        admin_token="s3cret",
        workers=2,
        seed=2**47,
        tags=False,
    )
    line = plan.line()
    assert "\n" not in line
    assert GatewayPlan.of(line) == plan


@pytest.mark.parametrize("line", ["", "{}", "[]", "3", '{"files": [], "texts": {}, "nonsense": 1}'])
def test_what_is_no_plan_is_refused(line: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        GatewayPlan.of(line)


@pytest.mark.parametrize(("watch", "percent"), [(False, 50), (True, 5)])
def test_only_watched_files_are_read_again(watch: bool, percent: int, tmp_path: Path) -> None:
    own = write(tmp_path, experiment(resources=["rules.yaml"]), name="own.yaml")
    rules = Path(write(tmp_path, virtual_service(abort=50), name="rules.yaml"))
    prepared = prepare([own]).require()
    gateway = GatewayRules(gateway_plan(prepared, watched=prepared.reading.texts if watch else ()))
    rules.write_text(rules.read_text().replace("value: 50", "value: 5"))
    assert abort_of(gateway.compiled()) == Percent.of(50)
    assert abort_of(gateway.reload()) == Percent.of(percent)


def abort_of(rules: Rules) -> Percent:
    (found,) = (fault for info in rules.rules for fault in info.faults)
    return found.percent


def test_the_documents_in_force_are_those_of_the_plan(tmp_path: Path) -> None:
    """`GET /rules?format=yaml` of a gateway whose file has changed since."""
    chaos = Chaos(tmp_path)
    file = Path(write(tmp_path, experiment(), virtual_service(abort=50)))
    with chaos.rules(file) as gateway:
        file.write_text("changed: since\n")
        with urllib.request.urlopen(f"{gateway._admin.url}/rules?format=yaml") as answer:
            text = answer.read().decode()
    (service,) = read_experiment([("rules", text)]).resources.virtual_services
    assert service.spec.hosts == ("web",)
