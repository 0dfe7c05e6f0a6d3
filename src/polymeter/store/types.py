"""Column types that mean the same on both engines: instants, moments, JSON, ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

__all__ = ["BigInt", "Instant", "Json", "Moment", "ceiling", "moment_from_micros", "moment_to_micros"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits on both; SQLite gives row ids only to a column spelt INTEGER."""

Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def moment_to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_from_micros(micros: int) -> datetime:
    """The moment of stored microseconds."""
    return _EPOCH + timedelta(microseconds=micros)


def ceiling(bound: datetime) -> datetime:
    """A bound as a whole second: `>= start` and `< stop` mean the same for instants, which have no finer one.

    Without it SQLite would cut the fraction off and PostgreSQL round it.
    """
    return bound.replace(microsecond=0) + timedelta(seconds=1) if bound.microsecond else bound


class Instant(sa.TypeDecorator[datetime]):
    """A reading's instant: whole seconds. `timestamptz(0)` on PostgreSQL, epoch seconds on SQLite."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True, precision=0))
        return dialect.type_descriptor(sa.Integer())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return int(value.timestamp())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(UTC)  # type: ignore[no-any-return]
        return datetime.fromtimestamp(value, UTC)


class Moment(sa.TypeDecorator[datetime]):
    """When something happened here: microseconds. `timestamptz` on PostgreSQL, an integer on SQLite."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.Integer())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return moment_to_micros(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(UTC)  # type: ignore[no-any-return]
        return moment_from_micros(value)
