"""Packages are installed by root on Debian, and nobody else is left guessing."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import debian


def test_who_is_not_root_is_told_the_line() -> None:
    with pytest.raises(debian.MissingPackages) as caught:
        debian.install(["mosquitto", "postgresql"], root=False)
    line = str(caught.value).splitlines()[-1].strip()
    assert line == debian.install_line(["mosquitto", "postgresql"])
    assert line.startswith("sudo apt-get update && sudo apt-get install -y ")


def test_root_without_apt_is_told_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)
    with pytest.raises(debian.MissingPackages):
        debian.install(["mosquitto"], root=True)


def apt(monkeypatch: pytest.MonkeyPatch, policy: Path, code: int) -> list[tuple[str, bool]]:
    """Replace apt-get; each call notes what was asked and whether daemons were held back."""
    calls = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append((command[4], policy.exists()))
        return subprocess.CompletedProcess(command, code, "E: broken")

    monkeypatch.setattr(debian, "POLICY", policy)
    monkeypatch.setattr(debian.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(debian.subprocess, "run", run)
    return calls


def test_root_installs_and_no_daemon_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = apt(monkeypatch, tmp_path / "policy-rc.d", 0)
    debian.install(["mosquitto"], root=True)
    assert calls == [("update", True), ("install", True)]
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_policy_of_the_machine_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")
    apt(monkeypatch, policy, 0)
    debian.install(["mosquitto"], root=True)
    assert policy.read_text() == "theirs"


def test_a_failed_install_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    apt(monkeypatch, tmp_path / "policy-rc.d", 100)
    with pytest.raises(debian.MissingPackages, match="apt-get update failed"):
        debian.install(["mosquitto"], root=True)
    assert not (tmp_path / "policy-rc.d").exists()
