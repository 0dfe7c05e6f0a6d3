"""M-Bus (EN 13757-2, -3): the bus of heat, water, gas and electricity meters.

The application layer, which wireless M-Bus shares:

    found = decode_records(data, start, end, layer=0, spans=False)     # never raises
    found.records    tuple-like Records, in order; offset and raw are those of the whole record
    found.problems   what is wrong, with offsets in the same layer
    found.broken     the structure does not hold (truncated, reserved DIF, too many extensions)
    found.more       DIF 1F: more records follow in the next telegram
    explain_records(tree, data, found, device_type)    # after spans=True: draws them into a Tree
    encode_record(Header(field, vib, storage, tariff, subunit, function), value) -> bytes
    layout(header_bytes) -> Layout     # size, meaning … of a record header; remembered
    Header.vib are VIF and VIFEs; compact frames walk headers with `SIZES` and `layout`

The transport layer's header: `decode_long_header`, `decode_short_header` (values that turn back
into bytes), `explain_header`, `identity`, `MEDIA`, `medium_name`, `status_text`,
`decode_manufacturer`, `encode_manufacturer`. `obis_name(record, device_type)` is the name OMS
gives a record.

The link layer, the conversation and the bus: `frames`, `Connection`, `procedures`, `meter`.
`decode` explains whole frames; `read_body` what follows a CI field.
"""

from polymeter.protocols.mbus.addresses import ANY, SecondaryAddress
from polymeter.protocols.mbus.body import Body, read_body
from polymeter.protocols.mbus.connection import TRANSITIONS, Connection, End
from polymeter.protocols.mbus.control import BAUD_RATES, application_error, ci_name
from polymeter.protocols.mbus.decode import PROTOCOL, Telegram, decode, detect
from polymeter.protocols.mbus.encoding import encode_record
from polymeter.protocols.mbus.explain import explain_records
from polymeter.protocols.mbus.fixed import FixedData, decode_fixed, encode_fixed, fixed_records
from polymeter.protocols.mbus.frames import Acknowledge, Frame, LongFrame, ShortFrame, decode_frame, encode
from polymeter.protocols.mbus.headers import SIZES, Header, Layout, layout
from polymeter.protocols.mbus.meter import Bus, Session, Slave, serve
from polymeter.protocols.mbus.obis_names import obis_name
from polymeter.protocols.mbus.procedures import (
    Answer,
    Options,
    adjust_clock,
    initialise,
    read,
    read_alarm,
    reset_application,
    select_data,
    send_records,
    set_baud,
    set_clock,
    set_primary,
    set_secondary,
)
from polymeter.protocols.mbus.records import Records, decode_records, variable_size
from polymeter.protocols.mbus.search import Found, Selection, scan_primary, scan_secondary, select
from polymeter.protocols.mbus.tpl import (
    LONG_HEADER_SIZE,
    MEDIA,
    SHORT_HEADER_SIZE,
    LongHeader,
    ShortHeader,
    decode_long_header,
    decode_manufacturer,
    decode_short_header,
    encode_manufacturer,
    explain_header,
    identity,
    medium_name,
    status_text,
)
from polymeter.protocols.mbus.vif import Meaning, describe_vib

__all__ = [
    "ANY",
    "BAUD_RATES",
    "LONG_HEADER_SIZE",
    "MEDIA",
    "PROTOCOL",
    "SHORT_HEADER_SIZE",
    "SIZES",
    "TRANSITIONS",
    "Acknowledge",
    "Answer",
    "Body",
    "Bus",
    "Connection",
    "End",
    "FixedData",
    "Found",
    "Frame",
    "Header",
    "Layout",
    "LongFrame",
    "LongHeader",
    "Meaning",
    "Options",
    "Records",
    "SecondaryAddress",
    "Selection",
    "Session",
    "ShortFrame",
    "ShortHeader",
    "Slave",
    "Telegram",
    "adjust_clock",
    "application_error",
    "ci_name",
    "decode",
    "decode_fixed",
    "decode_frame",
    "decode_long_header",
    "decode_manufacturer",
    "decode_records",
    "decode_short_header",
    "describe_vib",
    "detect",
    "encode",
    "encode_fixed",
    "encode_manufacturer",
    "encode_record",
    "explain_header",
    "explain_records",
    "fixed_records",
    "identity",
    "initialise",
    "layout",
    "medium_name",
    "obis_name",
    "read",
    "read_alarm",
    "read_body",
    "reset_application",
    "scan_primary",
    "scan_secondary",
    "select",
    "select_data",
    "send_records",
    "serve",
    "set_baud",
    "set_clock",
    "set_primary",
    "set_secondary",
    "status_text",
    "variable_size",
]
