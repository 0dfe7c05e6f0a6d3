"""The real services that the tests use: how each is found, prepared, started and known to be ready.

A `Service` only describes; `tools.supervisor` runs it. Every service gets a data folder, a port and
credentials of its own and listens on the loopback alone, so that nothing here meets a service the machine
already runs. Binaries are called directly, without systemd; as root each runs under the account its Debian
package made, because PostgreSQL refuses root and the others need not have it.
"""

import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

__all__ = [
    "SERVICES",
    "Mosquitto",
    "PostgreSQL",
    "RabbitMQ",
    "Service",
]


class Service:
    """One daemon: where it is, what it is called with, whether it answers."""

    name: ClassVar[str]
    package: ClassVar[str]
    account: ClassVar[str]
    variable: ClassVar[str]
    ports: ClassVar[int] = 1
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    start_s: ClassVar[float] = 120
    """Recovery after a kill reads all that was written; on a busy machine that takes its time."""

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self.folder = folder
        self.port, *self.more_ports = ports
        self.password = secrets.token_urlsafe(12)

    @classmethod
    def program(cls) -> str | None:
        """The daemon's executable, or None where it is not installed."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The address that the tests get."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make data and configuration, once."""

    def helpers(self) -> list[list[str]]:
        """Commands that run beside the daemon and stay up while it is restarted."""
        return []

    def command(self) -> list[str]:
        """The daemon in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The whole environment of its processes; the caller's is not passed on."""
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}

    def is_ready(self) -> bool:
        """Whether it answers in its own protocol."""
        raise NotImplementedError

    def user(self) -> str | None:
        """The account to run under: the package's when root, else the caller's own."""
        return self.account if os.geteuid() == 0 else None

    def own(self, path: Path) -> None:
        """Give a path to the account that the service runs under, and to nobody else."""
        path.chmod(0o700 if path.is_dir() else 0o600)
        if user := self.user():
            entry = pwd.getpwnam(user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def write(self, name: str, text: str) -> Path:
        """Write a file that the service reads."""
        path = self.folder / name
        path.write_text(text)
        self.own(path)
        return path


class PostgreSQL(Service):
    """A cluster of its own, with durable defaults."""

    name = "postgres"
    package = "postgresql"
    account = "postgres"
    variable = "POLYMETER_TEST_POSTGRES_URL"
    # Immediate shutdown: ends the backends too, and the data folder is thrown away anyway.
    stop_signal = signal.SIGQUIT

    @classmethod
    def program(cls) -> str | None:
        """The newest ``postgres``; Debian keeps it out of the path."""
        places = glob.glob("/usr/lib/postgresql/*/bin/postgres")
        newest = max(places, key=lambda place: float(place.split("/")[4]), default=None)
        return newest or shutil.which("postgres")

    @property
    def url(self) -> str:
        """A libpq address of the superuser."""
        return f"postgresql://polymeter:{self.password}@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        """Make the cluster; a password even on the loopback, since a superuser may run programs."""
        password = self.write("password", self.password)
        command = [self._tool("initdb"), "--pgdata", str(self.folder / "data"), "--username", "polymeter"]
        command += ["--auth", "scram-sha-256", "--pwfile", str(password), "--encoding", "UTF8"]
        done = subprocess.run(
            [*command, "--locale", "C.UTF-8", "--no-sync"],
            user=self.user(),
            group=self.user(),
            extra_groups=[] if self.user() else None,
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")

    def command(self) -> list[str]:
        """TCP only: the path of a socket in a temporary folder may be too long."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            # After a kill every file is synced; file by file that takes a minute where tests made many.
            "recovery_init_sync_method": "syncfs",
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [self.program() or "postgres", "-D", str(self.folder / "data"), "-p", str(self.port), *options]

    def is_ready(self) -> bool:
        """Asked by the server's own tool: an open port is not yet a database."""
        command = [self._tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        return subprocess.run(command, check=False, env=self.environment()).returncode == 0

    def _tool(self, name: str) -> str:
        beside = Path(os.path.realpath(self.program() or "postgres")).parent / name
        return str(beside) if beside.exists() else name


class RabbitMQ(Service):
    """A node of its own beside an ``epmd`` of its own; without the latter it would share the machine's."""

    name = "rabbitmq"
    package = "rabbitmq-server"
    account = "rabbitmq"
    variable = "POLYMETER_TEST_AMQP_URL"
    ports = 3
    # Its data folder is thrown away, and an orderly stop takes seconds.
    stop_signal = signal.SIGKILL
    start_s = 120

    @classmethod
    def program(cls) -> str | None:
        """The real script; the one in Debian's path insists on being root."""
        places = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
        return next((place for place in places if Path(place).exists()), shutil.which("rabbitmq-server"))

    @property
    def url(self) -> str:
        """An AMQP address of the administrator, virtual host ``/``."""
        return f"amqp://polymeter:{self.password}@127.0.0.1:{self.port}/"

    def prepare(self) -> None:
        """Write the configuration; the quorum queues' logs are pre-allocated, so keep them small."""
        lines = [
            f"listeners.tcp.local = 127.0.0.1:{self.port}",
            "default_user = polymeter",
            f"default_pass = {self.password}",
            "disk_free_limit.absolute = 50MB",
            "raft.wal_max_size_bytes = 67108864",
            "log.console = true",
            "log.console.level = info",
            "log.file = false",
        ]
        self.write("rabbitmq.conf", "\n".join(lines) + "\n")
        self.write("enabled_plugins", "[].\n")
        self.write("env.conf", "")
        self.write(".erlang.cookie", secrets.token_hex(16)).chmod(0o400)

    def helpers(self) -> list[list[str]]:
        """The Erlang port mapper, in the foreground: started by Erlang it would outlive us."""
        return [[shutil.which("epmd") or "epmd", "-port", str(self.more_ports[0]), "-address", "127.0.0.1"]]

    def command(self) -> list[str]:
        """The server; where it keeps things comes by the environment."""
        return [self.program() or "rabbitmq-server"]

    def environment(self) -> dict[str, str]:
        """Everything that would otherwise be shared with the machine's own node."""
        epmd_port, dist_port = self.more_ports
        erlang = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        return super().environment() | {
            "RABBITMQ_NODENAME": f"polymeter-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "env.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the server instead of watching over it
        }

    def is_ready(self) -> bool:
        """Ready when the AMQP header is answered by Connection.Start (a method frame, type 1)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


class Mosquitto(Service):
    """An MQTT broker that keeps sessions on disk and does not drop queued messages silently."""

    name = "mosquitto"
    package = "mosquitto"
    account = "mosquitto"
    variable = "POLYMETER_TEST_MQTT_URL"

    @classmethod
    def program(cls) -> str | None:
        """``mosquitto``; Debian keeps it out of an ordinary user's path."""
        return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")

    @property
    def url(self) -> str:
        """Anonymous, on the loopback alone."""
        return f"mqtt://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the configuration.

        Sessions are saved every second, and not at each change, which would write the whole database each
        time. A kill may thus lose the last second although its messages were acknowledged: that is what
        Mosquitto promises, and what our receivers must live with.
        """
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_interval 1",
            "max_queued_messages 1000000",
            "max_queued_bytes 0",
            "max_inflight_messages 1000",
            "log_dest stdout",
        ]
        if user := self.user():
            lines.append(f"user {user}")
        self.write("mosquitto.conf", "\n".join(lines) + "\n")

    def command(self) -> list[str]:
        """The broker."""
        return [self.program() or "mosquitto", "-c", str(self.folder / "mosquitto.conf")]

    def is_ready(self) -> bool:
        """Ready when a CONNECT is answered by CONNACK with code 0."""
        connect = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x05\x00\x03dev"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(connect)
                return connection.recv(4) == b"\x20\x02\x00\x00"
        except OSError:
            return False


SERVICES: tuple[type[Service], ...] = (PostgreSQL, RabbitMQ, Mosquitto)
