"""Record headers (data and value information blocks): what a record is, how long, how to read it.

A fleet sends few headers over and over, so what a header means is worked out once and remembered
under its bytes; the table of memories is bounded. A `Layout` is a plain tuple: the decoding loop
unpacks it in one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, partial
from typing import Final, NamedTuple

from polymeter.protocols.mbus import data_types
from polymeter.protocols.mbus.vif import Meaning, describe_vib
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Value

__all__ = ["DIFE_MAX", "FUNCTIONS", "SIZES", "VARIABLE", "VIFE_MAX", "Header", "Layout", "layout"]

FUNCTIONS: Final = ("instantaneous", "maximum", "minimum", "error")
SIZES: Final = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, -2)
"""Bytes of data by data field (§ 6.3.3): -1 is told by the data itself, -2 is a special function."""
VARIABLE: Final = 0x0D
DIFE_MAX: Final = 10
VIFE_MAX: Final = 10
_REMEMBERED_MAX: Final = 4096

Convert = Callable[[bytes], Value]


class Layout(NamedTuple):
    """How to read the records of one header. Begins with what the decoding loop needs."""

    size: int
    convert: Convert
    name: str
    quantity: str
    unit: str | None
    storage: int
    tariff: int
    subunit: int
    function: str
    notable: bool
    """Whether the record may be more than a value: the time of others, or one the meter calls wrong."""
    meaning: Meaning
    field: int


@dataclass(frozen=True, slots=True)
class Header:
    """A record's header by its parts. `bytes(header)` is how it travels."""

    field: int
    """The data field: the low four bits of the DIF."""
    vib: bytes
    """The value information block without its plain text."""
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    function: str = "instantaneous"
    text: str = ""
    """The unit in plain text, where the code is 7C or FC."""

    def __bytes__(self) -> bytes:
        if not self.vib or any(byte & 0x80 for byte in self.vib[-1:]):
            raise LocalProtocolError("a value information block ends with a byte without extension bit")
        if self.function not in FUNCTIONS:
            raise LocalProtocolError(f"there is no function {self.function!r}")
        if not (0 <= self.storage < 2**41 and 0 <= self.tariff < 2**20 and 0 <= self.subunit < 2**10):
            raise LocalProtocolError("storage, tariff or subunit does not fit into ten DIFEs")
        first = self.field & 0x0F | FUNCTIONS.index(self.function) << 4 | (self.storage & 1) << 6
        storage, tariff, subunit = self.storage >> 1, self.tariff, self.subunit
        block = bytearray((first,))
        while storage or tariff or subunit:
            block[-1] |= 0x80
            block.append(storage & 0x0F | (tariff & 3) << 4 | (subunit & 1) << 6)
            storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
        block += self.vib
        if self.vib[0] & 0x7F == 0x7C:
            text = data_types.encode_text(self.text)
            block.append(len(text))
            block += text
        return bytes(block)


_answers: dict[bytes, Layout] = {}
_commands: dict[bytes, Layout] = {}


def remembered(command: bool) -> dict[bytes, Layout]:
    """The headers seen so far, in answers or in commands."""
    return _commands if command else _answers


def layout(header: bytes, text: str | None = None, *, command: bool = False) -> Layout:
    """How to read records with this header, given without its plain text, which is `text`.

    Raises:
        RemoteProtocolError: it has more extensions than the standard allows; the offset is that
            of the first one too many within the header.
    """
    if text is not None:
        return _learn(header, text, command)
    table = remembered(command)
    if len(table) >= _REMEMBERED_MAX:
        table.clear()
    found = table[header] = _learn(header, "", command)
    return found


@lru_cache(maxsize=_REMEMBERED_MAX)
def _learn(header: bytes, text: str, command: bool) -> Layout:
    dif = header[0]
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    at = 1
    while header[at - 1] & 0x80:
        extension = header[at]
        index = at - 1
        if index == DIFE_MAX:
            raise RemoteProtocolError(f"more than {DIFE_MAX} DIFEs", at)
        storage |= (extension & 0x0F) << 1 + 4 * index
        tariff |= (extension >> 4 & 3) << 2 * index
        subunit |= (extension >> 6 & 1) << index
        at += 1
    if len(header) - at > VIFE_MAX + 1:
        raise RemoteProtocolError(f"more than {VIFE_MAX} VIFEs", at + VIFE_MAX + 1)
    meaning = describe_vib(header[at:], text, command=command)
    field = dif & 0x0F
    return Layout(
        SIZES[field],
        _converter(field, meaning),
        meaning.name,
        meaning.quantity,
        meaning.unit,
        storage,
        tariff,
        subunit,
        FUNCTIONS[dif >> 4 & 3],
        meaning.kind == "date" or meaning.point or meaning.error is not None,
        meaning,
        field,
    )


