"""What decoding explains of our vectors is what was last read and accepted."""

from pathlib import Path
from typing import Any

import pytest

from tools import golden


def test_every_tree_is_as_it_was_accepted() -> None:
    assert golden.differences() == [], "read the diff after: python3 -m tools.golden --write"


LEAF = {
    "name": "unit",
    "layer": 0,
    "offset": 1,
    "length": 3,
    "raw": "6b5768",
    "value": "kWh",
    "meaning": None,
}
ROOT = {
    "name": "line",
    "layer": 0,
    "offset": 0,
    "length": 4,
    "raw": "28",
    "value": None,
    "meaning": "a value",
}
FRAME: dict[str, Any] = {
    "protocol": "p1",
    "valid": False,
    "encrypted": True,
    "why": "a slash",
    "tree": ROOT | {"children": [LEAF | {"children": []}]},
    "errors": [{"layer": 0, "offset": 3, "message": "no end"}],
}


def test_a_tree_is_a_node_a_line() -> None:
    assert golden.tree_text([FRAME]) == (
        "p1, invalid, encrypted: a slash\n"
        "  0:0+4 line (a value)\n"
        "    0:1+3 unit = 'kWh' [6b5768]\n"
        "  ! 0:3 no end\n"
    )


def test_long_bytes_are_cut() -> None:
    leaf = LEAF | {"raw": "00" * 100, "children": []}
    assert "[" + "00" * golden.SHOWN + "…]" in golden.tree_text([FRAME | {"tree": leaf}])


def test_writing_adds_changes_and_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p1").mkdir()
    for name in ("same", "changed", "gone"):
        (tmp_path / "p1" / f"{name}.txt").write_text("as before\n")
    wanted = {"p1/same.txt": "as before\n", "p1/changed.txt": "now\n", "mbus/new.txt": "new\n"}
    monkeypatch.setattr(golden, "expected", lambda: iter(wanted.items()))
    assert golden.write(tmp_path) == ["mbus/new.txt", "p1/changed.txt", "p1/gone.txt"]
    assert golden.differences(tmp_path) == []
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt")} == set(wanted)


def test_the_command_tells_what_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(golden, "differences", lambda: ["p1/a.txt"])
    assert golden.main([]) == 1
    assert "p1/a.txt differs: python3 -m tools.golden --write" in capsys.readouterr().out
    monkeypatch.setattr(golden, "write", lambda: ["p1/a.txt"])
    assert golden.main(["--write"]) == 0
