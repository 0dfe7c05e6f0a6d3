"""``dev.py check``: everything that is judged without running the tests.

Every step runs even when an earlier one failed; each is named and timed, and what a failing step printed is
shown.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tools import docs
from tools.environment import ROOT

__all__ = ["changelog_problems", "main"]

FRAGMENT = re.compile(r"\d+\.(added|changed|fixed|removed|security)\.md")
NOT_FRAGMENTS = {"README.md", ".gitkeep"}
BIN = Path(sys.executable).parent


def _tool(*command: str) -> Callable[[], list[str]]:
    """A step that runs a program of the venv; what it prints is the problem."""

    def step() -> list[str]:
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return [done.stdout.rstrip() or f"exit status {done.returncode}"] if done.returncode else []

    return step


def changelog_problems(folder: Path) -> list[str]:
    """Fragments whose names do not say what they are, or that say nothing."""
    problems = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in NOT_FRAGMENTS:
            continue
        if not FRAGMENT.fullmatch(path.name):
            problems.append(f"{path.name}: not <number>.<added|changed|fixed|removed|security>.md")
        elif not path.read_text(encoding="utf-8").strip():
            problems.append(f"{path.name}: empty")
    return problems


STEPS: dict[str, Callable[[], list[str]]] = {
    "format": _tool("ruff", "format", "--check", "."),
    "lint": _tool("ruff", "check", "."),
    "types": _tool("mypy"),
    "imports": _tool("lint-imports"),
    "docs": docs.drift,
    "changelog": lambda: changelog_problems(ROOT / "changelog.d"),
}


def main(steps: dict[str, Callable[[], list[str]]] = STEPS) -> int:
    """Run all steps; 1 where any found something."""
    failed = []
    for name, step in steps.items():
        started = time.monotonic()
        problems = step()
        took = time.monotonic() - started
        print(f"check {name:<10} {'failed' if problems else 'ok':<6} {took:5.1f} s", flush=True)
        for problem in problems:
            print("\n".join(f"    {line}" for line in problem.splitlines()), flush=True)
        if problems:
            failed.append(name)
    print(f"check: {', '.join(failed)} failed" if failed else "check: all good", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
