"""Values to data records: the inverse of `records`, for what we say ourselves and for simulators."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from polymeter.protocols.mbus import data_types
from polymeter.protocols.mbus.headers import SIZES, VARIABLE, Header, Layout, layout
from polymeter.protocols.mbus.records import NO_VALUE, TEXT_MAX, variable_size
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Value

__all__ = ["encode_record"]

_DATE_SIZES: Final = {date: 2, time: 3, datetime: 6}


def encode_record(header: Header | bytes, value: Value, *, variable: int | None = None) -> bytes:
    """A record as it travels; the inverse of decoding it.

    Args:
        header: DIB and VIB, by their parts or as bytes (then without plain text).
        value: what decoding the record gives.
        variable: the length byte, where data of variable length can be told in several ways.

    Raises:
        LocalProtocolError: the value does not fit the header.
    """
    encoded = bytes(header)
    text = header.text if isinstance(header, Header) and header.vib[0] & 0x7F == 0x7C else None
    bare = encoded[: -1 - len(text)] if text is not None else encoded
    if bare[0] & 0x0F == 0x0F:
        raise LocalProtocolError("a special function is no record")
    try:
        plan = layout(bare, text)
    except (RemoteProtocolError, IndexError) as error:
        raise LocalProtocolError(f"{bare.hex()} is no record header: {error}") from error
    return encoded + _encode_value(plan, value, variable)


def _encode_value(plan: Layout, value: Value, variable: int | None) -> bytes:
    size, meaning = SIZES[plan.field], plan.meaning
    if size == 0:
        if value is not None:
            raise LocalProtocolError("a record without data has no value")
        return b""
    if value is None and meaning.error in NO_VALUE:
        return bytes(max(size, 1))
    if plan.field == VARIABLE:
        return _encode_variable(plan, value, variable)
    if plan.field == 5 and (value is None or isinstance(value, int | Decimal)):
        return data_types.encode_real(None if value is None else _unscaled(plan, value))
    if plan.field > 8 and isinstance(value, int | str | Decimal):
        return data_types.encode_bcd(value if isinstance(value, str) else _integer(plan, value), size)
    match value:
        case bytes() if len(value) == size:
            return value
        case None | str() | date() | time() if meaning.kind == "date":
            return _encode_date(value, size)
        case int() | Decimal():
            unsigned = meaning.unsigned or meaning.kind == "identification"
            return data_types.encode_integer(_integer(plan, value), size, unsigned)
        case _:
            raise LocalProtocolError(f"{value!r} does not fit {meaning.name} in {size} bytes")


def _encode_date(value: str | date | time | None, size: int) -> bytes:
    """A date, a time of day or both, in the type that has this size."""
    match value:
        case None | str() | datetime() if size == 4:
            return data_types.encode_date_time(value)
        case None | str() | datetime() if size == 6:
            return data_types.encode_local_time(value)
        case str() | time() if size == 3:
            return data_types.encode_time(value)
        case str() | date() if size == 2 and not isinstance(value, datetime):
            return data_types.encode_date(value)
        case None:
            return b"\xff" * size
        case _:
            raise LocalProtocolError(f"{value!r} is no date or time of {size} bytes")


def _unscaled(plan: Layout, value: int | Decimal) -> Decimal:
    number = Decimal(value)
    if plan.meaning.addend is not None:
        number = data_types.exact.subtract(number, plan.meaning.addend)
    number = data_types.exact.scaleb(number, -plan.meaning.exponent)
    return number if plan.meaning.factor == 1 else data_types.exact.divide(number, plan.meaning.factor)


def _integer(plan: Layout, value: int | Decimal) -> int:
    number = _unscaled(plan, value)
    if number != number.to_integral_value(context=data_types.exact):
        raise LocalProtocolError(f"{value} has more decimals than {plan.meaning.name} can tell")
    return int(number)


def _encode_variable(plan: Layout, value: Value, variable: int | None) -> bytes:
    """Data of variable length behind its length byte."""
    if plan.meaning.kind == "date" and isinstance(value, str | date | time | None):
        size = _DATE_SIZES.get(type(value), 6) if variable is None else variable & 0x0F
        if size in (2, 3, 4, 6) and (variable is None or variable >> 4 == 0xE):
            return bytes((0xE0 + size,)) + _encode_date(value, size)
    match value:
        case str() if variable is None or variable < 0xC0:
            body = data_types.encode_text(value)
            kind = len(body)
            if kind > TEXT_MAX:
                raise LocalProtocolError(f"a text has at most {TEXT_MAX} characters, not {kind}")
        case str():
            kind = variable or 0
            body = data_types.encode_bcd(value, kind & 0x0F)
        case bytes():
            body, kind = value, _binary_kind(len(value)) if variable is None else variable
        case int() | Decimal():
            number = _integer(plan, value)
            if variable is not None and variable >= 0xE0:
                size = variable_size(variable) or 0
                body, kind = data_types.encode_integer(number, size, plan.meaning.unsigned), variable
            else:
                size = (len(str(abs(number))) + 1) // 2 if variable is None else variable & 0x0F
                body = data_types.encode_bcd(abs(number), size)
                kind = (0xC0 if number >= 0 else 0xD0) + size if variable is None else variable
        case _:
            raise LocalProtocolError(f"{value!r} has no form of variable length")
    if variable_size(kind) != len(body) or not 0 <= kind <= 0xFF:
        raise LocalProtocolError(f"{len(body)} bytes do not fit the length byte {kind:02X}")
    return bytes((kind,)) + body


def _binary_kind(size: int) -> int:
    if size < 16:
        return 0xE0 + size
    if size <= 32 and size % 4 == 0:
        return 0xEC + size // 4
    kinds = {48: 0xF5, 64: 0xF6}
    if size not in kinds:
        raise LocalProtocolError(f"there is no length byte for {size} bytes")
    return kinds[size]
