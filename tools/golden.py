"""Golden decode trees: what `decode` explains of each of our vectors, as text, kept under ``tests/golden``.

A change in how anything is explained shows up as a diff to be read. ``python3 -m tools.golden --write`` makes
the files anew and removes those whose vector has gone; the tests compare.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.environment import ROOT, enter

__all__ = ["differences", "expected", "main", "tree_text", "write"]

FOLDER = ROOT / "tests" / "golden"
SHOWN = 24


def tree_text(frames: Sequence[dict[str, Any]]) -> str:
    """The trees of decoded frames (as ``decode --json`` prints them), a node a line."""
    lines = []
    for frame in frames:
        state = "valid" if frame["valid"] else "invalid"
        lines.append(
            f"{frame['protocol']}, {state}{', encrypted' if frame['encrypted'] else ''}: {frame['why']}"
        )
        stack = [(frame["tree"], 1)] if frame["tree"] else []
        while stack:
            node, depth = stack.pop()
            lines.append(_line(node, depth))
            stack += [(child, depth + 1) for child in reversed(node["children"])]
        lines += [f"  ! {error['layer']}:{error['offset']} {error['message']}" for error in frame["errors"]]
    return "\n".join(lines) + "\n"


def _line(node: dict[str, Any], depth: int) -> str:
    text = f"{'  ' * depth}{node['layer']}:{node['offset']}+{node['length']} {node['name']}"
    if node["value"] is not None:
        text += f" = {str(node['value'])!r}"
    if node["meaning"]:
        text += f" ({node['meaning']})"
    if not node["children"] and node["raw"]:
        raw = node["raw"]
        text += f" [{raw if len(raw) <= 2 * SHOWN else raw[: 2 * SHOWN] + '…'}]"
    return text


def expected() -> Iterator[tuple[str, str]]:
    """The name and text of every golden file, from our own vectors."""
    import polymeter
    from tests.vectors import OURS, load_vectors, telegram

    for folder in sorted(path.name for path in OURS.glob("*") if path.is_dir()):
        for case in load_vectors(folder):
            if case["origin"] == "ours":
                frames = polymeter.decode_all(
                    telegram(case),
                    case["protocol"],
                    keys=case.get("keys") or (),
                    auth_key=case.get("auth_key"),
                    lenient=bool(case.get("lenient")),
                )
                yield f"{folder}/{re.sub(r'[^A-Za-z0-9._-]+', '-', case['name'])}.txt", tree_text(frames)


def differences(folder: Path = FOLDER) -> list[str]:
    """Names of files that are missing, differ, or belong to no vector."""
    wanted = dict(expected())
    have = {str(path.relative_to(folder)): path for path in folder.rglob("*.txt")}
    return sorted(
        name
        for name in wanted.keys() | have.keys()
        if name not in wanted or name not in have or have[name].read_text(encoding="utf-8") != wanted[name]
    )


def write(folder: Path = FOLDER) -> list[str]:
    """Make the files what they should be; the names of those that changed."""
    changed, wanted = differences(folder), dict(expected())
    for name in changed:
        path = folder / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def main(argv: list[str]) -> int:
    """Compare, or with ``--write`` regenerate."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.golden", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what differs")
    if parser.parse_args(argv).write:
        for name in write():
            print(f"wrote {name}")
        return 0
    stale = differences()
    for name in stale:
        print(f"{name} differs: python3 -m tools.golden --write")
    return int(bool(stale))


if __name__ == "__main__":
    enter("tools.golden")
    sys.exit(main(sys.argv[1:]))
