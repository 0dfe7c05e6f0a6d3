"""What is said about each service keeps it apart from whatever else runs on the machine."""

import socket
from pathlib import Path

import pytest

from tools import services
from tools.services import SERVICES, Mosquitto, PostgreSQL, RabbitMQ, Service
from tools.supervisor import free_ports


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.os, "geteuid", lambda: 1000)


def make(kind: type[Service], folder: Path) -> Service:
    return kind(folder, range(5001, 5001 + kind.ports))


def test_free_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", ports[0]))


def test_rabbitmq_shares_nothing_with_the_machines_own(tmp_path: Path) -> None:
    environment = make(RabbitMQ, tmp_path).environment()
    assert environment["ERL_EPMD_PORT"] == "5002"
    assert environment["RABBITMQ_DIST_PORT"] == "5003"
    for name, value in environment.items():
        if name.endswith(("_BASE", "_FILE", "_DIR")) or name == "HOME":
            assert value.startswith(str(tmp_path)), name


def test_rabbitmq_listens_on_the_loopback_alone(tmp_path: Path, ordinary_user: None) -> None:
    make(RabbitMQ, tmp_path).prepare()
    assert "listeners.tcp.local = 127.0.0.1:5001" in (tmp_path / "rabbitmq.conf").read_text()
    assert (tmp_path / ".erlang.cookie").stat().st_mode & 0o777 == 0o400


def test_mosquitto_keeps_what_it_queues(tmp_path: Path, ordinary_user: None) -> None:
    make(Mosquitto, tmp_path).prepare()
    lines = (tmp_path / "mosquitto.conf").read_text().splitlines()
    assert "listener 5001 127.0.0.1" in lines
    assert "persistence true" in lines
    assert int(next(line for line in lines if line.startswith("max_queued_messages")).split()[1]) > 100_000


def test_postgres_asks_for_a_password_of_this_run(tmp_path: Path) -> None:
    first, second = make(PostgreSQL, tmp_path), make(PostgreSQL, tmp_path)
    assert first.url != second.url
    assert first.password in first.url


def test_services_run_under_their_own_accounts_when_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.os, "geteuid", lambda: 0)
    assert [make(kind, tmp_path).user() for kind in SERVICES] == ["postgres", "rabbitmq", "mosquitto"]


def test_an_ordinary_user_runs_them_as_himself(tmp_path: Path, ordinary_user: None) -> None:
    assert {make(kind, tmp_path).user() for kind in SERVICES} == {None}


@pytest.mark.parametrize("kind", SERVICES)
def test_nobody_there_is_not_ready(kind: type[Service], tmp_path: Path) -> None:
    if kind is PostgreSQL and PostgreSQL.program() is None:
        pytest.skip("asks PostgreSQL's own tool")
    assert not kind(tmp_path, free_ports(kind.ports)).is_ready()
