"""DLMS that travels in wireless M-Bus is read by the decoder of DLMS."""

import pytest

from polymeter.catalogue import decode_frames
from polymeter.protocols.dlms import detect
from polymeter.protocols.wmbus import LinkHeader
from tools.fuzz_targets import check_cover

NOTIFICATION = bytes.fromhex("0f0000000100020209060100010800ff0600003039")
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 2)


def telegram(head: str) -> bytes:
    body = bytes(LINK) + bytes.fromhex(head) + NOTIFICATION
    return bytes((len(body),)) + body


@pytest.mark.parametrize("head", ["7d01000000", "000110"])
def test_a_notification_is_handed_over(head: str) -> None:
    assert detect(NOTIFICATION)
    (frame,) = decode_frames(telegram(head), "wmbus")
    check_cover(frame.decoded)
    assert frame.decoded.valid
    assert "12345" in [str(reading.value) for reading in frame.readings]
    (fast,) = decode_frames(telegram(head), "wmbus", explain=False)
    assert fast.readings == frame.readings


def test_what_dlms_does_not_read_stays_opaque() -> None:
    body = bytes(LINK) + bytes.fromhex("7d01000000ffffffff")
    (frame,) = decode_frames(bytes((len(body),)) + body, "wmbus")
    assert [reading.value for reading in frame.readings] == [b"\xff\xff\xff\xff"]
