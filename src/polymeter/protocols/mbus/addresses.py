"""Secondary addresses (EN 13757-3 § 11): eight bytes that every meter has, with wildcards.

As text an address is sixteen hexadecimal digits: the identification number, then manufacturer,
version and device type in the order in which they travel. F stands for any digit of the number, FF
for any of the other bytes. Digits left out at the end are wildcards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.mbus.tpl import LongHeader, decode_manufacturer, secondary_address
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["ANY", "SecondaryAddress"]

_FORM: Final = re.compile(r"[0-9A-F]{16}")
DIGITS: Final = 8
"""Of the sixteen digits, those that are digits of the number; behind them come whole bytes."""


@dataclass(frozen=True, slots=True)
class SecondaryAddress:
    """Sixteen hexadecimal digits, capital letters."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> SecondaryAddress:
        """The address that a text spells.

        Raises:
            LocalProtocolError: it is none.
        """
        digits = text.upper().ljust(16, "F")
        if not 8 <= len(text) <= 16 or not _FORM.fullmatch(digits):
            raise LocalProtocolError(
                f"{text!r} is no secondary address: 8 to 16 hexadecimal digits are expected, F is any"
            )
        return cls(digits)

    @classmethod
    def of(cls, header: LongHeader) -> SecondaryAddress:
        """The address of the meter that sent this header."""
        return cls.decode(header.address)

    @classmethod
    def decode(cls, data: bytes) -> SecondaryAddress:
        """The address in eight bytes of a selection."""
        return cls(secondary_address(data))

    def __bytes__(self) -> bytes:
        data = bytes.fromhex(self.digits)
        return data[3::-1] + data[4:]

    def __str__(self) -> str:
        return self.digits

    @property
    def wild(self) -> bool:
        """Whether it may stand for several meters."""
        return "F" in self.digits[:DIGITS] or any(self.byte(at) == "FF" for at in range(8, 16, 2))

    @property
    def manufacturer(self) -> str | None:
        """The FLAG code, `None` where it is a wildcard."""
        code = bytes.fromhex(self.digits[8:12])
        return None if b"\xff" in code else decode_manufacturer(code)

    def byte(self, at: int) -> str:
        """The two digits that begin at `at`."""
        return self.digits[at : at + 2]

    def replaced(self, at: int, digits: str) -> SecondaryAddress:
        """The same address with `digits` at `at`."""
        return SecondaryAddress(self.digits[:at] + digits + self.digits[at + len(digits) :])

    def matches(self, header: LongHeader) -> bool:
        """Whether a meter with this header is meant."""
        own = SecondaryAddress.of(header).digits
        number = zip(self.digits[:DIGITS], own[:DIGITS], strict=True)
        if any(mine not in ("F", other) for mine, other in number):
            return False
        return all(self.byte(at) in ("FF", own[at : at + 2]) for at in range(DIGITS, 16, 2))


ANY: Final = SecondaryAddress("F" * 16)
"""Every meter on the bus."""
