"""The values of COSEM (IEC 62056-6-2 § 4.1.5): tags, what each holds, octets of the simple ones.

`Item` is the typed form: a tag, a value, where it stood. Items encode to exactly the octets they
were read from, unusual long lengths and truths other than 01 included, which is what `head` keeps.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from polymeter.protocols.dlms import times
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = [
    "MAX_DEPTH",
    "BitString",
    "Item",
    "Tag",
    "array",
    "decode_length",
    "encode_length",
    "encode_scalar",
    "octet_string",
    "plain",
    "structure",
]

MAX_DEPTH: Final = 32
"""Containers within containers. Real meters stay below ten."""


class Tag(IntEnum):
    """The type of a value."""

    NULL_DATA = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    COMPACT_ARRAY = 19
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_INTEGER = 28
    DELTA_LONG = 29
    DELTA_DOUBLE_LONG = 30
    DELTA_UNSIGNED = 31
    DELTA_LONG_UNSIGNED = 32
    DELTA_DOUBLE_LONG_UNSIGNED = 33
    DONT_CARE = 255


class BitString(NamedTuple):
    """`length` bits, the first in the highest bit of the first octet; spare bits as they came."""

    length: int
    octets: bytes

    def __str__(self) -> str:
        return "".join(f"{octet:08b}" for octet in self.octets)[: self.length]


class Item(NamedTuple):
    """One typed value. Items of an array or structure are a tuple in `value`."""

    tag: int
    value: Any = None
    start: int = 0
    """Where its tag stood."""
    end: int = 0
    head: int = 0
    """Octets of a length that could be shorter; for a boolean, an octet other than 00 and 01."""


def array(*items: Item) -> Item:
    """An array of items."""
    return Item(Tag.ARRAY, items)


def structure(*items: Item) -> Item:
    """A structure of items."""
    return Item(Tag.STRUCTURE, items)


def octet_string(octets: bytes) -> Item:
    """An octet string, in which OBIS codes and most times travel."""
    return Item(Tag.OCTET_STRING, octets)


def decode_length(data: bytes, pos: int) -> tuple[int, int]:
    """A length or count at `pos` and where it ends; at most four octets are believed.

    Raises:
        RemoteProtocolError: it is cut or too long.
    """
    if pos >= len(data):
        raise RemoteProtocolError("a length is missing", pos)
    first = data[pos]
    if first < 0x80:
        return first, pos + 1
    size = first & 0x7F
    stop = pos + 1 + size
    if not 1 <= size <= 4 or stop > len(data):
        raise RemoteProtocolError(f"a length of {size} octets is not possible here", pos)
    return int.from_bytes(data[pos + 1 : stop], "big"), stop


def encode_length(length: int, head: int = 0) -> bytes:
    """A length as short as can be, or with `head` octets in all."""
    if head > 1:
        return bytes((0x80 | head - 1,)) + length.to_bytes(head - 1, "big")
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")


def unusual_head(length: int, start: int, stop: int) -> int:
    """What `Item.head` keeps of a length that took the octets from `start` to `stop`."""
    return 0 if stop - start == len(encode_length(length)) else stop - start


@lru_cache(maxsize=1024)
def _float32(octets: bytes) -> Decimal:
    number = struct.unpack(">f", octets)[0]
    if number != number:
        return _not_a_number(octets, 23)
    for digits in range(1, 10):
        text = f"{number:.{digits}g}"
        try:
            if struct.pack(">f", float(text)) == octets:
                break
        except OverflowError:  # rounded past the largest number: more digits are needed
            continue
    return Decimal(text)


@lru_cache(maxsize=1024)
def _float64(octets: bytes) -> Decimal:
    number = struct.unpack(">d", octets)[0]
    return Decimal(repr(number)) if number == number else _not_a_number(octets, 52)


def _not_a_number(octets: bytes, mantissa: int) -> Decimal:
    """NaN with its payload as diagnostic digits, so that it can be written back."""
    bits = int.from_bytes(octets, "big")
    sign = "-" if octets[0] & 0x80 else ""
    return Decimal(f"{sign}NaN{bits & (1 << mantissa) - 1}")


def _encode_float(value: Any, form: str, mantissa: int) -> bytes:
    number = Decimal(value) if not isinstance(value, float) else Decimal(repr(value))
    if number.is_nan():
        sign, digits, _ = number.as_tuple()
        payload = int("".join(map(str, digits)) or "0") or 1 << mantissa - 1
        size = struct.calcsize(form)
        exponent = (1 << 8 * size - 1 - mantissa) - 1 << mantissa
        return (sign << 8 * size - 1 | exponent | payload & (1 << mantissa) - 1).to_bytes(size, "big")
    return struct.pack(form, float(number))


def _bcd(octets: bytes) -> int | bytes:
    """Two digits as their number; an octet that holds no digits stays an octet."""
    high, low = octets[0] >> 4, octets[0] & 0x0F
    return high * 10 + low if high < 10 and low < 10 else octets


def _integer(form: str) -> tuple[int, Callable[[bytes], Any]]:
    shape = struct.Struct(form)
    unpack = shape.unpack
    return shape.size, lambda octets: unpack(octets)[0]


FIXED: Final[dict[int, tuple[int, Callable[[bytes], Any]]]] = {
    Tag.NULL_DATA: (0, lambda _: None),
    Tag.DONT_CARE: (0, lambda _: None),
    Tag.BOOLEAN: (1, lambda octets: octets != b"\0"),
    Tag.DOUBLE_LONG: _integer(">i"),
    Tag.DOUBLE_LONG_UNSIGNED: _integer(">I"),
    Tag.BCD: (1, _bcd),
    Tag.INTEGER: _integer(">b"),
    Tag.LONG: _integer(">h"),
    Tag.UNSIGNED: _integer(">B"),
    Tag.LONG_UNSIGNED: _integer(">H"),
    Tag.LONG64: _integer(">q"),
    Tag.LONG64_UNSIGNED: _integer(">Q"),
    Tag.ENUM: _integer(">B"),
    Tag.FLOAT32: (4, _float32),
    Tag.FLOAT64: (8, _float64),
    Tag.DATE_TIME: (12, times.decode_date_time),
    Tag.DATE: (5, times.decode_date),
    Tag.TIME: (4, times.decode_time),
    Tag.DELTA_INTEGER: _integer(">b"),
    Tag.DELTA_LONG: _integer(">h"),
    Tag.DELTA_DOUBLE_LONG: _integer(">i"),
    Tag.DELTA_UNSIGNED: _integer(">B"),
    Tag.DELTA_LONG_UNSIGNED: _integer(">H"),
    Tag.DELTA_DOUBLE_LONG_UNSIGNED: _integer(">I"),
}
"""Types of a fixed size: their octets after the tag, and how to read them."""

_FORMS: Final[dict[int, str]] = {
    Tag.DOUBLE_LONG: ">i", Tag.DOUBLE_LONG_UNSIGNED: ">I", Tag.INTEGER: ">b", Tag.LONG: ">h",
    Tag.UNSIGNED: ">B", Tag.LONG_UNSIGNED: ">H", Tag.LONG64: ">q", Tag.LONG64_UNSIGNED: ">Q",
    Tag.ENUM: ">B", Tag.DELTA_INTEGER: ">b", Tag.DELTA_LONG: ">h", Tag.DELTA_DOUBLE_LONG: ">i",
    Tag.DELTA_UNSIGNED: ">B", Tag.DELTA_LONG_UNSIGNED: ">H", Tag.DELTA_DOUBLE_LONG_UNSIGNED: ">I",
}  # fmt: skip

_STRINGS: Final = (Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING, Tag.BIT_STRING)
_SIZES: Final = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}


def decode_scalar(data: bytes, pos: int, tag: int) -> tuple[Any, int, int]:
    """The value of a type that holds no others, from after its tag: value, end, head.

    Raises:
        RemoteProtocolError: it is cut, or no such type exists; the offset is that after the tag.
    """
    fixed = FIXED.get(tag)
    if fixed is not None:
        stop = pos + fixed[0]
        if stop > len(data):
            raise RemoteProtocolError(
                f"{_name(tag)} needs {fixed[0]} octets, {len(data) - pos} are left", pos
            )
        head = data[pos] if tag == Tag.BOOLEAN and data[pos] > 1 else 0
        return fixed[1](data[pos:stop]), stop, head
    if tag not in _STRINGS:
        raise RemoteProtocolError(f"no type has the tag {tag}", pos - 1)
    length, start = decode_length(data, pos)
    stop = start + (length if tag != Tag.BIT_STRING else (length + 7) // 8)
    if stop > len(data):
        raise RemoteProtocolError(
            f"{_name(tag)} needs {stop - start} octets, {len(data) - start} are left", start
        )
    octets = data[start:stop]
    return string_value(tag, octets, length), stop, unusual_head(length, pos, start)


def string_value(tag: int, octets: bytes, length: int) -> Any:
    """What the octets of a string type say. Text that is no UTF-8 stays octets."""
    if tag == Tag.OCTET_STRING:
        return octets
    if tag == Tag.BIT_STRING:
        return BitString(length, octets)
    if tag == Tag.VISIBLE_STRING:
        return octets.decode("latin-1")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets


def encode_scalar(item: Item) -> bytes:
    """The octets of a value that holds no others, without its tag.

    Raises:
        LocalProtocolError: the value does not fit its type.
    """
    tag, value = item.tag, item.value
    try:
        form = _FORMS.get(tag)
        if form is not None:
            return struct.pack(form, value)
        match tag:
            case Tag.NULL_DATA | Tag.DONT_CARE:
                return b""
            case Tag.BOOLEAN:
                return bytes((item.head or bool(value),))
            case Tag.BCD:
                octets = value if isinstance(value, bytes) else bytes.fromhex(f"{value:02d}")
                if len(octets) != 1:
                    raise LocalProtocolError(f"{octets.hex()} is no bcd of two digits")
                return octets
            case Tag.FLOAT32:
                return _encode_float(value, ">f", 23)
            case Tag.FLOAT64:
                return _encode_float(value, ">d", 52)
            case Tag.DATE_TIME | Tag.DATE | Tag.TIME:
                octets = bytes(value)
                if len(octets) != _SIZES[Tag(tag)]:
                    raise LocalProtocolError(f"{octets.hex()} is no {_name(tag)}")
                return octets
            case Tag.BIT_STRING:
                return encode_length(value.length, item.head) + bytes(value.octets)
            case Tag.OCTET_STRING | Tag.VISIBLE_STRING | Tag.UTF8_STRING:
                if isinstance(value, str):
                    value = value.encode("latin-1" if tag == Tag.VISIBLE_STRING else "utf-8")
                return encode_length(len(value), item.head) + bytes(value)
            case _:
                raise LocalProtocolError(f"no simple type has the tag {tag}")
    except (struct.error, ValueError, TypeError, AttributeError, OverflowError, ArithmeticError) as error:
        raise LocalProtocolError(f"{value!r} is no {_name(tag)}: {error}") from error


def plain(item: Item) -> Any:
    """The value of an item as plain Python objects, as `axdr.decode` gives it."""
    if item.tag in (Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY):
        return [plain(child) for child in item.value]
    return item.value


def _name(tag: int) -> str:
    return Tag(tag).name.lower().replace("_", "-")


tag_name = _name
