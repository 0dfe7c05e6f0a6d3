"""``dev.py test``: pytest with real services around it.

Three stages. Tests that need no service run first, on all cores, while the services start in the background;
those marked ``services`` follow, on all cores too, since each makes its own database, exchange and topic;
those marked ``serial`` come last, one by one. With arguments for pytest there is one stage that takes them.
Services are waited for by the fixtures that use them: a run of one pure test does not wait.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import debian, services
from tools.environment import ROOT, say
from tools.supervisor import Supervisor

__all__ = ["chromium", "main", "missing_packages", "stages"]

Watch = Callable[[subprocess.Popen[bytes]], None]

NOTHING_COLLECTED = 5
INTERRUPTED = 2
LEFT_OUT = "PostgreSQL, RabbitMQ, Mosquitto, Chromium"


def main(argv: Sequence[str]) -> int:
    """Run the tests; the result is pytest's exit status, 1 where a service failed."""
    # Also where a shell started us in the background, which ignores SIGINT there, for pytest too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGHUP, _terminate)
    arguments = [word for word in argv if word != "--no-services"]
    if len(arguments) < len(argv):
        say(f"--no-services: tests that need {LEFT_OUT} are left out")
        return _run(stages(arguments, services_too=False), {"POLYMETER_TEST_NO_SERVICES": "1"})

    if missing := missing_packages():
        try:
            debian.install(missing)
        except debian.MissingPackages as error:
            say(f"the tests need services that are not installed; {error}\nor leave them out: --no-services")
            return 2
    with Supervisor(services.SERVICES) as supervisor:
        browser = {"POLYMETER_TEST_CHROMIUM": chromium() or ""}
        code = _run(stages(arguments), supervisor.environment() | browser, supervisor.watch)
        failures = supervisor.failures()
    for failure in failures:
        say(failure)
    return code or int(bool(failures))


def stages(arguments: Sequence[str], *, services_too: bool = True) -> list[list[str]]:
    """The pytest command lines, in order.

    The last one always finds tests: without services that is the parallel stage.
    """
    if arguments:
        return [list(arguments)]
    cores = ["-n", str(len(os.sched_getaffinity(0)))]
    parallel = [*cores, "-m", "not services and not serial"]
    if services_too:
        return [parallel, [*cores, "-m", "services and not serial"], ["-m", "serial"]]
    return [["-m", "serial and not services"], parallel]


def chromium() -> str | None:
    """The browser that the page tests drive."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def missing_packages() -> list[str]:
    """Debian packages of what is not installed."""
    names = [service.package for service in services.SERVICES if service.program() is None]
    if chromium() is None:
        names.append("chromium")
    if shutil.which("curl") is None:
        names.append("curl")  # the how-to of the HTTP interface speaks it, and is run
    try:
        ctypes.CDLL("libatomic.so.1")
    except OSError:
        names.append("libatomic1")  # what drives the browser is linked to it, and a bare machine has none
    return names


def _run(commands: Sequence[Sequence[str]], addresses: dict[str, str], watch: Watch | None = None) -> int:
    """Run the stages; no test collected is a failure only where no stage found any."""
    env = os.environ | addresses
    codes: list[int] = []
    for command in commands:
        started = time.monotonic()
        codes.append(_pytest(command, env, watch))
        if codes[-1] == INTERRUPTED:
            return INTERRUPTED
        if len(codes) < len(commands):
            say(f"stage {len(codes)} of {len(commands)} took {time.monotonic() - started:.0f} s")
    found = [code for code in codes if code != NOTHING_COLLECTED]
    return max(found, default=NOTHING_COLLECTED)


def _pytest(arguments: Sequence[str], env: dict[str, str], watch: Watch | None) -> int:
    command = [sys.executable, "-m", "pytest", *_without_missing_plugin(), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    if watch:
        watch(process)
    with _ended(process):
        return process.wait()


def _without_missing_plugin(root: Path = ROOT) -> list[str]:
    """The project announces a pytest plug-in; a checkout from before it was written has none to load."""
    source = root / "src" / "polymeter"
    there = (source / "testing.py").exists() or (source / "testing").is_dir()
    return [] if there else ["-p", "no:polymeter"]


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let an interrupted pytest finish its teardown before the services under it go."""
    try:
        yield
    except BaseException as error:
        # At a terminal, Ctrl-C has reached pytest already, and a second one would break off its teardown.
        if not (isinstance(error, KeyboardInterrupt) and sys.stdin.isatty()):
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        if process.poll() is None:
            process.kill()
            process.wait()
        raise


def _terminate(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("interrupted; services are stopped")
        sys.exit(130)
