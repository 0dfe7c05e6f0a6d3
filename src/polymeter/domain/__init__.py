"""What readings are about: frozen values, no IO, the standard library only."""

from polymeter.domain.clock import Clock, SimulatedClock, SystemClock
from polymeter.domain.instants import (
    InvalidInstant,
    from_second,
    localize,
    reading_id,
    split_reading_id,
    to_second,
)
from polymeter.domain.meter import (
    Alias,
    Channel,
    Meter,
    MeterConfig,
    MeterType,
    NetworkInterface,
    Scheme,
    Series,
    SeriesKind,
)
from polymeter.domain.names import canonical_series
from polymeter.domain.organization import Membership, Organization, Role, Token, User
from polymeter.domain.period import Period
from polymeter.domain.quality import Quality, UnknownQuality
from polymeter.domain.reading import Reading, Revision
from polymeter.domain.source import RANK, Source, UnknownSource, wins
from polymeter.domain.units import UNITS, UnitMismatch, convert, shift
from polymeter.domain.values import Exact, InvalidValue, parse_value, plain

__all__ = [
    "RANK",
    "UNITS",
    "Alias",
    "Channel",
    "Clock",
    "Exact",
    "InvalidInstant",
    "InvalidValue",
    "Membership",
    "Meter",
    "MeterConfig",
    "MeterType",
    "NetworkInterface",
    "Organization",
    "Period",
    "Quality",
    "Reading",
    "Revision",
    "Role",
    "Scheme",
    "Series",
    "SeriesKind",
    "SimulatedClock",
    "Source",
    "SystemClock",
    "Token",
    "UnitMismatch",
    "UnknownQuality",
    "UnknownSource",
    "User",
    "canonical_series",
    "convert",
    "from_second",
    "localize",
    "parse_value",
    "plain",
    "reading_id",
    "shift",
    "split_reading_id",
    "to_second",
    "wins",
]
