"""What a server says with an Attention.Res, the answer that holds no data (SML 1.04 § 5).

Its number is an OBIS-like code, ``81 81 C7 C7 FD nn`` where all is well and ``81 81 C7 C7 FE nn``
where it is not. Others are the maker's own and count as refusals.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from polymeter.protocols.sml.elements import LIST, Element
from polymeter.protocols.sml.grammar import TAGS, field
from polymeter.protocols.wire import AccessDenied, ProtocolError, RemoteProtocolError

__all__ = [
    "ATTENTION",
    "WORDS",
    "Attention",
    "attention_number",
    "attention_of",
    "attention_words",
    "refusal",
    "refusal_error",
]

ATTENTION: Final = TAGS["Attention.Res"]
_BEGIN: Final = bytes.fromhex("8181c7c7")
_GOOD: Final = b"\xfd"

WORDS: Final = {
    0xFD00: "done",
    0xFD01: "the job is running",
    0xFE00: "an error that has no number of its own",
    0xFE01: "unknown SML designator",
    0xFE02: "user or password does not suffice",
    0xFE03: "no such server",
    0xFE04: "no such request file",
    0xFE05: "an attribute cannot be written",
    0xFE06: "an attribute cannot be read",
    0xFE07: "the line to the measuring point is disturbed",
    0xFE08: "the data cannot be made sense of",
    0xFE09: "a value is out of range",
    0xFE0A: "the order was not carried out",
    0xFE0B: "a check sum does not fit",
    0xFE0C: "broadcasts are not served",
    0xFE0D: "the message was not expected",
    0xFE0E: "an object of the profile is unknown",
    0xFE0F: "the type of a value is not the parameter's",
    0xFE10: "an element that may be left out is not understood",
    0xFE11: "the profile has no entries",
    0xFE12: "the end lies before the beginning",
    0xFE13: "the profile has nothing of that time",
    0xFE14: "the file ended without a close",
    0xFE15: "the profile cannot be given at the moment",
}
"""The last two octets of a number to what they mean."""


class Attention(NamedTuple):
    """What an Attention.Res says."""

    number: bytes
    message: str | None = None

    @property
    def good(self) -> bool:
        """Whether it reports that all is well: ``done``, or ``the job is running``."""
        return self.number.startswith(_BEGIN + _GOOD)

    def __str__(self) -> str:
        said = f" ({self.message})" if self.message else ""
        return f"{attention_words(self.number)}{said}"


def attention_number(code: int) -> bytes:
    """The number that ends with the two octets of `code`, a key of `WORDS`."""
    return _BEGIN + code.to_bytes(2, "big")


def attention_words(number: bytes) -> str:
    """An attention number in words."""
    known = int.from_bytes(number[4:], "big") if number[:4] == _BEGIN and len(number) == 6 else None
    return WORDS.get(known, f"attention {number.hex()}") if known is not None else f"attention {number.hex()}"


def attention_of(body: Element) -> Attention:
    """What the body of an Attention.Res says. It must have been checked, and not be absent."""
    number: bytes = field(body, "Attention.Res", "attentionNo").value or b""
    message: bytes | None = field(body, "Attention.Res", "attentionMsg").value
    return Attention(number, message.decode("latin-1") if message else None)


def refusal(body: Element) -> str | None:
    """What a server reports with the body of an Attention.Res, `None` if nothing is wrong."""
    if body.kind != LIST:
        return None
    attention = attention_of(body)
    return None if attention.good else f"the server reports: {attention}"


def refusal_error(attention: Attention, transaction: bytes | None) -> ProtocolError:
    """The error that a refusal is to whoever asked: `AccessDenied` where user or password are wrong."""
    of = f"transaction {transaction.hex()}" if transaction else "a transaction without a number"
    text = f"the server reports {attention.number.hex().upper()} to {of}: {attention}"
    denied = attention.number == attention_number(_DENIED)
    return AccessDenied(text) if denied else RemoteProtocolError(text)


_DENIED: Final = 0xFE02
