"""Exact values: a decimal is kept as an integer mantissa and a small exponent, as the sender wrote it.

`14567.000` has three decimals and keeps them: they are significant in billing. What does not fit 64 bits is
kept as its digits. No float ever takes part.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple

__all__ = ["DIGITS_MAX", "Exact", "InvalidValue", "parse_value", "plain"]

DIGITS_MAX: Final = 200
"""Longest value in plain notation; a bound, because `1E+999999999` is eleven bytes on the wire."""

_MANTISSA_MAX: Final = 2**63 - 1
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)


class InvalidValue(ValueError):
    """The text is no exact decimal number, or longer than `DIGITS_MAX`."""


class Exact(NamedTuple):
    """A value as it is stored: number in 64 bits, longer number, or text.

    `exponent` is None for a textual value only; `mantissa` is None where `text` holds the content: the text
    itself, or the digits of a mantissa beyond 64 bits.
    """

    mantissa: int | None
    exponent: int | None
    text: str | None

    @classmethod
    def of(cls, value: Decimal | str) -> Exact:
        """Take a value apart; a `str` is a textual value, never a number.

        Raises:
            InvalidValue: not finite, or too long.
        """
        if isinstance(value, str):
            return cls(None, None, value)
        sign, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            raise InvalidValue(f"{value} is not a finite number")
        if max(len(digits), len(digits) + exponent, -exponent) > DIGITS_MAX:
            raise InvalidValue(f"the value has more than {DIGITS_MAX} digits")
        number = int("".join(map(str, digits)))
        return cls._of(-number if sign else number, exponent)

    @classmethod
    def parse(cls, text: str, power: int = 0) -> Exact:
        """Read an exact decimal number, times ten to the `power` (see `units.shift`).

        Raises:
            InvalidValue: it is none (`NaN`, a comma, a blank), or it is too long.
        """
        if _NUMBER.fullmatch(text) is None:
            raise InvalidValue(f"{text[:60]!r} is not a decimal number such as '14567.000'")
        head, _, scientific = text.replace("E", "e").partition("e")
        whole, _, decimals = head.partition(".")
        exponent = int(scientific or 0) - len(decimals) + power
        if max(len(head), len(head) + exponent, -exponent) > DIGITS_MAX:
            raise InvalidValue(f"the value has more than {DIGITS_MAX} digits")
        return cls._of(int(whole + decimals), exponent)

    @classmethod
    def _of(cls, mantissa: int, exponent: int) -> Exact:
        if -_MANTISSA_MAX <= mantissa <= _MANTISSA_MAX:
            return cls(mantissa, exponent, None)
        return cls(None, exponent, str(mantissa))

    @property
    def value(self) -> Decimal | str:
        """The value again, with the decimals it came with."""
        if self.exponent is None:
            return self.text or ""
        # Text never rounds; arithmetic would, under the caller's decimal context.
        return Decimal(f"{self.text if self.mantissa is None else self.mantissa}E{self.exponent}")

    @property
    def shown(self) -> str:
        """The number in plain notation, or the text."""
        value = self.value
        return value if isinstance(value, str) else plain(value)

    def same(self, other: Exact) -> bool:
        """Whether both are the same number (`1.0` is `1.00`), or the same text."""
        return self == other or self.value == other.value


def parse_value(text: str) -> Decimal:
    """Read an exact decimal number.

    Raises:
        InvalidValue: it is none (`NaN`, a comma, a blank), or it is too long.
    """
    value = Exact.parse(text).value
    assert isinstance(value, Decimal)
    return value


def plain(value: Decimal) -> str:
    """The number in plain notation, never with an exponent."""
    return format(value, "f")
