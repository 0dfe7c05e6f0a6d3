"""What requests point at: attributes, methods, parts of them, and how meters say no.

IEC 62056-5-3 § 8.3 and, for selective access to profiles, IEC 62056-6-2 § 4.3.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.dlms.apdus.fields import (
    DATA,
    I8,
    OCTETS,
    U8,
    U16,
    Choice,
    Enumerated,
    Fixed,
    ListOf,
    Optional,
    Tupled,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.times import DateTime
from polymeter.protocols.obis import OBIS

__all__ = [
    "DATA_ACCESS_RESULT",
    "GET_RESULT",
    "Access",
    "ActionResult",
    "Attribute",
    "AttributeDescriptor",
    "Attributes",
    "BlockResult",
    "CaptureObject",
    "DataAccessResult",
    "GetResult",
    "GetResults",
    "Method",
    "MethodDescriptor",
    "Methods",
    "Result",
    "Results",
    "SelectedAttribute",
    "Selection",
    "invoke_id_and_priority",
    "select_by_entry",
    "select_by_range",
]


class DataAccessResult(IntEnum):
    """Why an attribute could not be read or written; 0 is success."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_ABORTED = 15
    NO_LONG_GET_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


class ActionResult(IntEnum):
    """What became of a method call."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_ACTION_ABORTED = 15
    NO_LONG_ACTION_IN_PROGRESS = 16
    OTHER_REASON = 250


class AttributeDescriptor(NamedTuple):
    """An attribute of an object by class, logical name and number."""

    class_id: int
    instance: OBIS
    attribute: int


class MethodDescriptor(NamedTuple):
    """A method of an object."""

    class_id: int
    instance: OBIS
    method: int


class Selection(NamedTuple):
    """The part of an attribute that is meant."""

    selector: int
    parameters: Data


class SelectedAttribute(NamedTuple):
    """An attribute, perhaps only a part of it."""

    attribute: AttributeDescriptor
    selection: Selection | None = None


class CaptureObject(NamedTuple):
    """A column of a profile (IEC 62056-6-2 § 4.3.6.2.3)."""

    class_id: int
    instance: OBIS
    attribute: int = 2
    data_index: int = 0

    def item(self) -> Item:
        """The typed form, a structure of four."""
        return structure(
            Item(Tag.LONG_UNSIGNED, self.class_id),
            octet_string(bytes(self.instance)),
            Item(Tag.INTEGER, self.attribute),
            Item(Tag.LONG_UNSIGNED, self.data_index),
        )


ATTRIBUTE: Final = Tupled(
    AttributeDescriptor,
    (("class id", U16), ("instance id", Fixed(6, obis.from_bytes)), ("attribute id", I8)),
)
METHOD: Final = Tupled(
    MethodDescriptor, (("class id", U16), ("instance id", Fixed(6, obis.from_bytes)), ("method id", I8))
)
SELECTION: Final = Optional(Tupled(Selection, (("access selector", U8), ("access parameters", DATA))))
SELECTED_ATTRIBUTE: Final = Tupled(
    SelectedAttribute, (("attribute descriptor", ATTRIBUTE), ("access selection", SELECTION))
)
DATA_ACCESS_RESULT: Final = Enumerated(DataAccessResult)
GET_RESULT: Final = Choice({0: DATA, 1: DATA_ACCESS_RESULT}, ((Data, 0), (Item, 0), (int, 1)))
"""Get-Data-Result: a `Data`, or the number of a `DataAccessResult`."""
BLOCK_RESULT: Final = Choice({0: OCTETS, 1: DATA_ACCESS_RESULT}, ((bytes, 0), (int, 1)))

# The same as types of fields.
Attribute = Annotated[AttributeDescriptor, ATTRIBUTE]
Attributes = Annotated[tuple[SelectedAttribute, ...], ListOf(SELECTED_ATTRIBUTE)]
Method = Annotated[MethodDescriptor, METHOD]
Methods = Annotated[tuple[MethodDescriptor, ...], ListOf(METHOD)]
Access = Annotated[Selection | None, SELECTION]
Result = Annotated[int, DATA_ACCESS_RESULT]
Results = Annotated[tuple[int, ...], ListOf(DATA_ACCESS_RESULT)]
GetResult = Annotated[Data | int, GET_RESULT]
GetResults = Annotated[tuple[Data | int, ...], ListOf(GET_RESULT)]
BlockResult = Annotated[bytes | int, BLOCK_RESULT]


def invoke_id_and_priority(number: int, *, confirmed: bool = True, high_priority: bool = True) -> int:
    """The octet that ties an answer to its request: 4 bits of number, confirmation, priority."""
    return number & 0x0F | (0x40 if confirmed else 0) | (0x80 if high_priority else 0)


_CLOCK: Final = CaptureObject(8, OBIS(0, 0, 1, 0, 0, 255), 2, 0)


def select_by_range(
    start: datetime | DateTime | Data | Item,
    end: datetime | DateTime | Data | Item,
    restricting: CaptureObject = _CLOCK,
    columns: Sequence[CaptureObject] = (),
) -> Selection:
    """The rows whose `restricting` column lies between two values, all columns if none are named.

    Times without an offset are sent with a deviation not specified, as many meters demand it.
    """
    bounds = [_bound(start), _bound(end)]
    return Selection(
        1, Data.of(structure(restricting.item(), *bounds, array(*(column.item() for column in columns))))
    )


def _bound(value: datetime | DateTime | Data | Item) -> Item:
    if isinstance(value, Data):
        return value.item()
    if isinstance(value, Item):
        return value
    moment = (
        DateTime.of(value, 0 if value.utcoffset() is not None else None)
        if isinstance(value, datetime)
        else value
    )
    return octet_string(bytes(moment))


def select_by_entry(first: int = 1, last: int = 0, first_column: int = 1, last_column: int = 0) -> Selection:
    """Rows (and columns) by their number from 1; a last one of 0 is the highest possible."""
    return Selection(
        2,
        Data.of(
            structure(
                Item(Tag.DOUBLE_LONG_UNSIGNED, first),
                Item(Tag.DOUBLE_LONG_UNSIGNED, last),
                Item(Tag.LONG_UNSIGNED, first_column),
                Item(Tag.LONG_UNSIGNED, last_column),
            )
        ),
    )
