"""Common APDUs are decoded by a quick way of their own, which must be the same way."""

from __future__ import annotations

import pytest

from polymeter.protocols.dlms.apdus import APDU, decode_apdu
from polymeter.protocols.dlms.apdus.base import decode_leading
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["check_quick_way"]


def check_quick_way(octets: bytes) -> APDU | None:
    """See that both ways say the same of these octets; gives the APDU, `None` if they are none."""
    try:
        expected, end = decode_leading(octets)
    except RemoteProtocolError:
        end = -1
    if end < len(octets):
        with pytest.raises(RemoteProtocolError):
            decode_apdu(octets)
        return None
    found = decode_apdu(octets)
    assert (found, found.heads) == (expected, expected.heads)
    return found
