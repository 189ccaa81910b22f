"""The folder of a locustfile as it goes to load workers: what goes, how much at most, and what comes out of it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from chaos.load import code
from chaos.load.code import pack, unpack
from chaos.protocol.load_plan import BadPlan


def made(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return path


OURS = {"load.py": "import helper\n", "helper.py": "x = 1\n", "data/users.csv": "a,b\n"}


def test_a_folder_comes_out_as_it_went_in(tmp_path: Path) -> None:
    home, away = made(tmp_path / "home", OURS), tmp_path / "away"
    sent = pack(str(home / "load.py"))
    assert (sent.name, sent.files) == ("load.py", 3)
    assert unpack(sent.archive, sent.sha256, away) == 3
    assert {name: (away / name).read_text() for name in OURS} == OURS


def test_hidden_files_and_compiled_ones_stay_at_home(tmp_path: Path) -> None:
    home = made(tmp_path, OURS | {".env": "SECRET=1", ".git/config": "", "__pycache__/load.pyc": ""})
    assert pack(str(home / "load.py")).files == 3


def test_equal_folders_have_equal_hashes(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", OURS), made(tmp_path / "other", OURS)
    assert pack(str(one / "load.py")).sha256 == pack(str(other / "load.py")).sha256
    (other / "helper.py").write_text("x = 2\n")
    assert pack(str(one / "load.py")).sha256 != pack(str(other / "load.py")).sha256


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    home = made(tmp_path / "home", OURS)
    (home / "inside.py").symlink_to("helper.py")
    assert pack(str(home / "load.py")).files == 4
    (tmp_path / "secret").write_text("secret")
    (home / "outside").symlink_to("../secret")
    with pytest.raises(BadPlan, match=r"outside leads out of the folder"):
        pack(str(home / "load.py"))


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = made(tmp_path, OURS)
    monkeypatch.setattr(code, "MOST_BYTES", 20)
    with pytest.raises(BadPlan, match="the most that goes to load workers"):
        pack(str(home / "load.py"))


def archive(**names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, text in names.items():
            made.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["../out.py", "/tmp/out.py", "a/../../out.py", "..\\out.py", "folder/"])
def test_a_name_that_leads_out_is_not_unpacked(tmp_path: Path, name: str) -> None:
    sent = archive(**{name: ""})
    with pytest.raises(BadPlan, match="a file with the name"):
        unpack(sent, hashlib.sha256(sent).hexdigest(), tmp_path / "away")
    assert not (tmp_path / "out.py").exists()


def test_what_is_larger_than_it_may_be_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = archive(**{"load.py": "x" * 100})
    monkeypatch.setattr(code, "MOST_BYTES", 50)
    with pytest.raises(BadPlan, match="larger than allowed"):
        unpack(sent, hashlib.sha256(sent).hexdigest(), tmp_path)


@pytest.mark.parametrize("sent", [b"no archive", b""])
def test_what_is_no_archive_is_not_unpacked(tmp_path: Path, sent: bytes) -> None:
    with pytest.raises(BadPlan, match="cannot be unpacked"):
        unpack(sent, hashlib.sha256(sent).hexdigest(), tmp_path)


def test_what_has_another_hash_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(BadPlan, match="its sha256 is another"):
        unpack(archive(**{"load.py": ""}), "0" * 64, tmp_path)
