"""IEC 62056-21 (formerly IEC 1107): the ASCII protocol of optical heads and current loops.

Mode C: read-out, and single reads in programming mode.
"""

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
    Repeat,
    Request,
    block_check,
    decode_block,
    decode_data,
    decode_line,
    encode,
    encode_data,
)
from polymeter.protocols.iec62056_21.meter import Meter, serve
from polymeter.protocols.iec62056_21.procedures import (
    Options,
    break_session,
    log_in,
    read_out,
    read_value,
    sign_on,
    start_programming,
)
from polymeter.protocols.iec62056_21.readings import records

__all__ = [
    "BAUD_RATES",
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
    "Identification",
    "Meter",
    "OptionSelect",
    "Options",
    "Repeat",
    "Request",
    "block_check",
    "break_session",
    "decode",
    "decode_block",
    "decode_data",
    "decode_line",
    "detect",
    "encode",
    "encode_data",
    "log_in",
    "read_out",
    "read_value",
    "records",
    "serve",
    "sign_on",
    "start_programming",
]
