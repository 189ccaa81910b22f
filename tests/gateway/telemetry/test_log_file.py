"""The file of an access log: whole lines, whatever happens to the disk, the reader, the file."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from support.processes import wait_for
from support.serving import serving

from chaos.cli.commands import call
from chaos.errors import InvalidInput
from chaos.gateway.telemetry.log_file import LogFile, LogWriter, check
from chaos.gateway.telemetry.sampling import Sample

LINE = b"x" * 99 + b"\n"


def test_lines_of_several_writers_to_one_pipe_stay_whole() -> None:
    """Each writes far more at once than a pipe takes in one piece."""
    reader, writer = os.pipe()
    first = LogFile.opened(writer)
    children = []
    for number in range(2):
        if not (pid := os.fork()):
            letter = b"%d" % number
            own = LogWriter(first)
            for _ in range(20):
                own.write((letter * 99 + b"\n") * 200)
            own.close()
            os._exit(0)
        children.append(pid)
    os.close(writer)
    with os.fdopen(reader, "rb") as lines:
        counts = Counter(lines)
    for pid in children:
        os.waitpid(pid, 0)
    assert counts == {b"0" * 99 + b"\n": 4000, b"1" * 99 + b"\n": 4000}


def test_a_full_disk_is_one_warning(capfd: pytest.CaptureFixture[str]) -> None:
    log = LogWriter(LogFile.opened("/dev/full"))
    for _ in range(3):
        log.write(LINE)
    log.close()
    warned = capfd.readouterr().err
    assert warned == "the access log /dev/full loses lines: No space left on device; requests go on\n"


def test_a_closed_pipe_is_one_warning(capfd: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    log = LogWriter(LogFile.opened(writer))
    os.close(reader)
    for _ in range(3):
        log.write(LINE)
    log.close()
    assert capfd.readouterr().err == "the access log on stdout loses lines: Broken pipe; requests go on\n"


def test_a_reader_that_takes_nothing_holds_nothing_up(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.gateway.telemetry.log_file.LAST_SECONDS", 0.05)
    reader, writer = os.pipe()
    log = LogWriter(LogFile.opened(writer))
    for _ in range(40):
        log.write(LINE * 10_000)
    log.close()
    assert "its reader is too slow" in capfd.readouterr().err
    os.close(reader)


def test_after_reopening_lines_go_to_what_is_at_the_path(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    log = LogWriter(LogFile.opened(str(file)))
    log.write(b"old\n")
    assert log.reopen().result() == ""  # the same file: nothing is lost
    file.rename(tmp_path / "access.log.1")
    log.write(b"still old\n")
    assert log.reopen().result() == ""
    log.write(b"new\n")
    log.close()
    assert ((tmp_path / "access.log.1").read_text(), file.read_text()) == ("old\nstill old\n", "new\n")


def test_a_path_that_cannot_be_opened_again_leaves_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogWriter(LogFile.opened(str(folder / "access.log")))
    folder.rename(tmp_path / "moved")
    assert "cannot be opened again: No such file or directory; the old file goes on" in log.reopen().result()
    log.write(b"kept\n")
    log.close()
    assert (tmp_path / "moved" / "access.log").read_text() == "kept\n"


def test_no_place_for_a_log_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^--access-log: .*: is a directory; name a file in it, or - for stdout$"):
        check(str(tmp_path))
    with pytest.raises(InvalidInput, match=r"there is no directory .*/none$"):
        check(str(tmp_path / "none" / "access.log"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidInput, match="nobody reads this pipe"):
        LogFile.opened(str(pipe))


@pytest.mark.parametrize(
    ("percent", "sample"),
    [
        (100, None),
        (10, Sample(10, 100)),
        (12.34, Sample(1234, 10_000)),
        (0.0001, Sample(1, 1_000_000)),
        (0, Sample(0, 100)),
    ],
)
def test_a_percentage_is_said_as_envoy_says_it(percent: float, sample: Sample | None) -> None:
    assert Sample.of(percent) == sample


def test_any_id_is_in_the_sample_or_not() -> None:
    ids = [b"%08x-0000" % (number * 7919) for number in range(1000)] + [b"order-%d" % number for number in range(1000)]
    half = Sample(50, 100)
    assert 400 < sum(map(half.takes, ids[:1000])) < 600 and 400 < sum(map(half.takes, ids[1000:])) < 600


def test_workers_share_a_file_and_a_signal_opens_it_again(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with serving(tmp_path, "--access-log", str(file), "--workers", "2", "--no-watch") as running:
        for _ in range(20):
            running.get()
        wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") == 20, 10, "the lines")
        file.rename(tmp_path / "access.log.1")
        running.process.send_signal(signal.SIGUSR1)
        wait_for(file.exists, 10, "the new file")
        running.get()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["response_flags"] for line in lines] == ["URX,UF"]
    assert len((tmp_path / "access.log.1").read_text().splitlines()) == 20


def test_a_directory_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["gateway", "case.yaml", "--access-log", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and "is a directory" in said.err
