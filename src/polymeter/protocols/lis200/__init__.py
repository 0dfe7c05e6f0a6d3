"""LIS-200: gas volume correctors and data loggers, on top of IEC 62056-21 mode C.

Objects by address, locks in place of a password, archives in partial blocks, errors by number.
The conversation itself is `polymeter.protocols.iec62056_21.Connection`.
"""

from polymeter.protocols.iec62056_21 import (
    Connection,
    Options,
    break_session,
    serve,
    sign_on,
    start_programming,
)
from polymeter.protocols.lis200.archives import (
    TIME_POSITION,
    ArchiveCell,
    ArchiveRow,
    Column,
    format_time,
    label,
    request,
)
from polymeter.protocols.lis200.decode import PROTOCOL, decode, detect
from polymeter.protocols.lis200.frames import (
    ATTRIBUTES,
    ERRORS,
    NO_ROWS,
    Address,
    Refusal,
    parse_address,
    refusal,
)
from polymeter.protocols.lis200.meter import Archive, Meter, Object
from polymeter.protocols.lis200.procedures import (
    CLOCK,
    CUSTOMER,
    SUPPLIER,
    ZONE,
    close_lock,
    count_rows,
    is_open,
    open_lock,
    read,
    read_archive,
    read_clock,
    read_columns,
    read_last,
    read_unit,
    read_zone,
    set_clock,
    write,
)

__all__ = [
    "ATTRIBUTES",
    "CLOCK",
    "CUSTOMER",
    "ERRORS",
    "NO_ROWS",
    "PROTOCOL",
    "SUPPLIER",
    "TIME_POSITION",
    "ZONE",
    "Address",
    "Archive",
    "ArchiveCell",
    "ArchiveRow",
    "Column",
    "Connection",
    "Meter",
    "Object",
    "Options",
    "Refusal",
    "break_session",
    "close_lock",
    "count_rows",
    "decode",
    "detect",
    "format_time",
    "is_open",
    "label",
    "open_lock",
    "parse_address",
    "read",
    "read_archive",
    "read_clock",
    "read_columns",
    "read_last",
    "read_unit",
    "read_zone",
    "refusal",
    "request",
    "serve",
    "set_clock",
    "sign_on",
    "start_programming",
    "write",
]
