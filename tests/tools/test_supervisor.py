"""Services start in the background, restart on demand, and are gone afterwards, whatever happened."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.control import Client, ControlError
from tools.environment import ROOT
from tools.reaper import start_time
from tools.services import Service
from tools.supervisor import Supervisor

SERVER = """
import pathlib, socket, sys
starts = pathlib.Path("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


class Echo(Service):
    """A daemon that counts its starts in its data folder."""

    name = "echo"
    package = "echo"
    account = "nobody"
    variable = "ECHO_URL"
    start_s = 20

    @property
    def url(self) -> str:
        return f"echo://127.0.0.1:{self.port}"

    def user(self) -> str | None:
        return None

    def command(self) -> list[str]:
        return [sys.executable, "-c", SERVER, str(self.port)]

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Broken(Echo):
    """A daemon that ends at once, saying why."""

    name = "broken"
    variable = "BROKEN_URL"
    start_s = 1.0

    def command(self) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('the configuration is wrong')"]


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor([Echo, Broken]) as running:
        yield running


@pytest.fixture
def client(supervisor: Supervisor) -> Client:
    return Client(supervisor.environment()["POLYMETER_TEST_CONTROL"])


def test_a_restart_keeps_data_and_port(supervisor: Supervisor, client: Client) -> None:
    client.wait("echo")
    assert (client.folder("echo") / "starts").read_text() == "x"
    client.restart("echo")
    assert (client.folder("echo") / "starts").read_text() == "xx"
    port = int(supervisor.environment()["ECHO_URL"].rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_what_was_ended_is_down_until_it_is_started(supervisor: Supervisor, client: Client, end: str) -> None:
    client.wait("echo")
    port = int(supervisor.environment()["ECHO_URL"].rpartition(":")[2])
    getattr(client, end)("echo")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    client.start("echo")
    socket.create_connection(("127.0.0.1", port)).close()


def test_a_service_that_does_not_start_fails_with_its_log(supervisor: Supervisor, client: Client) -> None:
    with pytest.raises(ControlError, match="the configuration is wrong"):
        client.wait("broken")
    assert "broken did not start" in supervisor.failures()[0]


def test_a_wrong_name_is_answered_with_the_right_ones(client: Client) -> None:
    with pytest.raises(ControlError, match="there are echo, broken"):
        client.wait("ehco")


def test_afterwards_nothing_is_left(tmp_path: Path) -> None:
    with Supervisor([Echo]) as supervisor:
        supervisor.command("wait", "echo")
        port = int(supervisor.environment()["ECHO_URL"].rpartition(":")[2])
    assert not supervisor.folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_killed_supervisor_leaves_nothing_either(tmp_path: Path) -> None:
    code = (
        "import time\nfrom tests.tools.test_supervisor import Echo\nfrom tools.supervisor import Supervisor\n"
        "with Supervisor([Echo]) as s:\n"
        "    s.command('wait', 'echo')\n"
        "    run = s._runs['echo']\n"
        "    print(s.folder, run._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        folder, pid = process.stdout.readline().split()
        assert start_time(int(pid))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 15
    while (start_time(int(pid)) and not _zombie(int(pid))) or Path(folder).exists():
        assert time.monotonic() < deadline, "the reaper did not clean up"
        time.sleep(0.05)


def _zombie(pid: int) -> bool:
    # Where the first process of a container adopts but does not reap, an ended process stays listed.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
