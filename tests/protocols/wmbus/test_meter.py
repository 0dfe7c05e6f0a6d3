"""The meter's end: what it builds is read as it was meant."""

from decimal import Decimal

import pytest

from polymeter.protocols import wmbus
from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import Decoded, DecodeOptions, LocalProtocolError
from polymeter.protocols.wmbus import LinkHeader, security
from polymeter.protocols.wmbus.meter import SENDER_MODES, Sender, compact_frame

KEY = bytes(range(16))
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
METER = LongHeader("00112233", "PMY", 5, 4)
RECORDS = bytes.fromhex("0413d2040000426cbf25")


def read(data: bytes, *keys: bytes) -> Decoded:
    (decoded,) = wmbus.decode(data, DecodeOptions(keys))
    return decoded


@pytest.mark.parametrize("mode", SENDER_MODES)
@pytest.mark.parametrize("meter", [None, METER])
def test_every_mode_says_who_sent_it_and_how(mode: int, meter: LongHeader | None) -> None:
    decoded = read(
        Sender(LINK, KEY, mode, meter).telegram(RECORDS, access_number=300, counter=9, status=4), KEY
    )
    assert decoded.frame.configuration.mode == mode
    assert decoded.frame.header.access_number == 300 & 0xFF
    assert decoded.frame.header.status == 4
    assert decoded.meter.id == ("12345678" if meter is None else "00112233")
    assert decoded.records[0].value == Decimal("1.234")


def test_the_length_field_counts_the_bytes_behind_it() -> None:
    data = Sender(LINK).telegram(RECORDS)
    assert data[0] == len(data) - 1
    assert data[1:10] == bytes(LINK)
    assert data[10:15] == b"\x7a" + bytes(ShortHeader())
    with pytest.raises(LocalProtocolError, match="do not fit a frame"):
        Sender(LINK).telegram(bytes(250))


@pytest.mark.parametrize("mode", [4, 5, 7])
def test_blocks_are_filled_and_counted(mode: int) -> None:
    for size in (0, 13, 14, 15, 30):
        decoded = read(Sender(LINK, KEY, mode).telegram(b"\x2f" * size, counter=1), KEY)
        assert decoded.frame.configuration.blocks == -(-(size + 2) // 16)
        assert decoded.valid


@pytest.mark.parametrize("mode", [7, 8, 9, 10])
def test_the_counter_changes_what_is_sent(mode: int) -> None:
    sender = Sender(LINK, KEY, mode)
    one, two = (sender.telegram(RECORDS, counter=counter) for counter in (1, 2))
    assert one[-10:] != two[-10:]


def test_the_access_number_changes_mode_5_and_not_mode_4() -> None:
    for mode, same in ((4, True), (5, False)):
        one, two = (Sender(LINK, KEY, mode).telegram(RECORDS, access_number=n) for n in (1, 2))
        assert (one[-16:] == two[-16:]) is same


def test_a_session_hides_the_header_too() -> None:
    data = Sender(LINK, KEY, session=True).telegram(RECORDS, counter=5)
    assert data[10] == 0x8D
    assert RECORDS not in data
    decoded = read(data, KEY)
    assert decoded.frame.ell.encryption == 1
    assert int.from_bytes(decoded.frame.ell.session, "little") >> 4 & 0x01FFFFFF == 5


def test_an_unknown_mode_is_not_sent() -> None:
    for mode in (1, 2, 6, 13):
        with pytest.raises(LocalProtocolError, match=f"mode {mode}"):
            Sender(LINK, KEY, mode).telegram(RECORDS)


def test_a_key_is_never_shown() -> None:
    assert KEY.hex() not in repr(Sender(LINK, KEY, 5))
    assert repr(KEY) not in repr(Sender(LINK, KEY, 5))


def test_a_compact_frame_stands_for_its_full_one() -> None:
    body = compact_frame(bytes.fromhex("0413426c"), RECORDS, bytes.fromhex("d2040000bf25"))
    data = Sender(LINK).telegram(RECORDS) + bytes((9 + len(body),)) + bytes(LINK) + body
    full, compact = wmbus.decode(data)
    assert [record.value for record in compact.records] == [record.value for record in full.records]


def test_fragments_carry_what_the_standard_puts_where() -> None:
    frames = Sender(LINK, KEY, 7, METER).fragments(RECORDS * 20, 60, counter=77)
    layers = [wmbus.decode_afl(frame, 10) for frame in frames]
    first, *middle, last = layers
    assert [afl.fragment for afl in layers] == list(range(1, len(frames) + 1))
    assert [afl.more for afl in layers] == [True] * (len(frames) - 1) + [False]
    assert (first.message_control, int.from_bytes(first.counter, "little")) == (0x65, 77)
    assert int.from_bytes(first.message_length, "little") == sum(
        len(frame) - afl.end for frame, afl in zip(frames, layers, strict=True)
    )
    assert len(last.mac) == 8
    assert not any(afl.mac for afl in (first, *middle))
    assert not any(afl.counter or afl.message_length for afl in (*middle, last))


def test_a_code_is_computed_with_a_key_of_its_own() -> None:
    data = Sender(LINK, KEY, 7).telegram(RECORDS, counter=3)
    afl = wmbus.decode_afl(data, 10)
    number = bytes(LINK)[3:7]
    own = security.derive_key(KEY, "authentication", afl.counter, number)
    assert afl.mac == security.authentication_code(own, afl.authenticated + data[afl.end :], 8)
