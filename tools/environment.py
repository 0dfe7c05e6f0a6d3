"""The project's own ``.venv``: made once, refreshed when ``pyproject.toml`` changes.

Plain ``venv`` and ``pip``. A stamp inside the environment holds the hash of ``pyproject.toml`` and the extras
installed for it, so that a second run costs nothing. A bare Debian has ``python3`` without ``ensurepip``:
there root gets the missing package, anybody else the line that installs it.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tools import debian

__all__ = ["ROOT", "SetupError", "become", "ensure", "enter", "make_venv", "pip", "say"]

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = "polymeter-installed.json"
COVERS = {"test": {"test", "platform"}, "platform": {"platform"}}  # the test extra holds all others


class SetupError(Exception):
    """The environment cannot be made; the message says what to change."""


def say(message: str) -> None:
    """One line of progress, on stderr."""
    print(f"dev: {message}", file=sys.stderr, flush=True)


def ensure(extra: str, *, root: Path = ROOT, venv: Path = VENV) -> None:
    """Make ``.venv`` hold the project, editable, with ``extra``; do nothing when it does.

    Raises:
        SetupError: something is missing that we may not install, or pip failed.
    """
    digest = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
    with _locked(root / "pyproject.toml"):
        have = _stamped(venv, digest)
        if extra in have:
            return
        if not _usable(venv):
            say(f"making {venv.name} with Python {sys.version.split()[0]}")
            make_venv(venv)
        say(f"installing polymeter[{extra}] into {venv.name} (about a minute the first time)")
        started = time.monotonic()
        pip(venv, ["--editable", f"{root}[{extra}]"])
        stamp = {"pyproject": digest, "extras": sorted(have | COVERS.get(extra, {extra}))}
        (venv / STAMP).write_text(json.dumps(stamp) + "\n")
        say(f"installed in {time.monotonic() - started:.0f} s")


def become(command: str, arguments: list[str]) -> NoReturn:
    """Replace this process by ``command`` of the venv, so that signals reach it and nothing is left behind.

    ``tools.x`` runs as a module from the project's folder; anything else is an installed script, which runs
    where the user stands.

    Raises:
        SetupError: the command does not exist.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    words = [*command.split(), *arguments]
    if words[0].startswith("tools."):
        os.chdir(ROOT)
        words = ["python", "-m", *words]
    program = VENV / "bin" / words[0]
    if not program.exists():
        raise SetupError(f"{program} does not exist; delete {VENV} and try again")
    os.execv(program, [str(program), *words[1:]])


def enter(module: str) -> None:
    """Go on inside the venv, for ``python3 -m tools.x`` called with the system's Python."""
    python = VENV / "bin" / "python"
    if Path(sys.prefix) != VENV and python.exists():
        os.execv(python, [str(python), "-m", module, *sys.argv[1:]])


def make_venv(venv: Path) -> None:
    """Make an empty virtual environment with pip, installing Debian's missing part when root.

    Raises:
        SetupError: this Python has no ensurepip and we may not install it.
    """
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        try:
            debian.install([_venv_package()])
        except debian.MissingPackages as error:
            raise SetupError(f"this Python cannot make virtual environments; {error}") from error
    # A process of its own: modules that Debian has just installed are not seen by this interpreter's caches.
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SetupError(f"{' '.join(command)} failed:\n{done.stdout}")


def _venv_package() -> str:
    """Debian's package for this interpreter: versioned unless it is the system's python3."""
    system = os.path.realpath("/usr/bin/python3") == os.path.realpath(sys.executable)
    return "python3-venv" if system else f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"


def pip(venv: Path, arguments: list[str]) -> None:
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", *arguments]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode:
        raise SetupError(f"pip failed (exit {done.returncode}): {' '.join(command)}")


def _usable(venv: Path) -> bool:
    """Whether the environment runs and has pip: a half-made one does not."""
    python = venv / "bin" / "python"
    if not python.exists():
        return False
    probe = [str(python), "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode == 0


def _stamped(venv: Path, digest: str) -> set[str]:
    """The extras that were installed for this very ``pyproject.toml``."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return set()
    return set(stamp.get("extras", ())) if stamp.get("pyproject") == digest else set()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two tasks started at once must not install into one environment at once."""
    with path.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
