"""Logs and metrics: structured lines on stderr with secrets taken out, and one registry of counters."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["REGISTRY", "Metrics", "exposition", "metrics", "redactor", "set_up_logs"]

REDACTED: Final = "***"
_SECRET_NAME: Final = re.compile(
    r"(^|_)(password|passwd|secret|token|authorization|auth_key|key|kek|cookie|private)(_|$)",
    re.IGNORECASE,
)
_CREDENTIALS: Final = re.compile(
    r"(?<=://)[^/@\s]+(?=@)|(?<=[?&]password=)[^&\s]+|(?<=[?&]key=)[^&\s]+|(?<=auth_key=)[^&\s]+"
)

EventDict = MutableMapping[str, Any]


def redactor(secrets: Iterable[str] = ()) -> structlog.types.Processor:
    """A processor that blanks fields named like a secret, credentials in URLs and the given values."""
    known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)

    def clean(value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            for secret in known:
                value = value.replace(secret, REDACTED)
            return _CREDENTIALS.sub(REDACTED, value)
        if depth < 4 and isinstance(value, dict):
            return {key: _field(str(key), item, depth + 1) for key, item in value.items()}
        if depth < 4 and isinstance(value, list | tuple):
            return [clean(item, depth + 1) for item in value]
        return value

    def _field(name: str, value: Any, depth: int) -> Any:
        if _SECRET_NAME.search(name):
            return REDACTED
        return clean(value, depth)

    def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {key: _field(key, value, 0) for key, value in event.items()}

    return redact


def set_up_logs(level: str = "info", *, json: bool = False, secrets: Iterable[str] = ()) -> None:
    """Send structured logs to stderr; results own stdout."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redactor(secrets),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


REGISTRY: Final = CollectorRegistry()


class Metrics:
    """What the platform counts. Labels are few and bounded: never a meter, never an organization."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.readings = Counter(
            "polymeter_readings", "Readings handed to ingest, by outcome.", ["outcome"], registry=registry
        )
        self.ingest_seconds = Histogram(
            "polymeter_ingest_seconds", "Time to commit one batch.", registry=registry
        )
        self.frames = Counter(
            "polymeter_frames", "Frames, by what became of them.", ["status"], registry=registry
        )
        self.published = Counter("polymeter_published", "Stored readings told to others.", registry=registry)
        self.dead_letters = Counter("polymeter_dead_letters", "Messages given up.", registry=registry)
        self.task_runs = Counter(
            "polymeter_task_runs", "Task runs, by how they ended.", ["status"], registry=registry
        )
        self.outbox_waiting = Gauge(
            "polymeter_outbox_waiting", "Batches not yet published.", registry=registry
        )


metrics: Final = Metrics(REGISTRY)


def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """The metrics in Prometheus' text form."""
    return generate_latest(registry)
