import io
import logging

import structlog
from prometheus_client import CollectorRegistry

from polymeter.observe import Metrics, exposition, redactor, set_up_logs


def test_secrets_are_taken_out_by_name_by_value_and_from_urls() -> None:
    redact = redactor(["made-up-value"])
    event = {
        "event": "key made-up-value used",
        "password": "x",
        "auth_key": "00ff",
        "url": "dlms://h:1?auth=low&password=abc&client=1",
        "broker": "amqp://user:pw@host/",
        "detail": {"token": "t", "meter": "M1"},
        "keyboard": "kept",
    }
    clean = redact(None, "info", event)
    assert clean == {
        "event": "key *** used",
        "password": "***",
        "auth_key": "***",
        "url": "dlms://h:1?auth=low&password=***&client=1",
        "broker": "amqp://***@host/",
        "detail": {"token": "***", "meter": "M1"},
        "keyboard": "kept",
    }


def test_logs_go_to_stderr_only(capsys: object) -> None:
    import pytest

    assert isinstance(capsys, pytest.CaptureFixture)
    before = logging.getLogger().handlers[:]
    try:
        set_up_logs(json=True)
        structlog.get_logger().info("ready", secret="made-up")
        out, err = capsys.readouterr()
    finally:
        logging.getLogger().handlers[:] = before
        structlog.reset_defaults()
    assert out == ""
    assert '"event": "ready"' in err
    assert "made-up" not in err
    assert isinstance(io.StringIO(err).read(), str)


def test_metrics_are_exposed_in_prometheus_text() -> None:
    registry = CollectorRegistry()
    Metrics(registry).readings.labels("stored").inc(3)
    assert b'polymeter_readings_total{outcome="stored"} 3.0' in exposition(registry)
