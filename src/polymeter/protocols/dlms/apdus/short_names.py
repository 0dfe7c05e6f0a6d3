"""READ and WRITE, the services of short-name meters (IEC 62056-5-3 § 8.3, Read-Request …).

Each variable is a 16-bit base name plus eight for each attribute, perhaps with a selector.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import DATA_ACCESS_RESULT
from polymeter.protocols.dlms.apdus.fields import (
    BOOLEAN,
    DATA,
    I16,
    OCTETS,
    U8,
    U16,
    Choice,
    Cursor,
    ListOf,
    Sink,
    Tupled,
    Values,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item

__all__ = [
    "BlockNumber",
    "BlockNumberAccess",
    "DataBlockResult",
    "ParameterizedAccess",
    "ReadDataBlockAccess",
    "ReadRequest",
    "ReadResponse",
    "UnconfirmedWriteRequest",
    "VariableAccess",
    "VariableName",
    "WriteDataBlockAccess",
    "WriteRequest",
    "WriteResponse",
]


class VariableName(NamedTuple):
    """A variable by its short name."""

    name: int


class ParameterizedAccess(NamedTuple):
    """A part of a variable."""

    name: int
    selector: int
    parameter: Data


class BlockNumberAccess(NamedTuple):
    """The block after this one."""

    block_number: int


class ReadDataBlockAccess(NamedTuple):
    """A part of a long read request."""

    last_block: bool
    block_number: int
    raw_data: bytes


class WriteDataBlockAccess(NamedTuple):
    """Announces a part of a long write request."""

    last_block: bool
    block_number: int


VariableAccess = (
    VariableName | ParameterizedAccess | BlockNumberAccess | ReadDataBlockAccess | WriteDataBlockAccess
)

VARIABLE: Final = Choice(
    {
        2: Tupled(VariableName, (("variable name", I16),)),
        4: Tupled(ParameterizedAccess, (("variable name", I16), ("selector", U8), ("parameter", DATA))),
        5: Tupled(BlockNumberAccess, (("block number", U16),)),
        6: Tupled(
            ReadDataBlockAccess, (("last block", BOOLEAN), ("block number", U16), ("raw data", OCTETS))
        ),
        7: Tupled(WriteDataBlockAccess, (("last block", BOOLEAN), ("block number", U16))),
    },
    (
        (VariableName, 2),
        (ParameterizedAccess, 4),
        (BlockNumberAccess, 5),
        (ReadDataBlockAccess, 6),
        (WriteDataBlockAccess, 7),
    ),
)


class DataBlockResult(NamedTuple):
    """A part of a long answer."""

    last_block: bool
    block_number: int
    raw_data: bytes


class BlockNumber(NamedTuple):
    """A block of a long request was taken."""

    block_number: int


class _Nothing(NamedTuple):
    """No octets at all; `None`."""

    def read(self, cursor: Cursor, name: str) -> None:
        return None

    def write(self, sink: Sink, value: object) -> None:
        return None


_READ_RESULT: Final = Choice(
    {
        0: DATA,
        1: DATA_ACCESS_RESULT,
        2: Tupled(DataBlockResult, (("last block", BOOLEAN), ("block number", U16), ("raw data", OCTETS))),
        3: Tupled(BlockNumber, (("block number", U16),)),
    },
    ((Data, 0), (Item, 0), (int, 1), (DataBlockResult, 2), (BlockNumber, 3)),
)
_WRITE_RESULT: Final = Choice(
    {0: _Nothing(), 1: DATA_ACCESS_RESULT, 2: Tupled(BlockNumber, (("block number", U16),))},
    ((type(None), 0), (int, 1), (BlockNumber, 2)),
)


@apdu(b"\x05")
class ReadRequest(APDU):
    """Read variables."""

    variables: Annotated[tuple[VariableAccess, ...], ListOf(VARIABLE)]


@apdu(b"\x0c")
class ReadResponse(APDU):
    """Values, or the numbers of `DataAccessResult`s."""

    results: Annotated[tuple[Data | int | DataBlockResult | BlockNumber, ...], ListOf(_READ_RESULT)]


@apdu(b"\x06")
class WriteRequest(APDU):
    """Write variables."""

    variables: Annotated[tuple[VariableAccess, ...], ListOf(VARIABLE)]
    values: Values


@apdu(b"\x0d")
class WriteResponse(APDU):
    """`None` for success, or the number of a `DataAccessResult`."""

    results: Annotated[tuple[int | BlockNumber | None, ...], ListOf(_WRITE_RESULT)]


@apdu(b"\x16")
class UnconfirmedWriteRequest(APDU):
    """Write variables without an answer."""

    variables: Annotated[tuple[VariableAccess, ...], ListOf(VARIABLE)]
    values: Values
