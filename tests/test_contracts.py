"""The import contracts bite: each is broken once, in a copy, and the linter must notice."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS, PROTOCOLS, DRIVERS = (
    "Imports point down the layers only",
    "Protocols stand on what they share",
    "Drivers keep away from store and bus",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and the contracts, to be broken."""
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copytree(
        ROOT / "src" / "polymeter", folder / "polymeter", ignore=shutil.ignore_patterns("__pycache__")
    )
    contracts = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
    (folder / "pyproject.toml").write_text("[tool.importlinter]" + contracts)
    return folder


def broken(copy: Path) -> set[str]:
    """The contracts that do not hold in the copy."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(program), "--no-cache"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "300"},
    )
    text = re.sub(r"\s+", " ", done.stdout)
    found = {name for name in (LAYERS, PROTOCOLS, DRIVERS) if re.search(rf"{name}[^.]*? BROKEN", text)}
    assert bool(found) == bool(done.returncode), done.stdout + done.stderr
    return found


def test_the_contracts_hold(copy: Path) -> None:
    assert broken(copy) == set()


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("protocols/wire.py", "import polymeter.transports.pcap", LAYERS),
        ("protocols/wire.py", "import polymeter.domain.units", LAYERS),
        ("transports/tcp.py", "import polymeter.catalogue.names", LAYERS),
        ("drivers/driver.py", "import polymeter.simulators.consumption", LAYERS),
        ("simulators/fleet.py", "import polymeter.cli.output", LAYERS),
        ("testing.py", "import polymeter.cli.output", LAYERS),
        ("utils.py", "", LAYERS),
        ("protocols/wire.py", "import polymeter.protocols.crc", PROTOCOLS),
        ("protocols/crc.py", "import polymeter.protocols.obis", PROTOCOLS),
        ("protocols/mbus.py", "import polymeter.protocols.iec62056_21", PROTOCOLS),
        ("protocols/helpers.py", "", PROTOCOLS),
        ("drivers/driver.py", "import polymeter.store.rows", DRIVERS),
    ],
)
def test_a_contract_that_is_broken_is_noticed(copy: Path, module: str, line: str, contract: str) -> None:
    path = copy / "polymeter" / module
    before = path.read_text() if path.exists() else None
    try:
        path.write_text((before or "") + f"\n{line}\n")
        assert contract in broken(copy)
    finally:
        path.unlink() if before is None else path.write_text(before)
