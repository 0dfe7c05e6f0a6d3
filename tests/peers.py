"""Other people's programs to talk to, each in an environment of its own under ``.venvs/``.

They are never imported here: their licences and their needs stay theirs. A test hands a peer a
program and reads what it prints.
"""

from __future__ import annotations

import fcntl
import subprocess

from tools import environment
from tools.environment import ROOT

__all__ = ["ask"]

PEERS = {
    "iec62056-21": ("iec62056-21==0.0.2",),
    "pyMeterBus": ("pyMeterBus==0.8.5",),
}


def ask(peer: str, program: str, *arguments: str, timeout_s: float = 60) -> str:
    """Run a program in the peer's environment, which is made when it is not there; gives its output."""
    venv = ROOT / ".venvs" / f"test-{peer}"
    wanted = "\n".join(PEERS[peer])
    venv.parent.mkdir(exist_ok=True)
    with (venv.parent / f"test-{peer}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = venv / "requirements"
        if not stamp.exists() or stamp.read_text() != wanted:
            environment.make_venv(venv)
            environment.pip(venv, list(PEERS[peer]))
            stamp.write_text(wanted)
    command = [str(venv / "bin" / "python"), "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
