"""Runs the test services: starts them side by side, restarts one on demand, leaves nothing behind.

One object owns every process. Tests live in other processes and reach it through a Unix socket in its folder
(`tools.control`); it alone starts and kills, so it always knows what is running. Start-up goes on in the
background; whoever needs a service waits for it.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.control import Server
from tools.environment import ROOT
from tools.services import Service

__all__ = ["ServiceError", "Supervisor", "free_ports"]


class ServiceError(Exception):
    """A service did not start or does not exist; the message holds the end of its log."""


class Supervisor:
    """The services of one test run, in one temporary folder. Use as a context manager."""

    def __init__(self, kinds: Iterable[type[Service]]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="polymeter-services-"))
        self.folder.chmod(0o711)  # the accounts of the services must reach their own folders below
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "tools.reaper"],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        )
        self._tell(f"folder {self.folder}")
        kinds = list(kinds)
        ports = iter(free_ports(sum(kind.ports for kind in kinds)))
        self._runs = {
            kind.name: _Run(
                kind(self.folder / kind.name, [next(ports) for _ in range(kind.ports)]), self._tell
            )
            for kind in kinds
        }
        self._server = Server(self.folder / "control", self.command)

    def __enter__(self) -> Self:
        self._server.start()
        for run in self._runs.values():
            threading.Thread(target=run.start_quietly, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def environment(self) -> dict[str, str]:
        """What the tests need to know: addresses, and where to ask for restarts."""
        addresses = {run.service.variable: run.service.url for run in self._runs.values()}
        return addresses | {"POLYMETER_TEST_CONTROL": str(self.folder / "control")}

    def command(self, verb: str, name: str) -> str:
        """Carry out one request of a test; ``wait``, ``restart``, ``kill``, ``stop``, ``start``, ``folder``.

        Raises:
            ServiceError: no such service or verb, or it did not come up.
        """
        run = self._runs.get(name)
        if run is None:
            raise ServiceError(f"no service {name!r}; there are {', '.join(self._runs)}")
        match verb:
            case "wait":
                run.wait()
            case "kill":
                run.end(signal.SIGKILL)
            case "stop":
                run.end(signal.SIGTERM)
            case "start":
                run.start()
            case "restart":
                run.end(signal.SIGKILL)
                run.start()
            case "folder":
                return str(run.service.folder)
            case _:
                raise ServiceError(f"no request {verb!r}")
        return ""

    def failures(self) -> list[str]:
        """What went wrong at start-up, whether or not a test asked for the service."""
        return [run.failure for run in self._runs.values() if run.failure]

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Have a process of the caller ended as well, should this one be killed."""
        self._tell(f"watch {process.pid} {int(signal.SIGINT)}")

    def close(self) -> None:
        """End every process that was started, and remove the folder."""
        self._server.close()
        for run in self._runs.values():
            run.cancel()
        for run in self._runs.values():
            run.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._tell("done")
        if self._reaper.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._reaper.stdin.close()
        self._reaper.wait(timeout=10)

    def _tell(self, line: str) -> None:
        if self._reaper.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._reaper.stdin.write(line + "\n")
                self._reaper.stdin.flush()


class _Run:
    """One service's processes over time."""

    def __init__(self, service: Service, tell: Callable[[str], None]) -> None:
        self.service = service
        self.failure = ""
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._lock = threading.RLock()
        self._first = threading.Event()
        self._cancelled = False

    def start_quietly(self) -> None:
        """The first start, in a thread of its own: failures are kept for whoever waits."""
        try:
            with self._lock:
                if self._cancelled:
                    return
                self.service.folder.mkdir()
                self.service.own(self.service.folder)
                self.service.prepare()
                self._helpers = [self._spawn(command) for command in self.service.helpers()]
                self.start()
        except Exception as error:
            self.failure = f"{self.service.name} did not start: {error}"
        finally:
            self._first.set()

    def wait(self) -> None:
        """Until the service answers.

        Raises:
            ServiceError: it failed to start.
        """
        self._first.wait()
        if self.failure:
            raise ServiceError(self.failure)

    def start(self) -> None:
        """Start on the same data and port, and wait until it answers.

        A start may fail and be tried again: after a kill, PostgreSQL refuses until its orphans are gone.
        """
        with self._lock:
            if self._process and self._process.poll() is None:
                return
            deadline = time.monotonic() + self.service.start_s
            self._process = self._spawn(self.service.command())
            while not self.service.is_ready():
                if self._cancelled or time.monotonic() > deadline:
                    raise ServiceError(f"no answer after {self.service.start_s:.0f} s; {self._log_end()}")
                time.sleep(0.1)
                if self._process.poll() is not None:
                    self._forget(self._process)
                    time.sleep(0.4)
                    self._process = self._spawn(self.service.command())

    def end(self, number: signal.Signals, grace_s: float = 20) -> None:
        """Send a signal and wait for the end, which is forced after ``grace_s``."""
        with self._lock:
            if self._process:
                self._end(self._process, number, grace_s)
                self._process = None

    def cancel(self) -> None:
        """Give up a start that is under way."""
        self._cancelled = True

    def close(self) -> None:
        """End daemon and helpers."""
        self.end(self.service.stop_signal, grace_s=5)
        for helper in self._helpers:
            self._end(helper, signal.SIGTERM, grace_s=2)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        if self._cancelled:
            raise ServiceError("stopped while starting")
        user = self.service.user()
        with (self.service.folder.parent / f"{self.service.name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.service.folder,
                env=self.service.environment(),
                user=user,
                group=user,
                extra_groups=[] if user else None,
                start_new_session=True,  # Ctrl-C is for the tests; the services are ended after them
            )
        self._tell(f"watch {process.pid} {int(self.service.stop_signal)}")
        return process

    def _end(self, process: subprocess.Popen[bytes], number: signal.Signals, grace_s: float) -> None:
        for each in (number, signal.SIGKILL):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, each)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)
                break
        self._forget(process)

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        self._tell(f"forget {process.pid}")

    def _log_end(self, lines: int = 15) -> str:
        try:
            text = (self.service.folder.parent / f"{self.service.name}.log").read_text(errors="replace")
        except OSError:
            return "no log"
        return "its log ends:\n" + "\n".join(text.splitlines()[-lines:])


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on; all are held until the last is known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
