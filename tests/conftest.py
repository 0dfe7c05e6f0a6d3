"""Fixtures for the real services, and the count of vectors that ran.

``python3 dev.py test`` starts the services and tells their addresses by the environment. A test that asks for
one of the fixtures below is marked ``services`` by that alone, and ``serial`` if it asks for the services
themselves, which it may kill. With ``--no-services`` those tests are deselected and the summary says so;
without ``dev.py`` around they fail rather than skip.
"""

import inspect
import os

import pytest
from hypothesis import settings

from tests.vectors import count_line
from tools.control import Client

# A busy machine is no failure: no test is judged by the clock.
settings.register_profile("polymeter", deadline=None)
settings.load_profile("polymeter")

SERVICE_FIXTURES = frozenset({"services", "postgres_url", "amqp_url", "mqtt_url", "chromium_path"})
LEFT_OUT = pytest.StashKey[int]()


def _setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: run the tests with `python3 dev.py test`", pytrace=False)
    return value


@pytest.fixture(scope="session")
def services() -> Client:
    """Kills, starts and restarts one service: ``services.restart("postgres")``, "rabbitmq" or "mosquitto"."""
    return Client(_setting("POLYMETER_TEST_CONTROL"))


@pytest.fixture(scope="session")
def postgres_url(services: Client) -> str:
    """A PostgreSQL superuser's address; make a database of your own in it."""
    services.wait("postgres")
    return _setting("POLYMETER_TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def amqp_url(services: Client) -> str:
    """RabbitMQ, virtual host ``/``; name queues and exchanges after the test."""
    services.wait("rabbitmq")
    return _setting("POLYMETER_TEST_AMQP_URL")


@pytest.fixture(scope="session")
def mqtt_url(services: Client) -> str:
    """Mosquitto, anonymous; keeps sessions on disk, saved every second."""
    services.wait("mosquitto")
    return _setting("POLYMETER_TEST_MQTT_URL")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The executable for ``playwright``'s ``launch(executable_path=…)``."""
    return _setting("POLYMETER_TEST_CHROMIUM")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a service, before ``-m`` looks at the marks; leave it out where that was asked for."""
    for item in items:
        if SERVICE_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)
        if isinstance(item, pytest.Function) and "services" in inspect.signature(item.function).parameters:
            item.add_marker(pytest.mark.serial)  # it can kill what others speak to
    if os.environ.get("POLYMETER_TEST_NO_SERVICES"):
        left_out = [item for item in items if item.get_closest_marker("services")]
        items[:] = [item for item in items if not item.get_closest_marker("services")]
        config.stash[LEFT_OUT] = len(left_out)
        config.hook.pytest_deselected(items=left_out)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the report of a test that is parametrized over vectors carry which one it was."""
    callspec = getattr(item, "callspec", None)
    values: list[object] = list(callspec.params.values()) if callspec else []
    for value in values:
        if isinstance(value, dict) and "origin" in value and "protocol" in value:
            item.user_properties.append(("vector", f"{value['folder']}|{value['origin']}|{value['id']}"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the vectors of every test that ran; under xdist this is called where the reports arrive."""
    if report.when == "call" and not report.skipped:
        _ran.update(str(value) for name, value in report.user_properties if name == "vector")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, and how many vectors ran."""
    left_out = config.stash.get(LEFT_OUT, 0)
    if os.environ.get("POLYMETER_TEST_NO_SERVICES"):
        count = f"{left_out} tests" if left_out else "the tests"
        terminalreporter.write_line(
            f"--no-services left out {count} that need PostgreSQL, RabbitMQ, Mosquitto or Chromium"
        )
    if _ran:
        terminalreporter.write_line(count_line(_ran))


_ran: set[str] = set()
