"""Which Envoy the engine takes, and what somebody reads who has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.engines.envoy.binary import envoy_binary, find_envoy
from chaos.errors import EnvironmentFailed


def program(folder: Path, says: str, name: str = "envoy") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


NEW = "envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL"


def test_the_one_that_is_named_counts_before_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, exported = program(tmp_path / "a", NEW), program(tmp_path / "b", NEW)
    monkeypatch.setenv("ENVOY", str(exported))
    assert (find_envoy(str(named)), find_envoy()) == (named, exported)
    assert envoy_binary(str(named)).version == "1.40.0"


@pytest.mark.parametrize(("given", "by"), [("nowhere", "--envoy"), (None, "ENVOY")])
def test_one_that_does_not_exist_is_said_by_its_name(
    given: str | None, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVOY", "elsewhere")
    with pytest.raises(EnvironmentFailed, match=rf"{given or 'elsewhere'} is no program: pip install 'chaos-harness"):
        envoy_binary(given)


def test_one_that_is_too_old_is_said_with_the_oldest_that_will_do(tmp_path: Path) -> None:
    old = program(tmp_path, NEW.replace("1.40.0", "1.22.11"))
    with pytest.raises(EnvironmentFailed, match=rf"{old} is Envoy 1.22.11, and the engine needs 1.36 or newer"):
        envoy_binary(str(old))


def test_another_program_is_not_taken_for_an_envoy(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="is no Envoy: --version says 'true"):
        envoy_binary(str(program(tmp_path, "true (GNU coreutils) 9.1")))
