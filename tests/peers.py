"""Other people's programs that ours must get on with, each in an interpreter of its own.

A peer is never imported here: its licence and its dependencies are its own. Its environment lies in
``.venvs`` beside those of the benchmarks, made once. Where it cannot be made the test fails; nothing is
skipped in silence.
"""

import fcntl
import subprocess
from pathlib import Path

from tools import environment

__all__ = ["interpreter", "run"]

PEERS = environment.ROOT / ".venvs"


def interpreter(name: str, *requirements: str) -> Path:
    """The Python of the peer's environment, which is made and filled when it is not yet."""
    venv = PEERS / name
    stamp = venv / "requirements"
    wanted = "\n".join(requirements)
    PEERS.mkdir(exist_ok=True)
    with (PEERS / f"{name}.lock").open("w") as lock:
        # Tests run in several processes, and one makes it for all.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            environment.make_venv(venv)
            environment.pip(venv, list(requirements))
            stamp.write_text(wanted)
    return venv / "bin" / "python"


def run(python: Path, script: str, *arguments: str, timeout_s: float = 60.0) -> str:
    """What a script prints in a peer's interpreter; its complaints are part of the failure."""
    done = subprocess.run(
        [python, "-c", script, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"the peer ended with {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout
