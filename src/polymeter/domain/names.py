"""Series names: every spelling of one OBIS code has one canonical key; any other name is its own key."""

from __future__ import annotations

import re

__all__ = ["canonical_series"]

_FULL = re.compile(
    r"(?:OBIS[_ ])?(?:(\d{1,3})-(\d{1,3}):)?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:\*(\d{1,3}))?", re.ASCII
)
_SIX = re.compile(
    r"(?:OBIS[_ ])?(\d{1,3})([-.])(\d{1,3})\2(\d{1,3})\2(\d{1,3})\2(\d{1,3})\2(\d{1,3})", re.ASCII
)


def canonical_series(name: str) -> str:
    """The key under which a series name is looked up.

    `1.8.0`, `1-0:1.8.0`, `1-0-1-8-0-255`, `OBIS_1.8.0` and `1-0:1.8.0*255` all give `1-0:1.8.0*255`. A
    missing medium and channel are electricity's `1-0`, a missing billing period is `255` (the present value).
    """
    six = _SIX.fullmatch(name)
    if six is not None:
        groups = [six[1], six[3], six[4], six[5], six[6], six[7]]
    else:
        full = _FULL.fullmatch(name)
        # Two groups alone ("1.8") are as likely a plain number.
        if full is None or full[5] is None:
            return name
        groups = [full[1] or "1", full[2] or "0", full[3], full[4], full[5], full[6] or "255"]
    codes = [int(group) for group in groups]
    if max(codes) > 255:
        return name
    a, b, c, d, e, f = codes
    return f"{a}-{b}:{c}.{d}.{e}*{f}"
