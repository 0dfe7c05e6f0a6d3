"""All checks run, each is named, and one failure fails the whole."""

from pathlib import Path

import pytest

from tools import check


def test_all_steps_run_although_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main({"first": lambda: ["line 1\nline 2"], "second": list}) == 1
    said = capsys.readouterr().out
    assert "first      failed" in said
    assert "    line 2" in said
    assert "second     ok" in said
    assert said.endswith("check: first failed\n")


def test_all_good_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main({"only": list}) == 0
    assert capsys.readouterr().out.endswith("check: all good\n")


def test_a_program_that_fails_shows_what_it_printed() -> None:
    problems = check._tool("python", "-c", "print('seen'); raise SystemExit(3)")()
    assert problems == ["seen"]
    assert check._tool("python", "-c", "raise SystemExit(3)")() == ["exit status 3"]
    assert check._tool("python", "-c", "print('fine')")() == []


def test_fragments_are_named_after_their_change(tmp_path: Path) -> None:
    (tmp_path / "12.added.md").write_text("A decoder.")
    (tmp_path / "README.md").write_text("")
    assert check.changelog_problems(tmp_path) == []
    (tmp_path / "13.improved.md").write_text("Things.")
    (tmp_path / "14.fixed.md").write_text("\n")
    assert [problem.split(":")[0] for problem in check.changelog_problems(tmp_path)] == [
        "13.improved.md",
        "14.fixed.md",
    ]


def test_no_folder_has_no_problem(tmp_path: Path) -> None:
    assert check.changelog_problems(tmp_path / "changelog.d") == []
