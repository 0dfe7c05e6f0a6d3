"""The environment is made once, refreshed when the project's requirements change, and says what it lacks."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tools import debian, environment


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    def make(venv: Path) -> None:
        venv.mkdir(exist_ok=True)
        done.append("venv")

    monkeypatch.setattr(environment, "make_venv", make)
    monkeypatch.setattr(environment, "pip", lambda venv, words: done.append(words[-1].rpartition("[")[2]))
    monkeypatch.setattr(environment, "_usable", lambda venv: venv.is_dir())
    return done


def test_a_second_run_installs_nothing(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    for _ in range(2):
        environment.ensure("test", root=tmp_path, venv=tmp_path / ".venv")
    assert calls == ["venv", "test]"]


def test_the_test_extra_holds_what_the_demo_needs(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    for extra in ("platform", "test", "platform"):
        environment.ensure(extra, root=tmp_path, venv=tmp_path / ".venv")
    assert calls == ["venv", "platform]", "test]"]


def test_a_changed_project_file_installs_again(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    environment.ensure("test", root=tmp_path, venv=tmp_path / ".venv")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    environment.ensure("test", root=tmp_path, venv=tmp_path / ".venv")
    assert calls == ["venv", "test]", "test]"]


def test_a_damaged_stamp_installs_again(tmp_path: Path, calls: list[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    environment.ensure("test", root=tmp_path, venv=tmp_path / ".venv")
    (tmp_path / ".venv" / environment.STAMP).write_text('{"pyproj')
    environment.ensure("test", root=tmp_path, venv=tmp_path / ".venv")
    assert calls == ["venv", "test]", "test]"]


def test_a_python_without_ensurepip_says_the_exact_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))
    monkeypatch.setattr(environment, "_venv_package", lambda: "python3.11-venv")
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    with pytest.raises(environment.SetupError, match=r"apt-get install -y \S+ python3\.11-venv"):
        environment.make_venv(tmp_path / "venv")


def test_the_package_is_versioned_unless_it_is_the_systems_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/somewhere/else/python3")
    assert environment._venv_package() == f"python3.{sys.version_info[1]}-venv"
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert environment._venv_package() == "python3-venv"


def test_a_half_made_environment_is_not_usable(tmp_path: Path) -> None:
    assert not environment._usable(tmp_path / "nothing")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    assert not environment._usable(tmp_path)


def test_a_missing_command_names_the_folder_to_delete() -> None:
    with pytest.raises(environment.SetupError, match=r"delete .*\.venv"):
        environment.become("no-such-program", [])
