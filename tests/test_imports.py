"""What is imported, and what that costs: each in a fresh interpreter."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import polymeter.protocols

PROTOCOLS = [
    f"polymeter.protocols.{module.name}" for module in pkgutil.iter_modules(polymeter.protocols.__path__)
]
ALLOWED = {"polymeter", "cryptography", "_cffi_backend", "_openssl"}
"""The last two are parts of cryptography."""
PROBE = """
import sys
from types import ModuleType
before = set(sys.modules)
import {module}
tops = {{name.partition('.')[0] for name in set(sys.modules) - before}}
print(*sorted(tops - set(sys.stdlib_module_names)))
"""


def loaded(module: str) -> set[str]:
    """Top-level packages outside the standard library that importing `module` loads."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "polymeter",
        "polymeter.protocols.iec62056_21",
        "polymeter.protocols.mbus",
        "polymeter.transports.urls",
    ],
)
def test_it_loads_only_the_standard_library(module: str) -> None:
    assert loaded(module) == {"polymeter"}


@pytest.mark.parametrize("module", PROTOCOLS)
def test_a_protocol_loads_only_the_standard_library_and_cryptography(module: str) -> None:
    assert loaded(module) <= ALLOWED


@pytest.mark.parametrize("module", ["polymeter.drivers", "polymeter.catalogue", "polymeter.simulators"])
def test_a_small_install_is_enough_to_read_a_meter(module: str) -> None:
    assert loaded(module) <= ALLOWED


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = "import polymeter, sys; print(*[name for name in sys.modules if name.startswith('polymeter')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["polymeter"]


@pytest.mark.parametrize("package", PROTOCOLS)
def test_no_module_hides_a_public_name_of_its_package(package: str) -> None:
    # Importing the module would put it in the name's place, whenever that happens.
    found = importlib.import_module(package)
    modules = {module.name for module in pkgutil.iter_modules(getattr(found, "__path__", ()))}
    callables = {name for name in getattr(found, "__all__", ()) if callable(getattr(found, name))}
    assert not {name for name in modules & callables if not _same(found, name)}


def _same(package: ModuleType, name: str) -> bool:
    """Whether the module of that name is what defines the public name, so that nobody else imports it."""
    return getattr(package, name).__module__ == f"{package.__name__}.{name}"
