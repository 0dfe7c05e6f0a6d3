"""What LIS-200 adds to IEC 62056-21: addresses, attributes and error numbers.

The telegrams are those of IEC 62056-21 mode C; only what stands in their data sets differs. An
address is ``instance:object.attribute``: the how-manieth of its kind (input, lock, archive), which
object, and what about it. ``V`` as object means an archive. Some devices put the archive before
an answer's address (``7-2:302.2``) or an index behind the object (``6:310_1.0``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.wire import LocalProtocolError

__all__ = ["ATTRIBUTES", "ERRORS", "NO_ROWS", "Address", "Refusal", "parse_address", "refusal"]

ATTRIBUTES: Final = {
    "0": "value",
    "1": "access rights",
    "2": "description",
    "3": "unit",
    "4": "source",
    "5": "unit code",
    "6": "format",
    "7": "data type",
    "8": "settable source",
    "9": "reserved",
    "A": "number of records",
}

ERRORS: Final = {
    1: "unknown address",
    2: "the object is not available",
    3: "the object has no such instance",
    4: "unknown attribute",
    5: "the object has no such attribute",
    6: "the value is out of range",
    9: "a constant cannot be written",
    11: "no input is allowed",
    13: "wrong input",
    14: "unknown unit code",
    17: "wrong access code",
    18: "no right to read",
    19: "no right to write",
    20: "the function is locked",
    100: "the archive is not available",
    101: "the archive has no such position",
    103: "the archive is empty",
    104: "the lower limit was not found",
    105: "the upper limit was not found",
    108: "too many archives are open",
    109: "the record was overwritten while it was read",
    110: "the record's checksum is wrong",
    180: "the source is not allowed",
    200: "the telegram's syntax is wrong",
    201: "wrong password",
    222: "the device cannot read its memory",
    223: "the device cannot write its memory",
    249: "the encoder's counter cannot be changed",
}

NO_ROWS: Final = frozenset((103, 104, 105))
"""Answers of an archive that has nothing in the range: no rows, and no failure."""

_ADDRESS: Final = re.compile(
    r"(?:(\d{1,3})-)?(\d{1,5}):(V|[0-9A-F]{1,5}(?:_\d{1,3})?)(?:\.([0-9A-Z]))?", re.ASCII
)
_ERROR: Final = re.compile(r"#(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """``instance:object.attribute``."""

    instance: int
    object: str
    attribute: str = "0"
    archive: int | None = None
    """Where an answer's value comes from an archive; never part of a request."""

    def __str__(self) -> str:
        before = f"{self.archive}-" if self.archive is not None else ""
        return f"{before}{self.instance}:{self.object}.{self.attribute}"

    @property
    def name(self) -> str:
        """The object's name without its attribute: what its values are known by."""
        return f"{self.instance}:{self.object}"

    def of(self, attribute: str) -> Address:
        """Another attribute of the same object."""
        return Address(self.instance, self.object, attribute)

    def same_object(self, other: Address) -> bool:
        """Whether both speak of one object; answers may name an archive or another attribute."""
        return (self.instance, self.object) == (other.instance, other.object)


def parse_address(text: str) -> Address:
    """Read an address; without an attribute the value (0) is meant, leading zeros say nothing.

    Raises:
        LocalProtocolError: the text is none.
    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise LocalProtocolError(f"{text!r} is no address such as 2:300.0")
    archive, instance, object_, attribute = match.groups()
    return Address(
        int(instance),
        object_.lstrip("0") or "0",
        attribute or "0",
        int(archive) if archive is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """The device's no, as a number and in words."""

    number: int

    @property
    def text(self) -> str:
        """In words, unknown numbers too."""
        words = ERRORS.get(self.number, "an error that is not in the list")
        return f"{words} (#{self.number:04d})"

    def __str__(self) -> str:
        return f"the device answers: {self.text}"


def refusal(value: str) -> Refusal | None:
    """The refusal that a value is, `None` if it is none."""
    match = _ERROR.fullmatch(value)
    return Refusal(int(match[1])) if match is not None else None
