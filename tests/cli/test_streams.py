"""Whatever becomes of the terminal, a command's exit code is its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.experiments import experiment, virtual_service, write
from support.processes import EXPERIMENTS, ROOT, chaos

UNDECIDED = ("--seed", "1", "--set", "spec.load.requests=100", "--set", "spec.verify.tolerance=0.5")


def shell(redirection: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A command as a user types it; `{}` stands for it, and its own exit code is what counts."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        script = redirection.format('"$@"') + '\nexit "${PIPESTATUS[0]}"'
        argv = ["bash", "-c", script, "bash", sys.executable, "-m", "chaos", *map(str, arguments)]
        env = {**os.environ, **environment}
        return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)

    return run


STREAMS = {
    "a reader that has seen enough": shell("{} | head -1"),
    "a reader that reads nothing": shell("{} | true"),
    "a full disk": shell("{} > /dev/full"),
    "a closed stdout": shell("{} >&-"),
    "everything closed": shell("{} >&- 2>&- <&-"),
    "a full disk for errors, too": shell("{} > /dev/full 2>&1"),
    "a stdout that is read only": shell("{} 1< /dev/null"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "invalid.yaml").write_text("nonsense: 1\n")
    runs = [folder / "a", folder / "b"]
    for out in runs:
        chaos("run", EXPERIMENTS / "abort50.yaml", "--out", out, *UNDECIDED)
    a, b = (next(out.glob("*/2*/journal.jsonl")).parent for out in runs)
    return {"invalid": folder / "invalid.yaml", "valid": EXPERIMENTS / "abort50.yaml", "a": a, "b": b}


COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {
    "validate, a file that is valid": (("validate", "valid"), 0),
    "validate, one that is not": (("validate", "invalid"), 2),
    "run, a file that is not valid": (("run", "invalid"), 2),
    "plan": (("plan", "--no-probe", "valid"), 0),
    "explain": (("explain", "valid", "GET http://webserver/"), 0),
    "compare": (("compare", "a", "b"), 3),
    "replay": (("replay", "a", "--list"), 0),
    "bad usage": (("frobnicate",), 2),
    "help": (("--help",), 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stream", ["a reader that reads nothing", "a full disk for errors, too", "everything closed"])
def test_a_command_ends_with_its_own_exit_code(command: str, stream: str, files: dict[str, Path]) -> None:
    arguments, code = COMMANDS[command]
    ended = STREAMS[stream](*(files.get(each, each) for each in arguments))
    assert ended.returncode == code, ended
    assert "Traceback" not in ended.stderr


FULL = pytest.param("a full disk for errors, too", marks=pytest.mark.representative)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [FULL, *(each for each in STREAMS if each not in FULL.values)])
def test_a_run_ends_with_the_code_of_its_verdict(stream: str, tmp_path: Path) -> None:
    """3, which no accident gives: too few requests for a verdict."""
    ended = STREAMS[stream]("run", EXPERIMENTS / "abort50.yaml", "--out", tmp_path, "--no-report", *UNDECIDED)
    assert ended.returncode == 3, ended
    assert '"type":"end"' in next(tmp_path.glob("*/*/journal.jsonl")).read_text()


def test_a_verdict_that_could_not_be_printed_is_said_on_stderr() -> None:
    ended = STREAMS["a full disk"]("validate", EXPERIMENTS / "abort50.yaml")
    assert ended.stderr == "chaos: stdout: No space left on device; the output is not complete\n"


@pytest.mark.slow
@pytest.mark.parametrize("document", [("schema",), ("export", "envoy")])
def test_half_a_document_is_a_failure_unless_its_reader_wanted_no_more(
    document: tuple[str, ...], tmp_path: Path
) -> None:
    services = {"web": {"endpoints": [{"address": "127.0.0.1:1"}]}}
    files = [write(tmp_path, experiment(services=services), virtual_service(abort=50))] if "envoy" in document else []
    full = STREAMS["a full disk"](*document, *files)
    assert (full.returncode, full.stderr) == (5, "cannot write the output: No space left on device\n")
    assert STREAMS["a reader that has seen enough"](*document, *files).returncode == 0


def test_characters_that_the_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    rules = virtual_service(abort=50)
    rules["spec"]["http"][0]["name"] = "\u20ac"
    file = write(tmp_path, experiment(), rules)
    ended = shell("{}")("plan", "--no-probe", file, PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert ended.returncode == 0, ended
    assert "\\u20ac" in ended.stdout


@pytest.mark.slow
def test_a_run_writes_to_its_own_folder_and_to_no_temporary_one(tmp_path: Path) -> None:
    """So there need not be one, and none is left behind when the run is killed."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    before = temporary.stat().st_mtime_ns  # changes with every name that comes or goes
    ended = shell("{}")(
        "run", EXPERIMENTS / "abort50.yaml", "--out", tmp_path / "out", *UNDECIDED, TMPDIR=str(temporary)
    )
    assert ended.returncode == 3, ended
    assert temporary.stat().st_mtime_ns == before
