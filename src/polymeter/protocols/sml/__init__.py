"""SML, Smart Message Language: what German meters push at optical and LMN ports, and answer when asked."""

from polymeter.protocols.sml.answers import Parameter, ProcParameter, Profile, ValList
from polymeter.protocols.sml.attentions import Attention
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
from polymeter.protocols.sml.entries import Entry, sec_index, time_element, timestamp
from polymeter.protocols.sml.grammar import BODIES, TAGS, check_body, field, structure
from polymeter.protocols.sml.messages import Message, decode_message, decode_messages, encode_message
from polymeter.protocols.sml.meter import LIST_NAME, Meter, Setting, pushed, serve
from polymeter.protocols.sml.procedures import (
    ask,
    exchange,
    get_list,
    get_proc_parameter,
    get_profile_list,
    get_profile_pack,
    next_frame,
    set_proc_parameter,
)
from polymeter.protocols.sml.pushes import PushedFrames
from polymeter.protocols.sml.readings import ProfileRow, identity, server_identity
from polymeter.protocols.sml.recordings import Column, Recording, RecordingRow
from polymeter.protocols.sml.requests import Answer, Options, request
from polymeter.protocols.sml.transport import KERMIT, X25, Checksum, decode_frame, encode_frame

__all__ = [
    "BODIES",
    "KERMIT",
    "LIST_NAME",
    "PROTOCOL",
    "TAGS",
    "X25",
    "Answer",
    "Attention",
    "Checksum",
    "Column",
    "Connection",
    "Element",
    "Entry",
    "Message",
    "Meter",
    "Options",
    "Parameter",
    "ProcParameter",
    "Profile",
    "ProfileRow",
    "PushedFrames",
    "Recording",
    "RecordingRow",
    "Setting",
    "ValList",
    "ask",
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
    "get_list",
    "get_proc_parameter",
    "get_profile_list",
    "get_profile_pack",
    "identity",
    "integer",
    "listing",
    "next_frame",
    "octets",
    "pushed",
    "read_element",
    "request",
    "sec_index",
    "serve",
    "server_identity",
    "set_proc_parameter",
    "structure",
    "time_element",
    "timestamp",
    "unsigned",
]
