"""Other people's programs to talk to, each in an environment of its own under ``.venvs/``.

They are never imported here: their licences and their needs stay theirs. A test hands a peer a
program and reads what it prints. Where an environment cannot be made the test fails; nothing is
skipped in silence.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Any, Final

from tools import environment
from tools.environment import ROOT

__all__ = ["ask", "ask_json", "interpreter"]

PEERS: Final = {
    "dlms-cosem": ("dlms-cosem==21.3.2",),
    "dsmr-parser": ("dsmr-parser==1.11.2",),
    "gurux-dlms": ("gurux-dlms",),
    "iec62056-21": ("iec62056-21==0.0.2",),
    "pyMeterBus": ("pyMeterBus==0.8.5",),
    "pysml": ("pysml==0.1.9",),
    "smllib": ("smllib==1.7",),
}
ORACLES: Final = Path(__file__).resolve().parent / "oracles"


def interpreter(peer: str) -> Path:
    """The Python of the peer's environment, which is made when it is missing or holds something else."""
    venv = ROOT / ".venvs" / f"test-{peer}"
    wanted = "\n".join(PEERS[peer])
    venv.parent.mkdir(exist_ok=True)
    with (venv.parent / f"test-{peer}.lock").open("w") as lock:
        # Tests run in several processes, and one makes it for all.
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = venv / "requirements"
        if not stamp.exists() or stamp.read_text() != wanted:
            environment.make_venv(venv)
            environment.pip(venv, list(PEERS[peer]))
            stamp.write_text(wanted)
    return venv / "bin" / "python"


def ask(peer: str, program: str, *arguments: str, given: str = "", timeout_s: float = 120) -> str:
    """Run a program in the peer's environment; gives its output."""
    done = subprocess.run(
        [str(interpreter(peer)), "-c", program, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{peer} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout}"
    return done.stdout


def ask_json(peer: str, oracle: str, question: Any) -> Any:
    """What ``tests/oracles/<oracle>`` answers in the peer's environment: JSON in, JSON out."""
    return json.loads(ask(peer, (ORACLES / oracle).read_text("utf-8"), given=json.dumps(question)))
