"""The generated parts of the documentation: ``python3 -m tools.docs --write`` makes them anew.

``dev.py check`` fails when a file is not what its generator gives. To add one, write a function that returns
the text and put it into `GENERATED` under the file's path; None means that there is nothing to describe yet.
"""

import argparse
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tools.environment import ROOT, enter

__all__ = ["GENERATED", "drift", "main", "write"]

Generator = Callable[[], str | None]


def cli_reference() -> str | None:
    """``docs/reference/cli.md``: the help of every command, as Markdown."""
    if not importlib.util.find_spec("polymeter.cli"):
        return None
    application = getattr(importlib.import_module("polymeter.cli"), "app", None)
    if application is None:
        return None
    import typer.main

    lines = ["# Command line", "", "Generated from the program's own help; do not edit by hand.", ""]
    for level, text in _commands(typer.main.get_command(application), "polymeter", 2):
        lines += [f"{'#' * level} `{text[0]}`", "", *text[1:]]
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: object, path: str, level: int) -> Iterator[tuple[int, list[str]]]:
    """One entry per command, depth first, without typer's terminal boxes: those change with its version."""
    text = [path]
    if summary := getattr(command, "help", None):
        text += [line.strip() for line in summary.split("\f")[0].strip().splitlines()] + [""]
    rows = [row for parameter in getattr(command, "params", ()) if (row := _parameter(parameter))]
    if rows:
        text += ["| parameter | meaning |", "|---|---|", *rows, ""]
    yield level, text
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            yield from _commands(child, f"{path} {name}", min(level + 1, 4))


def _parameter(parameter: object) -> str | None:
    if getattr(parameter, "hidden", False):
        return None
    # A bar would end the cell, also inside a code span.
    help_text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    if getattr(parameter, "param_type_name", "") == "argument":
        name = getattr(parameter, "metavar", None) or str(getattr(parameter, "name", "")).upper()
        repeated = "…" if getattr(parameter, "nargs", 1) == -1 and "…" not in name else ""
        return f"| `{name.replace('|', chr(92) + '|')}{repeated}` | {help_text} |"
    options = [*getattr(parameter, "opts", ()), *getattr(parameter, "secondary_opts", ())]
    return f"| `{', '.join(options)}` | {help_text} |" if options else None


def http_reference() -> str | None:
    """``docs/reference/http.md``: every route with what it needs, from the route table."""
    if not importlib.util.find_spec("polymeter.ui"):
        return None
    return str(importlib.import_module("polymeter.ui.reference").markdown())


GENERATED: dict[str, Generator] = {
    "docs/reference/http.md": http_reference,
    "docs/reference/cli.md": cli_reference,
}


def drift(generated: Mapping[str, Generator] = GENERATED, root: Path = ROOT) -> list[str]:
    """What would change if the parts were written now."""
    problems = []
    for name, generate in generated.items():
        wanted = generate()
        if wanted is None:
            continue
        path = root / name
        have = path.read_text(encoding="utf-8") if path.exists() else ""
        if have != wanted:
            lines = difflib.unified_diff(
                have.splitlines(), wanted.splitlines(), name, "generated", lineterm="", n=1
            )
            shown = list(lines)[:40]
            problems.append("\n".join([f"{name} is stale: python3 -m tools.docs --write", *shown]))
    return problems


def write(generated: Mapping[str, Generator] = GENERATED, root: Path = ROOT) -> list[str]:
    """Write every part that differs; returns their names."""
    written = []
    for name, generate in generated.items():
        text = generate()
        path = root / name
        if text is not None and (not path.exists() or path.read_text(encoding="utf-8") != text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(name)
    return written


def main(argv: list[str]) -> int:
    """Check, or with ``--write`` regenerate."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.docs", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what differs")
    if parser.parse_args(argv).write:
        for name in write():
            print(f"wrote {name}")
        return 0
    problems = drift()
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    enter("tools.docs")
    sys.exit(main(sys.argv[1:]))
