"""What a reader does with a LIS-200 device, after signing on in programming mode.

The device sends an operand (P0) as IEC 62056-21 has it and expects no password for it: access is
a matter of locks, which are objects like others. A lock's instance is its level: 3 the supplier's,
4 the customer's (both seen in two independent readers of EK270 correctors); object 171 takes the
code, object 170 tells the state and closes. A code that is given to an open lock is its new code
(a reader's remark, and the manual of DL240, which calls that object "enter/change").
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    Connection,
    DataLine,
    DataMessage,
    DataSet,
    Options,
    Repeat,
    decode_data,
    parse_time,
)
from polymeter.protocols.iec62056_21.commands import once
from polymeter.protocols.iec62056_21.procedures import whole_answer
from polymeter.protocols.iec62056_21.values import is_refusal, refusal_text
from polymeter.protocols.lis200.archives import (
    TIME_POSITION,
    ArchiveRow,
    Column,
    columns,
    format_time,
    label,
    request,
)
from polymeter.protocols.lis200.frames import NO_ROWS, Address, Refusal, parse_address, refusal
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut

__all__ = [
    "CLOCK",
    "CUSTOMER",
    "SUPPLIER",
    "ZONE",
    "close_lock",
    "count_rows",
    "is_open",
    "open_lock",
    "read",
    "read_archive",
    "read_clock",
    "read_columns",
    "read_last",
    "read_unit",
    "read_zone",
    "set_clock",
    "write",
]

SUPPLIER: Final = 3
CUSTOMER: Final = 4
"""Levels of the software locks; the higher one, supplier, may write what the customer may."""

CLOCK: Final = Address(1, "400")
ZONE: Final = Address(1, "40F")
"""Minutes that the clock is ahead of UTC, on devices that have it (known from one reader)."""

_STATUS: Final = "170"
_CODE: Final = "171"


def _read(
    connection: Connection, command: str, data: str, options: Options
) -> Procedure[tuple[DataLine, ...] | Refusal]:
    """The data lines that a read command gives, or the device's refusal."""
    for attempts_left in range(options.repeats, -1, -1):
        # A block ends with a row, but often without its CR LF.
        text = yield from whole_answer(connection, options, Command(command, data), joint="\r\n")
        if isinstance(text, str):
            lines = decode_data(text)
            refused = [refusal(data_set.value) for line in lines for data_set in line]
            if not any(refused) and (foreign := [one for line in lines for one in line if is_refusal(one)]):
                raise RemoteProtocolError(f"{refusal_text(foreign[0])}: LIS-200 devices refuse by number")
            return next((no for no in refused if no is not None), lines)
        if isinstance(text, TimedOut) and not attempts_left:
            raise text
    raise RemoteProtocolError(f"the device does not understand the request for {data}")


def read(
    connection: Connection, address: Address | str, options: Options = Options(), argument: str = "1"
) -> Procedure[DataSet | Refusal]:
    """One attribute of one object (R1), as the device writes it.

    Raises:
        RemoteProtocolError: the answer is about another object: never a wrong value.
    """
    wanted = parse_address(address) if isinstance(address, str) else address
    answer = yield from _read(connection, "R1", f"{wanted}({argument})", options)
    if isinstance(answer, Refusal):
        return answer
    if not answer:
        raise RemoteProtocolError(f"an empty answer for {wanted}")
    data_set = answer[0][0]
    if data_set.address:
        try:
            given = parse_address(data_set.address)
        except LocalProtocolError as error:
            raise RemoteProtocolError(f"the answer for {wanted} has no address: {error}") from error
        if not wanted.same_object(given):
            raise RemoteProtocolError(f"the device answers about {given}, {wanted} was asked for")
    return data_set


def read_unit(
    connection: Connection, address: Address | str, options: Options = Options()
) -> Procedure[str | None]:
    """The unit of an object in the device's spelling (attribute 3), `None` if it has none."""
    wanted = parse_address(address) if isinstance(address, str) else address
    answer = yield from read(connection, wanted.of("3"), options)
    return None if isinstance(answer, Refusal) else answer.value.strip() or None


def write(
    connection: Connection, address: Address | str, value: str, options: Options = Options()
) -> Procedure[Refusal | None]:
    """Write an attribute of an object (W1): `None` if the device acknowledges."""
    wanted = parse_address(address) if isinstance(address, str) else address
    answer = yield from once(connection, Command("W1", f"{wanted}({value})"), options)
    match answer:
        case Acknowledge():
            return None
        case DataMessage(data):
            sets = [data_set for line in decode_data(data, strict=False) for data_set in line]
            refused = refusal(sets[0].value) if sets else None
            if refused is not None:
                return refused
            raise RemoteProtocolError(f"ACK or an error is expected, {answer} came")
        case Repeat():
            return Refusal(200)
        case Break():
            raise AccessDenied(f"the device ends the session on writing {wanted}")
        case _:
            raise RemoteProtocolError(f"ACK is expected, {answer} came")


