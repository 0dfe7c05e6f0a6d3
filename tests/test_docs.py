"""The documentation is run: what a page tells to type is typed, and what it shows must come.

The blocks of a page run in order in a folder of their own. In a ``console`` block a line with ``$``
is a command and the lines below are its output; ``…`` stands for anything. A command ending in ``&``
runs until the page ends. A block whose first line is ``# file: NAME`` is written to that file.
Other ``python`` blocks are run; a ``text`` block below one is its output. Ports are replaced by free
ones. Pages in another way of writing (``sh``) have tests of their own.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from polymeter.catalogue import meter_types
from polymeter.cli import app
from polymeter.drivers import driver_named, drivers
from polymeter.transports.urls import LINE_PARAMETERS
from tools import docs

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    page
    for page in sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
    if re.search(r"^```(console|python)$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS = re.compile(r"\b50[2-4]\d\b")


class Page:
    """One page while it is being run."""

    def __init__(self, text: str, folder: Path) -> None:
        ports = {port: str(_free_port()) for port in sorted(set(PORTS.findall(text)))}
        self.blocks = BLOCK.findall(PORTS.sub(lambda match: ports[match[0]], text))
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []
        programs = str(Path(sys.executable).parent)
        self.env = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "COLUMNS": "200",
            "TERM": "dumb",
        }

    def run(self) -> int:
        done = 0
        self._write_files()
        try:
            for number, (kind, body) in enumerate(self.blocks):
                following = self.blocks[number + 1] if number + 1 < len(self.blocks) else ("", "")
                if kind == "console":
                    self._console(body)
                    done += 1
                elif kind == "python" and not body.startswith("# file:"):
                    output = self._output([sys.executable, "-c", body])
                    if following[0] == "text":
                        agrees(output, following[1])
                    done += 1
        finally:
            for process in self.running:
                process.send_signal(signal.SIGINT)
                process.communicate()
        return done

    def _write_files(self) -> None:
        for _, body in self.blocks:
            if body.startswith("# file: "):
                path = self.folder / body.partition("\n")[0].removeprefix("# file: ")
                path.parent.mkdir(exist_ok=True)
                path.write_text(body)

    def _console(self, body: str) -> None:
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                self.env[name] = value
            elif command.endswith("&"):
                self._background(command.removesuffix("&"), shown)
            else:
                agrees(self._output(["bash", "-c", command]), shown)

    def _background(self, command: str, shown: str) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        for line in shown.splitlines():
            if line.strip():
                agrees(process.stdout.readline(), line)

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout


def agrees(output: str, shown: str) -> None:
    """Compare what came with what the page shows, blanks aside; ``…`` stands for anything."""
    wanted = ".*".join(re.escape(part.strip()) for part in _plain(shown).split("…"))
    assert re.fullmatch(wanted.replace(r"\ ", r"\s*"), _plain(output), re.DOTALL), (
        f"{shown}\n--- came:\n{output}"
    )


def _plain(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as once:
        return int(once.getsockname()[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_tells_to_type_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    assert Page(page.read_text(encoding="utf-8"), tmp_path).run() > 0


def test_the_comparison_can_fail() -> None:
    agrees("a  b\nc\n", "a b\n…")
    for output, shown in (("a b\n", "a c"), ("a\nb\n", "a"), ("a\n", "a\nb"), ("xa\n", "a")):
        with pytest.raises(AssertionError):
            agrees(output, shown)


# completeness


def everything() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))


def test_generated_pages_are_what_the_code_says() -> None:
    assert docs.drift() == []


def test_every_option_is_documented() -> None:
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"`polymeter {name}`" in text
        for parameter in command.params:
            for option in getattr(parameter, "opts", ()):
                assert not option.startswith("--") or f"`{option}" in text


def test_every_parameter_call_and_type_is_documented() -> None:
    text = (DOCS / "reference" / "addresses.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in LINE_PARAMETERS)
    for scheme in drivers():
        section = text.partition(f"## `{scheme}`\n")[2].partition("\n## ")[0]
        family = driver_named(scheme)
        assert all(f"| `{name}` |" in section for name in family.parameters)
        assert all(f"| `{name}(" in section for name in family.calls())
    assert all(f"| `{name}` |" in text for name in meter_types())


def test_every_scheme_has_a_page_or_says_so() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for scheme in drivers():
        assert f"`{scheme}`" in readme


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize(
    "page",
    sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


def test_the_architecture_fits_on_a_page() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    for noun in (
        "Meter", "Series", "Reading", "Frame", "Connection", "Driver",
        "Task", "Message", "Bus", "Store", "Organization",
    ):  # fmt: skip
        assert f"**{noun}**" in text


def test_the_architecture_shows_the_layers_of_the_contracts() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for folder in sorted((ROOT / "src" / "polymeter").iterdir()):
        if (folder / "__init__.py").exists():
            assert f"{folder.name}" in text, folder.name


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    text = everything() + "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*.md"))
    assert not re.search(r"/(home|root|Users|work)/\w", text)
