"""Wireless M-Bus (EN 13757-4, -5, -7; Open Metering System): meters that send by radio.

    decode(data, DecodeOptions(keys=(key,)), memory=memory) -> [Decoded]    # never raises
    detect(data) -> why it looks like wireless M-Bus, or None

`Decoded.frame` is a `Telegram` with every header; its records are those of wired M-Bus, on which
this package stands. A `Memory` keeps from call to call what compact and fragmented messages need.

Frames: `decode_frame`, `decode_format_a`, `decode_format_b` and their inverses, `decode_3of6` for
mode T. Security: `polymeter.protocols.wmbus.security`, both ways. What receivers put around a
telegram: `unwrap`.
"""

from polymeter.protocols.wmbus.application import CI_NAMES, DLMS_CI, MANUFACTURER_CI, radio_ci_name
from polymeter.protocols.wmbus.compact import KNOWN_FORMATS
from polymeter.protocols.wmbus.decode import PROTOCOL, decode, decode_message, detect
from polymeter.protocols.wmbus.frames import (
    Format,
    Frame,
    decode_format_a,
    decode_format_b,
    decode_frame,
    encode_format_a,
    encode_format_b,
)
from polymeter.protocols.wmbus.headers import (
    AFL,
    ELL,
    Configuration,
    LinkHeader,
    control_name,
    decode_afl,
    decode_configuration,
    decode_ell,
    decode_link,
)
from polymeter.protocols.wmbus.memory import Memory
from polymeter.protocols.wmbus.pushes import PushedTelegrams
from polymeter.protocols.wmbus.receivers import Wrapped, unwrap
from polymeter.protocols.wmbus.three_of_six import decode_3of6, encode_3of6
from polymeter.protocols.wmbus.walk import Telegram

__all__ = [
    "AFL",
    "CI_NAMES",
    "DLMS_CI",
    "ELL",
    "KNOWN_FORMATS",
    "MANUFACTURER_CI",
    "PROTOCOL",
    "Configuration",
    "Format",
    "Frame",
    "LinkHeader",
    "Memory",
    "PushedTelegrams",
    "Telegram",
    "Wrapped",
    "control_name",
    "decode",
    "decode_3of6",
    "decode_afl",
    "decode_configuration",
    "decode_ell",
    "decode_format_a",
    "decode_format_b",
    "decode_frame",
    "decode_link",
    "decode_message",
    "detect",
    "encode_3of6",
    "encode_format_a",
    "encode_format_b",
    "radio_ci_name",
    "unwrap",
]
