"""What meters get wrong in their telegrams, and how it is mended: record in, record out.

A meter type lists its quirks by name. A quirk is applied where the type was recognised, or chosen
by the meter's owner; never to a telegram of an unknown meter, which is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

from polymeter.protocols.wire import Record

__all__ = ["QUIRKS", "mended"]


def _unsigned_numbers(record: Record) -> Record:
    """Power that is not negative, sent in one to three octets, is unsigned although marked as signed.

    DZG DVS74 before serial number 60 000 000: 356.24 W is sent as the integer 8B28, which reads as
    -299.12 W. Power that is negative comes in four octets and reads rightly (volkszaehler/libsml
    issues 59 and 105, confirmed there by the manufacturer).
    """
    value, raw = record.value, record.raw
    if record.unit != "W" or not isinstance(value, int | Decimal) or not 0x52 <= raw[0] <= 0x54:
        return record
    number = int.from_bytes(raw[1:], "big", signed=True)
    if number >= 0:
        return record
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    assert isinstance(exponent, int)  # an SML number is finite
    unsigned = Decimal(int.from_bytes(raw[1:], "big")).scaleb(exponent)
    return record._replace(value=unsigned if isinstance(value, Decimal) else int(unsigned))


def _codes_of_its_own(record: Record) -> Record:
    """Codes that look like OBIS codes of an electricity meter and are none.

    Heat meters with an optical head name heat 6.8 and volume 6.26, as EDIS had it before OBIS: read as
    reduced OBIS codes these would be reactive energies.
    """
    return record._replace(obis=None)


QUIRKS: Final[Mapping[str, Callable[[Record], Record]]] = {
    "unsigned-numbers": _unsigned_numbers,
    "codes-of-its-own": _codes_of_its_own,
}


def mended(record: Record, quirks: Iterable[str]) -> Record:
    """The record as the meter meant it."""
    for quirk in quirks:
        record = QUIRKS[quirk](record)
    return record
