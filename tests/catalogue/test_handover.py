"""DLMS in wireless M-Bus is read by the decoder of DLMS, and radio's layers on wire by that of radio."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.catalogue import decode_frames
from polymeter.protocols.dlms import detect
from polymeter.protocols.mbus import LongFrame, LongHeader, encode
from polymeter.protocols.wmbus import LinkHeader
from polymeter.protocols.wmbus.meter import Sender, compact_frame
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


WIRED = LongHeader("12345678", "PMX", 1, 4)
KEY, OTHER = bytes(range(16)), bytes(16)
VOLUME = bytes.fromhex("0413d2040000")


def wired(mode: int, *, altered: bool = False) -> bytes:
    """A wired frame with a message that a meter protects as on radio."""
    link = LinkHeader(0x44, "PMX", "00000000", 1, 0x37)
    sent = Sender(link, KEY, mode, WIRED).telegram(VOLUME, access_number=7, counter=9)
    message = bytearray(sent[1 + len(bytes(link)) :])
    if altered:
        message[2 + message[1] + 9] ^= 1  # the access number, behind the layer of authentication
    return encode(LongFrame(0x08, 5, message[0], bytes(message[1:])))


@pytest.mark.parametrize("explain", [True, False])
@pytest.mark.parametrize("mode", [7, 8, 9, 10])
def test_a_wired_message_with_derived_keys_is_opened(mode: int, explain: bool) -> None:
    (frame,) = decode_frames(wired(mode), "mbus", keys=(OTHER, KEY), explain=explain)
    if explain:
        check_cover(frame.decoded)
    assert (frame.decoded.valid, frame.decoded.encrypted, frame.decoded.errors) == (True, False, ())
    assert [(each.series, str(each.value)) for each in frame.readings] == [("volume", "1.234")]
    assert frame.decoded.meter.id == "12345678"
    assert frame.decoded.seals[0].invocation_counter == 9


@pytest.mark.parametrize(("keys", "words"), [((), "is missing"), ((OTHER,), "wrong key")])
def test_a_wired_message_stays_shut_without_its_key(keys: tuple[bytes, ...], words: str) -> None:
    for mode in (7, 8, 9):
        (frame,) = decode_frames(wired(mode), "mbus", keys=keys)
        check_cover(frame.decoded)
        assert (frame.decoded.encrypted, frame.readings) == (True, ())
        assert words in frame.decoded.errors[0].message


def test_a_wired_message_that_was_altered_is_refused() -> None:
    (frame,) = decode_frames(wired(7, altered=True), "mbus", keys=(KEY,))
    assert (frame.decoded.valid, frame.readings) == (False, ())
    assert "altered" in frame.decoded.errors[0].message


def test_a_signature_of_an_old_meter_is_no_security_mode() -> None:
    plain = encode(LongFrame(0x08, 5, 0x72, bytes(WIRED._replace(configuration=0x0A10)) + VOLUME))
    for keys in ((), (KEY,)):
        (frame,) = decode_frames(plain, "mbus", keys=keys)
        assert [each.series for each in frame.readings] == ["volume"]
        assert frame.decoded.errors == ()


def test_a_compact_frame_on_wire_is_read_by_a_shipped_format() -> None:
    headers, data = bytes.fromhex("02ff2004134413"), bytes.fromhex("0000d2040000e8030000")
    full = bytes.fromhex("02ff20000004") + bytes.fromhex("13d20400004413e8030000")
    message = compact_frame(headers, full, data)
    (frame,) = decode_frames(encode(LongFrame(0x08, 5, message[0], message[1:])), "mbus")
    check_cover(frame.decoded)
    assert [str(each.value) for each in frame.readings] == ["0", "1.234", "1.000"]
    unknown = compact_frame(b"\x04\x13", b"\x04\x13" + data[:4], data[:4])
    (frame,) = decode_frames(encode(LongFrame(0x08, 5, unknown[0], unknown[1:])), "mbus")
    assert frame.decoded.waits_for is not None


def test_layers_that_are_not_whole_are_told() -> None:
    (frame,) = decode_frames(encode(LongFrame(0x08, 5, 0x90, b"\x0f\x00\x2c")), "mbus")
    check_cover(frame.decoded)
    assert not frame.decoded.valid
    assert "AFL" in frame.decoded.errors[0].message


@given(st.sampled_from([7, 8, 9, 10]), st.data())
@settings(max_examples=200)
def test_any_wired_message_is_read_or_refused(mode: int, data: st.DataObject) -> None:
    message = bytearray(wired(mode)[6:-2])
    for at in data.draw(st.lists(st.integers(0, len(message) - 1), max_size=4)):
        message[at] = data.draw(st.integers(0, 255))
    message[0] = data.draw(st.sampled_from([message[0], 0x90, 0x7B, 0x79, 0x69, 0x6B]))
    sent = encode(LongFrame(0x08, 5, message[0], bytes(message[1:])))
    for keys in ((), (KEY,)):
        (frame,) = decode_frames(sent, "mbus", keys=keys)
        check_cover(frame.decoded)


@pytest.mark.parametrize("mode", [4, 5, 7, 8, 9, 10])
def test_a_wired_message_whose_sender_nobody_names_stays_shut(mode: int) -> None:
    header = bytes((7, 0, 0x10, mode)) + bytes.fromhex("1001000000000000")
    afl = bytes.fromhex("90020000")
    (frame,) = decode_frames(
        encode(LongFrame(0x08, 5, afl[0], afl[1:] + b"\x7a" + header + bytes(32))), keys=(KEY,)
    )
    assert frame.decoded.encrypted
