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


def addresses_reference() -> str | None:
    """``docs/reference/addresses.md``: schemes, parameters and calls of every driver, types of meters."""
    if not importlib.util.find_spec("polymeter.drivers"):
        return None
    from polymeter.catalogue import meter_types
    from polymeter.drivers import driver_named, drivers
    from polymeter.transports.urls import LINE_PARAMETERS

    lines = ["# Addresses and parameters", "", "Generated from the drivers; do not edit by hand.", ""]
    lines += [
        "An address is `SCHEME://HOST:PORT?NAME=VALUE`; `SCHEME+serial`, `SCHEME+rfc2217`, `SCHEME+modem`"
    ]
    lines += ["and `SCHEME+udp` name another line. Values are percent-encoded; a plus is a plus.", ""]
    lines += ["## Parameters of the line", "", *_table(LINE_PARAMETERS), ""]
    for scheme in drivers():
        family = driver_named(scheme)
        if not family.__module__.startswith("polymeter."):
            continue  # somebody else's, installed here: documented there
        port = family.default_port if family.default_port is not None else "none"
        baud, bits, parity = family.serial_line
        lines += [f"## `{scheme}`", "", f"{family.description}. Default port: {port}."]
        lines += [f"Serial lines begin with {baud} Bd, {bits}{parity}1.", ""]
        lines += [*_table({**family.parameters, "type": "meter type of the catalogue"}), ""]
        lines += ["| call | what it does |", "|---|---|"]
        for known in family.calls().values():
            arguments = ", ".join(f"{name}: {kind.__name__}" for name, kind in known.parameters.items())
            writes = " Writes." if known.writes else ""
            lines.append(f"| `{known.name}({arguments})` | {known.description}{writes} |")
        lines.append("")
    lines += ["## Meter types", "", "| type | protocol | meter |", "|---|---|---|"]
    for name, known_type in sorted(meter_types().items()):
        meter = f"{known_type.manufacturer}, {known_type.description}"
        lines.append(f"| `{name}` | {known_type.protocol} | {meter} |")
    return "\n".join(lines) + "\n"


def _table(parameters: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in parameters.items()]
    return ["| parameter | meaning (default) |", "|---|---|", *rows]


STATES = "docs/reference/protocols/iec62056-21.md"


def states_page() -> str | None:
    """The page of IEC 62056-21 with its picture of states drawn anew from the table in the code."""
    path = ROOT / STATES
    if not path.exists():
        return None
    from polymeter.protocols.iec62056_21 import TRANSITIONS

    lines = ["```mermaid", "stateDiagram-v2"]
    names = {state: "".join(word.capitalize() for word in state.split()) for state in TRANSITIONS}
    lines += [f'    state "{state}" as {name}' for state, name in names.items()]
    lines.append(f"    [*] --> {names['idle']}")
    for state, transitions in TRANSITIONS.items():
        for (end, event), after in transitions.items():
            if event != "request" or state == "idle":
                lines.append(f"    {names[state]} --> {names[after]}: {end} {event}")
    before, _, rest = path.read_text(encoding="utf-8").partition(
        "<!-- states: generated from TRANSITIONS -->\n"
    )
    after = rest.partition("<!-- states: end -->")[2]
    picture = "\n".join([*lines, "```"])
    return f"{before}<!-- states: generated from TRANSITIONS -->\n{picture}\n<!-- states: end -->{after}"


def readme() -> str | None:
    """README.md with its table of protocols made anew from the registries: it claims what is there."""
    path = ROOT / "README.md"
    begin, end = "<!-- protocols: generated from the registries -->\n", "<!-- protocols: end -->"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin not in text:
        return None
    from polymeter.catalogue import PROTOCOLS
    from polymeter.drivers import drivers
    from polymeter.simulators import simulators

    lines = ["| protocol | what it is | read | decode | simulate |", "|---|---|---|---|---|"]
    for name in sorted({*PROTOCOLS, *drivers(), *simulators()}):
        page = f"docs/reference/protocols/{name}.md"
        shown = f"[`{name}`]({page})" if (ROOT / page).exists() else f"`{name}`"
        about = PROTOCOLS[name].description if name in PROTOCOLS else ""
        there = ["yes" if name in known else "" for known in (drivers(), PROTOCOLS, simulators())]
        lines.append(f"| {shown} | {about} | {' | '.join(there)} |")
    before, _, rest = text.partition(begin)
    return before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]


GENERATED: dict[str, Generator] = {
    "README.md": readme,
    "docs/reference/http.md": http_reference,
    "docs/reference/addresses.md": addresses_reference,
    STATES: states_page,
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
