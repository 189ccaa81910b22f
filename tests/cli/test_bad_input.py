"""Bad input: a line that says where and what, the right exit code, and never a traceback."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import EXPERIMENTS, chaos

from chaos.cli.commands import call

SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - route:
    - destination: {host: web}
"""


def experiment(spec: str) -> str:
    return f"apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {spec}\n---\n{SERVICE}"


BOMB = "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdef", "bcdefg", strict=True)
)

BAD = {
    "empty": (b"", ":1:1: the file is empty"),
    "not yaml": (b"a: [1,\nb: }", ":2:4: not YAML"),
    "binary": (random.Random(1).randbytes(3000) + b"\0", ":1:1: is a binary file"),
    "10 MB": (b"a" * 10_000_000, "is larger than 1 MB"),
    "alias bomb": (b"a: &a [x, x, x, x, x, x, x, x, x]\n" + BOMB.encode(), "once aliases are expanded"),
    "without hosts": (SERVICE.replace("hosts: [web]", "gateways: [x]").encode(), ":5:3: spec.gateways"),
    "misspelt key": (SERVICE.replace("hosts", "hots").encode(), "did you mean `hosts`?"),
    "percentage": (
        SERVICE.replace("- route", "- fault: {abort: {httpStatus: 400, percentage: {value: 120}}}\n    route").encode(),
        ":7:58: spec.http[0].fault.abort.percentage.value: 120",
    ),
    "unknown destination": (
        experiment("{services: {other: {builtin: webserver}}}").encode(),
        "no service web is known",
    ),
    "no rule": (
        experiment("{load: {tasks: [{get: 'http://elsewhere/'}]}}").encode(),
        "no rule and no service is called",
    ),
    "beyond loopback": (
        experiment("{services: {web: {endpoints: [{address: 192.0.2.1:80}]}}}").encode(),
        "192.0.2.1 is not on this machine",
    ),
    "a redirect that Envoy has not": (
        (SERVICE.partition("  - route")[0] + "  - redirect: {uri: /x, redirectCode: 305}\n").encode(),
        "spec.http[0].redirect.redirectCode: Envoy has no redirect 305",
    ),
    "same name twice": (f"{SERVICE}---\n{SERVICE}".encode(), "a second VirtualService default/web"),
    "duplicate key": (experiment("{services: {}, services: {}}").encode(), "the key appears twice"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_not_planned(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, expected = BAD[name]
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    assert call(["plan", str(file)]) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert f"{file}:" in said


def test_what_cannot_be_planned_is_refused_by_a_run_before_anything_starts(tmp_path: Path) -> None:
    """A run is planned as `chaos plan` plans it; the others on the command line are told of all the same."""
    files = {name: tmp_path / f"{name.replace(' ', '-')}.yaml" for name in ("not yaml", "unknown destination")}
    for name, file in files.items():
        file.write_bytes(BAD[name][0])
    ended = chaos("run", *files.values(), "--out", tmp_path / "reports")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    for name, file in files.items():
        assert f"{file}:" in said and BAD[name][1] in said
    assert "Traceback" not in said
    assert not (tmp_path / "reports").exists()


def test_validate_says_the_same_of_each_file(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name.replace(' ', '-')}.yaml" for name in BAD}
    for name, file in files.items():
        file.write_bytes(BAD[name][0])
    ended = chaos("validate", *files.values())
    assert ended.returncode == 2
    lines = ended.stdout.replace(": error: ", ": ").splitlines()
    for name, file in files.items():
        assert [line for line in lines if line.startswith(f"{file}:") and BAD[name][1] in line], (name, lines)


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", str(tmp_path / "missing.yaml")]) == 2
    assert capsys.readouterr().err == f"{tmp_path}/missing.yaml:1:1: there is no such file\n"


NO_FILES = [
    ("pipe", "is a pipe that nobody writes to"),
    ("socket", "is a device or a socket, not a file"),
    ("/dev/zero", "is a device or a socket, not a file"),
    ("/dev/null", "is a device or a socket, not a file"),
    (".", "is a folder; name the file in it"),
    ("a\0b", "is not the name of a file"),
    ("huge", "is larger than 1 MB"),
]
RUN = pytest.param(["run"], marks=pytest.mark.representative)
READERS = [RUN, ["validate"], ["plan"], ["gateway"], ["export", "envoy"], ["explain"], ["demo", "--rules"]]
MOMENT = 15.0  # seconds; half of what a pipe's writer may take


@pytest.fixture
def odd_files(tmp_path: Path) -> Iterator[Path]:
    """A folder with a pipe that nobody writes to, a socket, and a file of a terabyte."""
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(10**12)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        yield tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_no_command_waits_for_a_pipe_that_nobody_writes_to(command: list[str], odd_files: Path) -> None:
    path = odd_files / "pipe"
    request = ["http://web/"] if command == ["explain"] else []
    ended = chaos(*command, path, *request, timeout=MOMENT)
    (line,) = (ended.stdout + ended.stderr).splitlines()
    assert ended.returncode == 2, line
    assert line.replace("error: ", "").startswith(f"{path}:1:1: is a pipe")


def test_what_is_no_file_is_told_at_once(odd_files: Path) -> None:
    names = {odd_files / name: expected for name, expected in NO_FILES if "\0" not in name}
    ended = chaos("validate", *names, timeout=MOMENT)
    assert ended.returncode == 2, ended.stderr
    said = ended.stdout.splitlines()
    assert len(said) == len(names)
    for line, (path, expected) in zip(said, names.items(), strict=True):
        assert line.startswith(f"{path}:1:1: error: ") and expected in line


@pytest.mark.parametrize("field", ["resources: [{name}]", "phases: [{{name: a, requests: 9, rules: [{name}]}}]"])
def test_what_a_file_names_is_a_file(field: str, odd_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the line that names it, or at its own beginning."""
    file = odd_files / "experiment.yaml"
    for name, expected in NO_FILES:
        file.write_text(experiment(f"{{{field.format(name=json.dumps(name))}}}"))
        code = call(["plan", str(file)])
        (line,) = capsys.readouterr().err.splitlines()
        assert (code, expected in line) == (2, True), line


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", ".", "missing.py"])
def test_a_locustfile_is_a_file(name: str, odd_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = odd_files / "experiment.yaml"
    file.write_text(experiment(f"{{load: {{locustfile: {json.dumps(str(odd_files / name))}}}}}"))
    assert call(["run", str(file), "--out", str(odd_files / "reports")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}:3:27: spec.load.locustfile: {odd_files / name}: ")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_pipe_that_somebody_writes_to_is_read(command: str, tmp_path: Path) -> None:
    """As `chaos validate <(helm template .)` gives."""
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w") as writer:
        writer.write(SERVICE)
    try:
        ended = chaos(command, f"/proc/{os.getpid()}/fd/{ours}", timeout=MOMENT)
    finally:
        os.close(ours)
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stdout + ended.stderr


def test_a_pipe_may_get_its_writer_a_little_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(SERVICE,))  # waits for the reader
    writer.start()
    assert call(["validate", str(tmp_path / "pipe")]) == 0
    writer.join(MOMENT)
    assert not writer.is_alive()


def delegated(http: str) -> str:
    """A root whose only rule is a delegate's, which stands in line 14."""
    root = SERVICE.partition("  - route")[0] + "  - delegate: {name: below}\n"
    return f"{root}---\n{SERVICE.partition('  hosts')[0].replace('web', 'below')}  http:\n  - {{{http}}}\n"


OWN = SERVICE.partition("  - route")[0] + "  - {%s}\n"
REFUSED_BY_ENVOY = [
    (OWN % "redirect: {uri: /x, redirectCode: 304}", ":7:40: ", "redirectCode: Envoy has no redirect 304"),
    (delegated("redirect: {uri: /x, redirectCode: 399}"), ":14:40: ", "redirectCode: Envoy has no redirect 399"),
    (OWN % "directResponse: {status: 600}", ":7:31: ", "status: Envoy has no status 600"),
    (delegated("directResponse: {status: 600}"), ":14:31: ", "status: Envoy has no status 600"),
]


@pytest.mark.parametrize(("text", "where", "expected"), REFUSED_BY_ENVOY)
@pytest.mark.parametrize("command", ["validate", "plan", "run", "gateway", "explain", "export"])
def test_what_envoy_would_refuse_starts_nothing(
    command: str, text: str, where: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Istio's admission accepts it, and Envoy then refuses the rules of every host of the listener."""
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    before, behind = {"export": (["envoy"], []), "explain": ([], ["http://web/"])}.get(command, ([], []))
    assert call([command, *before, str(file), *behind]) == 2
    said = capsys.readouterr()
    (line,) = [line for line in (said.out + said.err).splitlines() if expected in line]
    assert line.startswith(f"{file}{where}") and "every rule of this listener" in line


def test_the_rules_of_a_phase_are_looked_at_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "phase.yaml").write_text(OWN % "redirect: {uri: /x, redirectCode: 304}")
    file = tmp_path / "phases.yaml"
    file.write_text(experiment("{phases: [{name: a, requests: 10}, {name: b, requests: 10, rules: [phase.yaml]}]}"))
    assert call(["plan", str(file)]) == 2
    assert f"{tmp_path / 'phase.yaml'}:7:40: spec.http[0].redirect.redirectCode: Envoy" in capsys.readouterr().err


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "three.yaml"
    file.write_text(SERVICE.replace("host: web", "host: web, prt: 1") + "    timout: 5s\n    retries: {attempts: -1}\n")
    said = chaos("validate", file).stdout
    assert f"{file}:9:5: error: spec.http[0].timout" in said
    assert "attempts" in said
    assert "prt" in said


@pytest.mark.slow
def test_a_port_in_use_is_the_environments_fault() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = chaos("gateway", EXPERIMENTS / "abort50.yaml", "--listen", address)
    assert ended.returncode == 5
    assert f"cannot listen on {address}" in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_web_ui_whose_port_is_taken_is_told_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = chaos("run", EXPERIMENTS / "abort50.yaml", "--out", tmp_path, "--ui", "--ui-port", str(port))
    assert ended.returncode == 5
    assert f"the load did not start: ui: 127.0.0.1:{port}: Address already in use\n" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("program", ['[sleep, "60"]', '["false"]', "[no-such-program]"])
def test_a_service_that_never_becomes_ready_ends_the_run_with_a_report(program: str, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(experiment(f"{{services: {{web: {{command: {program}, readiness: {{timeout: 1s}}}}}}}}"))
    ended = chaos("run", file, "--out", tmp_path / "reports")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 5, said
    assert "web" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [("run",), ("run", "--bogus", "x"), ("frobnicate",), ("explain", "x.yaml")])
def test_bad_usage_has_its_own_exit_code(arguments: tuple[str, ...]) -> None:
    ended = chaos(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
