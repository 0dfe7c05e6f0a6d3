"""SML, Smart Message Language: what German meters push at their optical and LMN ports."""

from polymeter.protocols.sml.connection import Connection
from polymeter.protocols.sml.decode import PROTOCOL, decode, detect
from polymeter.protocols.sml.elements import (
    Element,
    boolean,
    encode_element,
    integer,
    listing,
    octets,
    read_element,
    unsigned,
)
from polymeter.protocols.sml.grammar import BODIES, TAGS, check_body, field, structure
from polymeter.protocols.sml.messages import Message, decode_message, decode_messages, encode_message
from polymeter.protocols.sml.meter import Entry, pushed, sec_index, serve, timestamp
from polymeter.protocols.sml.procedures import exchange, next_frame
from polymeter.protocols.sml.pushes import PushedFrames
from polymeter.protocols.sml.readings import server_identity
from polymeter.protocols.sml.transport import KERMIT, X25, Checksum, decode_frame, encode_frame

__all__ = [
    "BODIES",
    "KERMIT",
    "PROTOCOL",
    "TAGS",
    "X25",
    "Checksum",
    "Connection",
    "Element",
    "Entry",
    "Message",
    "PushedFrames",
    "boolean",
    "check_body",
    "decode",
    "decode_frame",
    "decode_message",
    "decode_messages",
    "detect",
    "encode_element",
    "encode_frame",
    "encode_message",
    "exchange",
    "field",
    "integer",
    "listing",
    "next_frame",
    "octets",
    "pushed",
    "read_element",
    "sec_index",
    "serve",
    "server_identity",
    "structure",
    "timestamp",
    "unsigned",
]