def _nothing(_: bytes) -> Value:
    return None


def _opaque(data: bytes) -> Value:
    return data


_DATES: Final[dict[int, Convert]] = {
    2: data_types.decode_date,
    3: data_types.decode_time,
    4: data_types.decode_date_time,
    6: data_types.decode_local_time,
}


def _own_date_time(data: bytes) -> Value:
    """Type F behind a manufacturer's extension, where Schneider's iEM3000 sets the top bit of good times."""
    return data_types.decode_date_time(bytes((data[0] & 0x7F,)) + data[1:])


def _converter(field: int, meaning: Meaning) -> Convert:
    """The function that reads the data of a record."""
    size = SIZES[field]
    if size == 0:
        return _nothing
    if field == VARIABLE:
        return partial(variable_value, meaning)
    if field == 5:
        return _real(meaning)
    if field > 8:
        return data_types.decode_bcd_text if meaning.kind == "identification" else _bcd(meaning)
    if meaning.kind == "opaque":
        return _opaque
    if meaning.kind == "date" and size in _DATES:
        return _own_date_time if meaning.extended and size == 4 else _DATES[size]
    return _integer(meaning)


def _integer(meaning: Meaning) -> Convert:
    exponent, addend = meaning.exponent, meaning.addend
    signed = not meaning.unsigned and meaning.kind != "identification"
    from_bytes, scaleb = int.from_bytes, data_types.exact.scaleb
    if addend is not None or meaning.factor != 1:
        return lambda data: _scaled(meaning, from_bytes(data, "little", signed=signed))
    if exponent < 0:
        return lambda data: scaleb(from_bytes(data, "little", signed=signed), exponent)
    factor = 10**exponent
    if factor == 1:
        return lambda data: from_bytes(data, "little", signed=signed)
    return lambda data: from_bytes(data, "little", signed=signed) * factor


def _scaled(meaning: Meaning, value: Value) -> Value:
    """A number with the exponent and the addend of its meaning; what is no number stays."""
    if not isinstance(value, int | Decimal):
        return value
    scaled: int | Decimal = value
    if meaning.factor != 1:
        scaled = value = data_types.exact.multiply(Decimal(value), meaning.factor)
    if meaning.exponent < 0 or isinstance(value, Decimal):
        scaled = data_types.exact.scaleb(value, meaning.exponent)
    elif meaning.exponent:
        scaled = value * 10**meaning.exponent
    return scaled if meaning.addend is None else data_types.exact.add(scaled, meaning.addend)


def _bcd(meaning: Meaning) -> Convert:
    exponent, decode = meaning.exponent, data_types.decode_bcd
    if meaning.addend is not None or meaning.factor != 1 or exponent > 0:
        return lambda data: _scaled(meaning, decode(data))
    if exponent == 0:
        return decode
    scaleb = data_types.exact.scaleb

    def scaled(data: bytes) -> Value:
        digits = data[::-1].hex()
        return scaleb(int(digits), exponent) if digits.isdigit() else _scaled(meaning, decode(data))

    return scaled


def _real(meaning: Meaning) -> Convert:
    decode = data_types.decode_real
    if meaning.exponent == 0 and meaning.factor == 1 and meaning.addend is None:
        return decode
    return lambda data: _scaled(meaning, decode(data))


def variable_value(meaning: Meaning, data: bytes) -> Value:
    """The value of a variable-length record; `data` begins with its length byte (§ 6.3.3, LVAR)."""
    kind, body = data[0], data[1:]
    if kind < 0xC0:
        return body if meaning.kind in ("opaque", "date") else data_types.decode_text(body)
    if kind < 0xE0:
        number = data_types.decode_bcd(body) if body else 0
        if isinstance(number, str) or number < 0:
            return body
        if meaning.kind == "identification" and kind < 0xD0:
            return data_types.decode_bcd_text(body)
        return _scaled(meaning, number if kind < 0xD0 else -number)
    if meaning.kind == "date" and len(body) in _DATES:
        return _DATES[len(body)](body)
    # A binary number is one where the value has a unit; a password or a key is bytes.
    if meaning.unit is None or meaning.text or meaning.kind == "opaque":
        return body
    return _scaled(meaning, int.from_bytes(body, "little", signed=not meaning.unsigned))
