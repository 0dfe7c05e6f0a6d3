"""Peers: other people's decoders, each in an interpreter of its own, asked over pipes.

They are test data, not dependencies: a peer is installed from its package when it is first needed,
into the environments that the benchmarks use, and nothing of it is imported here. A peer that
cannot be installed fails the test that asked for it.
"""

import fcntl
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.bench import PEERS
from tools.environment import make_venv, pip

__all__ = ["ask"]

SCRIPTS = Path(__file__).resolve().parent / "oracles"
ASK_S = 120.0


def ask(name: str, requirements: Sequence[str], script: str, question: Any) -> Any:
    """What ``tests/oracles/<script>`` answers, run in the peer's own interpreter: JSON in, JSON out.

    Raises:
        AssertionError: the peer failed; its words are in the message.
    """
    done = subprocess.run(
        [str(_interpreter(name, requirements)), str(SCRIPTS / script)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        timeout=ASK_S,
    )
    assert done.returncode == 0, f"{name} failed:\n{done.stderr[-2000:]}"
    return json.loads(done.stdout)


def _interpreter(name: str, requirements: Sequence[str]) -> Path:
    """The peer's Python; its environment is made when it is missing or holds something else."""
    venv = PEERS / name
    stamp = venv / "requirements"
    wanted = "\n".join(requirements)
    PEERS.mkdir(exist_ok=True)
    with (PEERS / f"{name}.lock").open("w") as lock:  # several test processes may ask at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            make_venv(venv)
            pip(venv, list(requirements))
            stamp.write_text(wanted)
    return venv / "bin" / "python"
