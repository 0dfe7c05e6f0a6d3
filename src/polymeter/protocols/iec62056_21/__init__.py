"""IEC 62056-21 (formerly IEC 1107): the ASCII protocol of optical heads and current loops.

Modes A to E: read-outs, programming mode with all its commands, load profiles and logs, pushes,
and the hand-over to HDLC.
"""

from polymeter.protocols.iec62056_21.blocks import block_check
from polymeter.protocols.iec62056_21.commands import (
    CLOCK_FORMS,
    clock_commands,
    execute,
    read_clock,
    read_profile,
    set_clock,
    write,
)
from polymeter.protocols.iec62056_21.connection import TRANSITIONS, Connection, End
from polymeter.protocols.iec62056_21.decode import PROTOCOL, decode, detect
from polymeter.protocols.iec62056_21.frames import (
    BAUD_RATES,
    Acknowledge,
    Break,
    Command,
    DataLine,
    DataMessage,
    DataSet,
    Event,
    Identification,
    OptionSelect,
    PlainData,
    Repeat,
    Request,
    decode_block,
    decode_data,
    decode_line,
    encode,
    encode_data,
)
from polymeter.protocols.iec62056_21.meter import Meter, push, serve
from polymeter.protocols.iec62056_21.modes import (
    HandOver,
    mode_of,
    read_out,
    receive_push,
    start_mode_e,
    without_option,
)
from polymeter.protocols.iec62056_21.procedures import (
    Options,
    break_session,
    choose,
    log_in,
    read_data,
    read_value,
    receive,
    sign_on,
    start_programming,
)
from polymeter.protocols.iec62056_21.profiles import ProfileRow, profile_request, rows
from polymeter.protocols.iec62056_21.readings import cell_record, records
from polymeter.protocols.iec62056_21.readouts import data_records
from polymeter.protocols.iec62056_21.times import combine, format_time, parse_time

__all__ = [
    "BAUD_RATES",
    "CLOCK_FORMS",
    "PROTOCOL",
    "TRANSITIONS",
    "Acknowledge",
    "Break",
    "Command",
    "Connection",
    "DataLine",
    "DataMessage",
    "DataSet",
    "End",
    "Event",
    "HandOver",
    "Identification",
    "Meter",
    "OptionSelect",
    "Options",
    "PlainData",
    "ProfileRow",
    "Repeat",
    "Request",
    "block_check",
    "break_session",
    "cell_record",
    "choose",
    "clock_commands",
    "combine",
    "data_records",
    "decode",
    "decode_block",
    "decode_data",
    "decode_line",
    "detect",
    "encode",
    "encode_data",
    "execute",
    "format_time",
    "log_in",
    "mode_of",
    "parse_time",
    "profile_request",
    "push",
    "read_clock",
    "read_data",
    "read_out",
    "read_profile",
    "read_value",
    "receive",
    "receive_push",
    "records",
    "rows",
    "serve",
    "set_clock",
    "sign_on",
    "start_mode_e",
    "start_programming",
    "without_option",
    "write",
]
