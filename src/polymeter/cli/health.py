"""What `doctor` says of the platform: settings, store, broker, secret key, clock.

Nothing is created or changed: a store that is not there yet is a note, not a failure.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from polymeter.settings import InvalidSettings, Settings
from polymeter.store import SchemaOutdated, Store, StoreUnavailable

__all__ = ["findings"]

State = tuple[str, str, str]

_ANSWER_S: Final = 5.0
_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this version's year is wrong for certain."""


def findings() -> list[State]:
    """All that was found, as (state, subject, message)."""
    try:
        settings = Settings.load(os.environ)
    except InvalidSettings as error:
        return [("fail", "settings", str(error))]
    return asyncio.run(_all(settings))


async def _all(settings: Settings) -> list[State]:
    return [
        ("ok", "settings", f"data in {settings.data_dir}"),
        *[found async for found in _store(settings)],
        *[found async for found in _broker(settings)],
        *_key(settings),
        _clock(),
    ]


async def _store(settings: Settings) -> AsyncIterator[State]:
    url = settings.database
    if _is_missing_file(url):
        yield "note", "store", "SQLite, not made yet: polymeter serve makes it"
        return
    try:
        async with await Store.open(url) as store:
            yield "ok", "store", f"{store.engine}, schema up to date"
    except SchemaOutdated as error:
        yield "fail", "store", f"{error}: run polymeter db upgrade"
    except (StoreUnavailable, ValueError) as error:
        yield "fail", "store", str(error)


def _is_missing_file(url: str) -> bool:
    return url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists()


async def _broker(settings: Settings) -> AsyncIterator[State]:
    for name, url, default in (("AMQP", settings.amqp_url, 5672), ("MQTT", settings.mqtt_url, 1883)):
        if url is None:
            yield (
                "note",
                f"broker {name}",
                "none set" + ("; the bus is in the process" if name == "AMQP" else ""),
            )
            continue
        where = urlsplit(url)
        host, port = where.hostname or "localhost", where.port or default
        try:
            async with asyncio.timeout(_ANSWER_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            yield "fail", f"broker {name}", f"{host} port {port} does not answer: {error or 'no answer'}"
        else:
            writer.close()
            yield "ok", f"broker {name}", f"{host} port {port} answers"


def _key(settings: Settings) -> list[State]:
    if settings.secret_key is not None:
        short = len(settings.secret_key) < 16
        return [("fail" if short else "ok", "secret key", "shorter than 16 characters" if short else "set")]
    path = settings.data_dir / "secret_key"
    if not path.exists():
        return [
            ("note", "secret key", f"not set: one is made in {path}; keep a copy, it opens stored secrets")
        ]
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return [("fail", "secret key", f"others can read {path}: chmod 600 {path}")]
    return [("ok", "secret key", f"in {path}")]


def _clock() -> State:
    now = datetime.now(UTC)
    if now < _BUILT:
        return "fail", "clock", f"it shows {now:%Y-%m-%d}: set it, readings would be stamped wrong"
    return "ok", "clock", f"{now:%Y-%m-%dT%H:%M:%SZ}"
