"""Files as text, and in one line what is wrong with those that are none."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from chaos.errors import InvalidInput
from chaos.runner.plan.files import MAX_FILE, beside, decode, read_text, trouble_with_file

TEXTS = [(b"", ""), (b"a: 1\n", "a: 1\n"), (b"\xef\xbb\xbfa: 1", "a: 1"), ("größer".encode(), "größer")]


@pytest.mark.parametrize(("data", "text"), TEXTS)
def test_text_is_utf_8_with_or_without_a_byte_order_mark(data: bytes, text: str) -> None:
    assert decode(data, "a.yaml") == text


NO_TEXTS = [
    (b"a: 1\0", "a.yaml:1:1: is a binary file, not text"),
    (b"\xff", "a.yaml:1:1: is not UTF-8 text (byte 0xff)"),
    (b"a: 1\nbc: \xe4\n", "a.yaml:2:5: is not UTF-8 text (byte 0xe4)"),
    ("größer\n".encode() * 3 + b"\xc3", "a.yaml:4:1: is not UTF-8 text (byte 0xc3)"),
]


@pytest.mark.parametrize(("data", "problem"), NO_TEXTS)
def test_what_is_no_text_is_told_at_its_line(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode(data, "a.yaml")
    assert str(refused.value) == problem


@pytest.mark.parametrize(("size", "refused"), [(MAX_FILE, False), (MAX_FILE + 1, True)])
def test_a_file_has_at_most_a_megabyte(tmp_path: Path, size: int, refused: bool) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"#" * size)
    if refused:
        with pytest.raises(InvalidInput, match="is larger than 1 MB"):
            read_text(file)
    else:
        assert len(read_text(file)) == size


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    text = "a: 1\n" * 50_000  # more than a pipe holds

    def write() -> None:
        with os.fdopen(theirs, "w") as pipe:
            pipe.write(text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_text(f"/proc/{os.getpid()}/fd/{ours}") == text
    finally:
        os.close(ours)
        writer.join(10)


BESIDE = [
    ("a/b.yaml", "c.yaml", "a/c.yaml"),
    ("b.yaml", "c.yaml", "c.yaml"),
    ("a/b.yaml", "../c.yaml", "a/../c.yaml"),
    ("a/b.yaml", "/c.yaml", "/c.yaml"),
]


@pytest.mark.parametrize(("base", "name", "path"), BESIDE)
def test_a_file_names_others_relative_to_itself(base: str, name: str, path: str) -> None:
    assert beside(base, name) == path


def test_files_for_others_to_open_are_looked_at_and_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    os.mkfifo(tmp_path / "pipe")
    assert trouble_with_file(tmp_path / "a.py") == ""
    assert trouble_with_file(tmp_path / "b.py") == "there is no such file"
    assert trouble_with_file(tmp_path / "pipe") == "is a pipe, not a file"
    assert trouble_with_file(tmp_path) == "is a folder; name the file in it"
    assert trouble_with_file("/dev/null") == "is a device or a socket, not a file"
    assert trouble_with_file("a\0b").startswith("cannot be read: ")
