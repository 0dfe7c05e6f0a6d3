"""Whether bytes are records, where nothing but themselves can tell.

A reserved security mode may stand over plain data, and old ciphers prescribe no mark by which a right key
is known. That a run of bytes can be read as records to its end says little: one in ten random ones can.
What is asked for here was measured with random bytes, and with the telegrams of many meters.
"""

from __future__ import annotations

from typing import Final

from polymeter.protocols.mbus import Records
from polymeter.protocols.wire import Record

__all__ = ["are_records", "make_sense"]

_TOTALS: Final = frozenset(("energy", "volume", "heat_cost_allocation"))
_PRESENT: Final = 0x10
"""A DIF below is a present value without extension."""
_NO_DATA: Final = (0x00, 0x08)
_BCD: Final = (0x09, 0x0A, 0x0B, 0x0C, 0x0E)
_VARIABLE: Final = 0x0D
_EXTENSIONS_MAX: Final = 2
"""Of each kind; few records of meters have more."""
_MANY: Final = 5
_PER_DOUBT: Final = 4
_BEFORE_OPAQUE: Final = 3
"""Records before a manufacturer's data, which any bytes behind a 0F seem to be."""


def are_records(found: Records) -> bool:
    """Whether a run is records beyond doubt: a present one first, and then many good ones or a total.

    Five are many, and each that is not good wants four more. Fewer must all be good, and one of them a
    present total. Of random bytes one run of twelve in eight thousand is, and fewer of longer ones.
    """
    records, whole = _readable(found)
    if not whole or records[0].raw[0] >= _PRESENT:
        return False
    good = sum(map(_good, records))
    if good >= _MANY + _PER_DOUBT * (len(records) - good):
        return True
    return good == len(records) and any(
        record.name in _TOTALS and record.raw[0] < _PRESENT for record in records
    )


def make_sense(found: Records) -> bool:
    """Whether a run is most likely records, which is asked of what a key has opened: most are good.

    Of random bytes one run in fifty is. Of meters' telegrams five in six are: the others have codes of
    their makers.
    """
    records, whole = _readable(found)
    good = sum(map(_good, records))
    return (whole and good >= 2 * (len(records) - good) and good > 1) or are_records(found)


def _readable(found: Records) -> tuple[list[Record], bool]:
    """The records before a manufacturer's data, and whether they are enough to judge by."""
    records = found.records
    opaque = bool(records) and records[-1].name == "manufacturer_data"
    records = records[:-1] if opaque else records
    return records, not found.broken and len(records) >= (_BEFORE_OPAQUE if opaque else 1)


def _good(record: Record) -> bool:
    """Whether a record says what meters say: a known quantity, and a value that is one."""
    value, field = record.value, record.raw[0] & 0x0F
    if field in _NO_DATA or value is None or record.quantity == "unknown":
        return False
    if field in _BCD and isinstance(value, str) and not value.isdigit():
        return False
    return not (field == _VARIABLE and isinstance(value, bytes)) and _is_short(record.raw)


def _is_short(raw: bytes) -> bool:
    """Whether a record's header has few extensions."""
    dib = next(at for at, byte in enumerate(raw) if not byte & 0x80)
    vib = next(at for at in range(dib + 1, len(raw)) if not raw[at] & 0x80)
    return dib <= _EXTENSIONS_MAX and vib - dib - 1 <= _EXTENSIONS_MAX
