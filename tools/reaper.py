"""Ends what the supervisor started when the supervisor itself was killed.

Runs beside it and reads its standard input: ``watch PID SIGNAL``, ``forget PID``, ``folder PATH``. The pipe
closes when the supervisor is gone, however it went; what is still watched is then ended, and the folders are
removed. A process is known by its id and its start time, so that a reused id is never signalled.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["main", "start_time"]

GRACE_S = 3.0


def start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since boot, or None where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def main(lines: Iterable[str]) -> None:
    """Read until the supervisor is gone, then clean up after it."""
    watched: dict[int, tuple[str | None, int]] = {}
    folders: list[str] = []
    for line in lines:
        match line.split(maxsplit=2):
            case ["watch", pid, number]:
                watched[int(pid)] = (start_time(int(pid)), int(number))
            case ["forget", pid]:
                watched.pop(int(pid), None)
            case ["folder", path]:
                folders.append(path)
            case ["done"]:
                return
    alive = {key: entry for key, entry in watched.items() if entry[0] and start_time(key) == entry[0]}
    for each, (_, wanted) in alive.items():
        _signal(each, wanted)
    deadline = time.monotonic() + GRACE_S
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = {key: entry for key, entry in alive.items() if start_time(key) == entry[0]}
    for each in alive:
        _signal(each, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _signal(pid: int, number: int) -> None:
    """Signal the group where the process leads one, as services do; pytest shares that of the terminal."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    main(sys.stdin)