def open_lock(connection: Connection, lock: int, code: str, options: Options = Options()) -> Procedure[None]:
    """Open a lock with its code; one that is open already stays as it is, whatever the code.

    Raises:
        AccessDenied: the code is wrong, or the lock cannot be opened over the line.
    """
    opened = yield from is_open(connection, lock, options)
    if opened is True:
        return  # the code would be taken for a new one
    refused = yield from write(connection, Address(lock, _CODE), code, options)
    if refused is not None:
        raise AccessDenied(f"lock {lock}: {refused}")


def is_open(connection: Connection, lock: int, options: Options = Options()) -> Procedure[bool | Refusal]:
    """Whether a lock is open."""
    answer = yield from read(connection, Address(lock, _STATUS), options)
    return answer if isinstance(answer, Refusal) else answer.value.strip().lstrip("0") != ""


def close_lock(connection: Connection, lock: int, options: Options = Options()) -> Procedure[Refusal | None]:
    """Close a lock; the device does so by itself after a while, too."""
    return (yield from write(connection, Address(lock, _STATUS), "0", options))


def read_columns(
    connection: Connection, archive: int, options: Options = Options()
) -> Procedure[tuple[Column, ...] | Refusal]:
    """What the columns of an archive hold: their addresses (attribute 4) and units (3)."""
    addresses = yield from _read(connection, "R1", request(archive, "4"), options)
    if isinstance(addresses, Refusal):
        return addresses
    units = yield from _read(connection, "R1", request(archive, "3"), options)
    return columns(addresses, () if isinstance(units, Refusal) else units)


def count_rows(
    connection: Connection,
    archive: int,
    position: int,
    start: datetime | int | None,
    end: datetime | int | None,
    options: Options = Options(),
) -> Procedure[int | Refusal]:
    """How many rows lie in a range (attribute A)."""
    answer = yield from _read(connection, "R1", request(archive, "A", position, start, end), options)
    if isinstance(answer, Refusal):
        return 0 if answer.number in NO_ROWS else answer
    text = answer[0][0].value if answer else ""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise RemoteProtocolError(f"a number of rows is expected, {text!r} came")
    return int(text)


def read_archive(
    connection: Connection,
    archive: int,
    position: int,
    start: datetime | int | None,
    end: datetime | int | None,
    options: Options = Options(),
    rows_per_block: int | None = 10,
    known: tuple[Column, ...] | None = None,
) -> Procedure[list[ArchiveRow] | Refusal]:
    """The rows in which the column at `position` lies between two bounds, named by their columns.

    With `rows_per_block` the device sends them in partial blocks (R3), each checked and repeated
    on its own. `known` spares asking for the columns again. A range without rows gives none.
    """
    if known is None:
        found = yield from read_columns(connection, archive, options)
        if isinstance(found, Refusal):
            return [] if found.number in NO_ROWS else found
        known = found
    data = request(archive, "0", position, start, end, rows_per_block)
    answer = yield from _read(connection, "R1" if rows_per_block is None else "R3", data, options)
    if isinstance(answer, Refusal):
        return [] if answer.number in NO_ROWS else answer
    return label(answer, known)


def read_last(
    connection: Connection,
    archive: int,
    back: timedelta,
    position: int = TIME_POSITION,
    options: Options = Options(),
    rows_per_block: int | None = 10,
    known: tuple[Column, ...] | None = None,
) -> Procedure[list[ArchiveRow] | Refusal]:
    """The rows of the last while, up to the newest, counted back from the device's own clock.

    A clock that is wrong therefore neither hides rows nor gives too many.
    """
    now = yield from read_clock(connection, options)
    if isinstance(now, Refusal):
        return now
    try:
        start = now - back
    except OverflowError as error:
        raise LocalProtocolError(f"{back} before {now} is before the calendar begins") from error
    return (
        yield from read_archive(connection, archive, position, start, None, options, rows_per_block, known)
    )


def read_clock(connection: Connection, options: Options = Options()) -> Procedure[datetime | Refusal]:
    """The device's clock: its local time, without a zone."""
    answer = yield from read(connection, CLOCK, options)
    if isinstance(answer, Refusal):
        return answer
    clock = parse_time(answer.value)
    if clock is None:
        raise RemoteProtocolError(f"the device's clock reads {answer.value!r}")
    return clock


def read_zone(connection: Connection, options: Options = Options()) -> Procedure[timezone | Refusal]:
    """How far the device's clock is ahead of UTC, for devices that know it."""
    answer = yield from read(connection, ZONE, options)
    if isinstance(answer, Refusal):
        return answer
    match = _MINUTES.fullmatch(answer.value.strip())
    if match is None or abs(int(match[0])) >= 24 * 60:
        raise RemoteProtocolError(f"minutes ahead of UTC are expected, {answer.value!r} came")
    return timezone(timedelta(minutes=int(match[0])))


_MINUTES: Final = re.compile(r"[+-]?\d{1,4}", re.ASCII)


def set_clock(
    connection: Connection, now: datetime, options: Options = Options()
) -> Procedure[Refusal | None]:
    """Set the device's clock to `now`, written as it is; a lock must be open."""
    return (yield from write(connection, CLOCK, format_time(now), options))
