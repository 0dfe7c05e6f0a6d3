"""DLMS/COSEM (IEC 62056): the language of most smart meters.

The byte side: values (`data`, `axdr`, `times`), APDUs (`apdus`, `acse`), frames (`hdlc`, `wrapper`,
`mbus_frames`), protection (`security`, `authentication`, `counters`), and what values mean
(`profiles`, `notifications`).

The conversation: link (`hdlc_link`, `framing`), association (`states`, `connection`, `ciphering`,
`blocks`), what a client does (`associating`, `procedures`, `reading`), and a meter (`cosem`, `objects`,
`buffers`, `services`, `meter`, `serving`).
"""

from polymeter.protocols.dlms.associating import Association, Proposal, associate, release
from polymeter.protocols.dlms.ciphering import Security, SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.cosem import InterfaceClass, interface_class
from polymeter.protocols.dlms.decode import PROTOCOL, decode
from polymeter.protocols.dlms.detection import detect
from polymeter.protocols.dlms.framing import HDLCCarrier, Parties, WrapperCarrier
from polymeter.protocols.dlms.meter import Client, Meter
from polymeter.protocols.dlms.procedures import Timing, action, get, get_with_list, set_attribute
from polymeter.protocols.dlms.reading import (
    read_clock,
    read_object_list,
    read_profile,
    read_values,
    set_clock,
    switch,
)
from polymeter.protocols.dlms.serving import push, serve
from polymeter.protocols.dlms.states import TRANSITIONS, Connect, Disconnect, Event

__all__ = [
    "PROTOCOL",
    "TRANSITIONS",
    "Association",
    "Client",
    "Connect",
    "Connection",
    "Disconnect",
    "Event",
    "HDLCCarrier",
    "InterfaceClass",
    "Meter",
    "Parties",
    "Proposal",
    "Security",
    "SecurityContext",
    "Timing",
    "WrapperCarrier",
    "action",
    "associate",
    "decode",
    "detect",
    "get",
    "get_with_list",
    "interface_class",
    "push",
    "read_clock",
    "read_object_list",
    "read_profile",
    "read_values",
    "release",
    "serve",
    "set_attribute",
    "set_clock",
    "switch",
]
