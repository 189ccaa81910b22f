"""A log that grows, is cut, replaced or comes through a pipe; and one that cannot be followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chaos.errors import InvalidInput
from chaos.runner.outside.log_file import LogFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(b"before\n")
    return path


@pytest.fixture
def followed(path: Path) -> Iterator[LogFile]:
    with closing(LogFile(path)) as followed:
        yield followed


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_whole_lines_come_once_and_those_from_before_not_at_all(path: Path, followed: LogFile) -> None:
    assert list(followed.lines()) == []
    append(path, b"one\ntw")
    assert list(followed.lines()) == [b"one"]
    append(path, b"o\n")
    assert list(followed.lines()) == [b"two"]
    assert list(followed.lines()) == []


def test_a_file_that_is_cut_begins_anew(path: Path, followed: LogFile) -> None:
    path.write_bytes(b"a\n")
    assert list(followed.lines()) == [b"a"]


def test_a_file_that_another_takes_the_place_of_is_read_to_its_end_first(path: Path, followed: LogFile) -> None:
    append(path, b"last\n")
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"first\n")
    assert [*followed.lines(), *followed.lines()] == [b"last", b"first"]


def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with closing(LogFile(pipe)) as followed, pipe.open("wb", buffering=0) as writer:
        writer.write(b"one\ntwo")
        assert list(followed.lines()) == [b"one"]
        assert list(followed.lines()) == []
        writer.write(b"\n")
        assert list(followed.lines()) == [b"two"]


def test_what_cannot_be_followed_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^--access-log: .*nowhere: No such file or directory; let `kubectl logs"):
        LogFile(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="is neither a file nor a pipe"):
        LogFile(tmp_path)
