"""The messages of SML: an envelope with a check sum around a body of the grammar.

A message is ``(transactionId, groupNo, abortOnError, body, crc16, end)``, its body a choice: a tag
and a structure.
"""

from __future__ import annotations

from typing import NamedTuple

from polymeter.protocols.sml.elements import (
    END,
    LIST,
    OCTETS,
    UNSIGNED,
    Element,
    encode_element,
    listing,
    octets,
    read_element,
    unsigned,
)
from polymeter.protocols.sml.grammar import BODIES, SERVERS, UNDESCRIBED, check_body
from polymeter.protocols.sml.transport import CHECKSUMS, X25, Checksum
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["Message", "decode_message", "decode_messages", "encode_message"]


class Message(NamedTuple):
    """A message. `body` is checked against the grammar if its tag is known."""

    transaction_id: bytes | None
    group: int
    abort_on_error: int
    tag: int
    body: Element
    element: Element | None = None
    """The whole message as it was received."""

    @property
    def server(self) -> bytes | None:
        """The server id that the body names. The body must have been checked."""
        place = SERVERS.get(self.tag)
        if place is None or self.body.kind != LIST:
            return None
        server: bytes | None = self.body.value[place].value or None  # an empty list is none, too
        return server

    @property
    def name(self) -> str:
        """The name of the body's structure."""
        return BODIES.get(self.tag) or UNDESCRIBED.get(self.tag) or f"body {self.tag:08X}"


def decode_message(
    data: bytes, at: int = 0, checksums: tuple[Checksum, ...] = CHECKSUMS
) -> tuple[Message, RemoteProtocolError | None]:
    """The message that begins at `at`, and what is wrong with its check sum, if anything is.

    Raises:
        RemoteProtocolError: it is cut or is no message.
    """
    element = read_element(data, at, len(data))
    parts = element.value
    if element.kind != LIST or len(parts) != 6:
        raise RemoteProtocolError("a message is a list of 6", at)
    transaction, group, abort, choice, crc, end = parts
    if end.kind != END and end.value is not None:
        raise RemoteProtocolError("a message ends with 00", end.start)
    if transaction.kind != OCTETS or not (group.kind == abort.kind == crc.kind == UNSIGNED):
        raise RemoteProtocolError("a message begins with its transaction, group and abort", at)
    if choice.kind != LIST or len(choice.value) != 2 or choice.value[0].kind != UNSIGNED:
        raise RemoteProtocolError("a body is a tag and a structure", choice.start)
    tag, body = choice.value
    message = Message(transaction.value, group.value, abort.value, tag.value, body, element)
    covered = data[at : crc.start]
    given = (crc.value & 0xFF) << 8 | crc.value >> 8
    problem = None
    for checksum in checksums:
        if checksum.compute(covered) == given:
            break
    else:
        problem = RemoteProtocolError(f"the check sum of {message.name} does not fit", crc.start)
    return message, problem


def decode_messages(content: bytes) -> list[Message]:
    """The messages of a frame's content.

    Raises:
        RemoteProtocolError: one breaks coding, grammar or check sum.
    """
    found: list[Message] = []
    at, end = 0, len(content.rstrip(b"\0"))
    while at < end:
        message, problem = decode_message(content, at)
        if problem is not None:
            raise problem
        if message.tag in BODIES:
            check_body(message.body, BODIES[message.tag])
        assert message.element is not None  # it was decoded
        found.append(message)
        at = message.element.end
    return found


def encode_message(message: Message, checksum: Checksum = X25) -> bytes:
    """The bytes of a message, with its check sum.

    Raises:
        LocalProtocolError: a number does not fit its size.
    """
    if message.element is not None:
        return encode_element(message.element)
    parts = (
        octets(message.transaction_id),
        unsigned(message.group, 1),
        unsigned(message.abort_on_error, 1),
        listing(unsigned(message.tag, 4 if message.tag > 0xFFFF else 2), message.body),
    )
    covered = b"\x76" + b"".join(map(encode_element, parts))
    return covered + b"\x63" + checksum.compute(covered).to_bytes(2, "little") + b"\x00"
