"""OBIS codes (IEC 62056-6-1): six value groups A-B:C.D.E*F that name what is measured.

Meters and people write them in many ways: whole (``1-0:1.8.0*255``), without medium and channel
(``1.8.0``), with letters for some values of group C (``C.1.0``, ``F.F``, ``P.01``), as six octets.
`parse` reads them all; `OBIS.__str__` writes the one form that leaves polymeter.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["OBIS", "from_bytes", "parse"]

_LETTERS: Final = {"C": 96, "F": 97, "L": 98, "P": 99}
_GROUP = r"(\d{1,3}|[CFLP])"
_CODE = re.compile(
    rf"(?:(?:(\d{{1,3}})-)?(\d{{1,3}}):)?{_GROUP}\.{_GROUP}(?:\.{_GROUP})?(?:[*&](\d{{1,3}}))?", re.ASCII
)
_DASHED = re.compile(r"-".join([r"(\d{1,3})"] * 6), re.ASCII)


class OBIS(NamedTuple):
    """The six value groups. F is 255 where the code does not speak of a billing period."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = 255

    def __str__(self) -> str:
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}*{self.f}"

    def __bytes__(self) -> bytes:
        return bytes((self.a, self.b, self.c, self.d, self.e, self.f))


@lru_cache(maxsize=4096)
def from_bytes(octets: bytes) -> OBIS:
    """The code whose six octets these are (a COSEM logical name)."""
    a, b, c, d, e, f = octets
    return OBIS(a, b, c, d, e, f)


def parse(text: str) -> OBIS | None:
    """Read any written form; `None` if `text` is no OBIS code.

    Without medium the code is an electricity meter's, as in the reduced codes of IEC 62056-21;
    the abstract objects (identification 96, errors 97) belong to medium 0.
    """
    # What is longer is no code, and would be remembered at the sender's will.
    return _parse(text) if len(text) <= _LONGEST else None


_LONGEST: Final = len("OBIS_255-255:255.255.255*255")


@lru_cache(maxsize=4096)
def _parse(text: str) -> OBIS | None:
    if dashed := _DASHED.fullmatch(text):
        groups = [int(group) for group in dashed.groups()]
        return OBIS(*groups) if max(groups) < 256 else None
    match = _CODE.fullmatch(text.removeprefix("OBIS_"))
    if match is None:
        return None
    a, b, c, d, e, f = match.groups()
    values = [_LETTERS.get(group, -1) if group.isalpha() else int(group) for group in (c, d, e or "0")]
    medium = int(a) if a is not None else 0 if values[0] in (96, 97) else 1
    code = OBIS(medium, int(b or 0), values[0], values[1], values[2], int(f) if f is not None else 255)
    return code if max(code) < 256 else None
