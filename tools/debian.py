"""Installing Debian packages, or saying the exact line that does.

As root on Debian the packages are installed at once; anybody else is told the one line to run. While they
install, a ``policy-rc.d`` keeps their services from starting: the tests start their own, on private ports,
and a daemon on a default port would be a surprise.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["MissingPackages", "install", "install_line"]

POLICY = Path("/usr/sbin/policy-rc.d")
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300")


class MissingPackages(Exception):
    """Packages are needed that we may not install; the message is the line to run."""


def install_line(packages: Sequence[str]) -> str:
    """The line a person runs to install ``packages``."""
    names = " ".join(packages)
    return f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {names}"


def install(packages: Sequence[str], *, root: bool | None = None) -> None:
    """Install ``packages`` with apt-get.

    Raises:
        MissingPackages: not root, not Debian, or apt-get failed; says what to run by hand.
    """
    may = os.geteuid() == 0 if root is None else root
    if not may or not shutil.which("apt-get"):
        raise MissingPackages(f"missing: {', '.join(packages)}. Run:\n  {install_line(packages)}")
    print(f"dev: installing Debian packages: {' '.join(packages)}", file=sys.stderr, flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_down():
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [*APT, "-q", *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                print(done.stdout[-4000:], file=sys.stderr)
                raise MissingPackages(f"apt-get {command[0]} failed. By hand:\n  {install_line(packages)}")


@contextlib.contextmanager
def _services_stay_down() -> Iterator[None]:
    """Keep package scripts from starting daemons, unless the machine has a policy of its own."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
