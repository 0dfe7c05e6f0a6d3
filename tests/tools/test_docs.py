"""Generated documentation is what its generator gives, or the check says how to make it so."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
import typer.main

from tools import docs


def test_drift_names_the_file_and_the_command(tmp_path: Path) -> None:
    generated = {"reference/x.md": lambda: "new\n"}
    assert docs.write(generated, tmp_path) == ["reference/x.md"]
    assert docs.drift(generated, tmp_path) == []
    (tmp_path / "reference" / "x.md").write_text("old\n")
    (problem,) = docs.drift(generated, tmp_path)
    assert "reference/x.md is stale: python3 -m tools.docs --write" in problem
    assert "-old" in problem
    assert "+new" in problem


def test_a_missing_file_is_drift_and_nothing_to_say_is_not(tmp_path: Path) -> None:
    assert len(docs.drift({"a.md": lambda: "text\n", "b.md": lambda: None}, tmp_path)) == 1
    assert docs.write({"b.md": lambda: None}, tmp_path) == []


def test_writing_leaves_what_is_current(tmp_path: Path) -> None:
    generated = {"a.md": lambda: "text\n"}
    docs.write(generated, tmp_path)
    assert docs.write(generated, tmp_path) == []


def test_every_command_and_option_is_in_the_reference() -> None:
    app = typer.Typer(help="Reads meters.")

    @app.command()
    def decode(
        source: Annotated[str, typer.Argument(help="Hex or a file.")],
        lenient: Annotated[bool, typer.Option("--lenient", help="Take | what is odd.")] = False,
        secret: Annotated[bool, typer.Option("--secret", hidden=True)] = False,
    ) -> None:
        """Explain a telegram."""

    @app.command(hidden=True)
    def internal() -> None:
        """Not shown."""

    entries = list(docs._commands(typer.main.get_command(app), "polymeter", 2))
    assert [(level, text[0]) for level, text in entries] == [(2, "polymeter"), (3, "polymeter decode")]
    page = "\n".join(entries[1][1])
    assert "Explain a telegram." in page
    assert "| `SOURCE` | Hex or a file. |" in page
    assert "| `--lenient` | Take \\| what is odd. |" in page
    assert "secret" not in page


def test_check_and_write_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "drift", lambda: ["a.md is stale"])
    monkeypatch.setattr(docs, "write", lambda: ["a.md"])
    assert docs.main([]) == 1
    assert docs.main(["--write"]) == 0
    assert "wrote a.md" in capsys.readouterr().out
