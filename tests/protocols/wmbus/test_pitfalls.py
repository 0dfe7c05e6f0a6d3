"""The traps of the air, one test each, numbered as in the list of them that is kept for M-Bus."""

from decimal import Decimal

import pytest

from polymeter.protocols import mbus, wmbus
from polymeter.protocols.mbus import LongHeader
from polymeter.protocols.wire import Decoded, DecodeOptions
from polymeter.protocols.wmbus import LinkHeader, Memory, encode_format_a, encode_format_b, security
from polymeter.protocols.wmbus.meter import Sender, compact_frame

KEY, OTHER = bytes(range(16)), bytes(16)
RECORDS = bytes.fromhex("0413d2040000426cbf25")
ADAPTER = LinkHeader(0x44, "PMY", "87654321", 3, 0x37)
METER = LongHeader("00112233", "PMX", 5, 4)


def one(data: bytes, *keys: bytes, **options: bool) -> Decoded:
    decoded = wmbus.decode(data, DecodeOptions(keys, **options))
    assert len(decoded) == 1
    return decoded[0]


def messages(decoded: Decoded) -> str:
    return "; ".join(problem.message for problem in decoded.errors)


def test_pitfall_11_ci_73_is_a_compact_frame_on_radio(link: LinkHeader) -> None:
    full = bytes.fromhex("02ff200000041301000000441302000000")
    body = compact_frame(bytes.fromhex("02ff2004134413"), full, bytes.fromhex("00000100000002000000"))
    long = b"\x73" + bytes(METER) + body[1:]
    on_air = one(bytes((9 + len(long),)) + bytes(link) + long)
    assert on_air.meter.id == "00112233"
    assert [record.value for record in on_air.records] == [0, Decimal("0.001"), Decimal("0.002")]
    on_wire = mbus.decode(mbus.encode(mbus.LongFrame(8, 1, 0x73, bytes(16))))[0]
    assert on_wire.frame.fixed is not None


def test_pitfall_12_length_is_that_of_the_stripped_frame(plain: bytes) -> None:
    for on_air in (encode_format_a(plain), encode_format_b(plain)):
        assert wmbus.decode_frame(on_air).data == plain
        assert bytes(wmbus.decode_frame(on_air)) == on_air
    assert encode_format_a(plain)[0] == plain[0]
    assert encode_format_b(plain)[0] == plain[0] + 2


@pytest.mark.parametrize("at", range(1, 30, 3))
def test_pitfall_12_a_failed_crc_is_refused(plain: bytes, at: int) -> None:
    damaged = bytearray(encode_format_a(plain))
    damaged[at] ^= 0x10
    decoded = one(bytes(damaged))
    assert not decoded.valid
    assert not decoded.records
    assert decoded.errors[0].offset in (10, len(damaged) - 2, 28)


def test_pitfall_12_what_3_of_6_flags_is_refused(plain: bytes) -> None:
    line = f"T1;1;0;2026-01-31 12:00:00;97;72;12345678;0x{plain.hex()}\n".encode()
    decoded = one(line)
    assert not decoded.valid
    assert "3-of-6" in messages(decoded)


def test_pitfall_13_iv_is_made_from_the_meter_not_the_adapter() -> None:
    assert one(Sender(ADAPTER, KEY, 5, METER).telegram(RECORDS), KEY).records
    assert one(Sender(ADAPTER, KEY, 5).telegram(RECORDS), KEY).records


def test_pitfall_13_the_tail_stays_clear(link: LinkHeader) -> None:
    data = Sender(link, KEY, 5).telegram(RECORDS[:8], tail=b"\x2f" * 6)
    assert data[13] >> 4 == 1
    cut = RECORDS + bytes.fromhex("04067b000000")
    data = Sender(link, KEY, 5).telegram(cut[:14], tail=cut[14:])
    assert [record.value for record in one(data, KEY).records][2] == 123
    shut = one(data)
    assert shut.encrypted
    assert not shut.records


def test_pitfall_13_a_wrong_key_is_called_so_and_makes_no_values(link: LinkHeader) -> None:
    data = Sender(link, KEY, 5).telegram(RECORDS)
    wrong = one(data, OTHER)
    assert (wrong.valid, wrong.encrypted, wrong.records) == (True, True, ())
    assert "wrong key" in messages(wrong)
    missing = one(data)
    assert "the key of meter 12345678 is missing" in messages(missing)


def test_pitfall_13_announced_but_plain_is_taken_as_plain(link: LinkHeader) -> None:
    sealed = Sender(link, KEY, 5).telegram(RECORDS)
    data = sealed[:15] + (b"\x2f\x2f" + RECORDS).ljust(len(sealed) - 15, b"\x2f")
    for keys in ((), (KEY,), (OTHER,)):
        decoded = one(data, *keys)
        assert not decoded.encrypted
        assert decoded.records[0].value == Decimal("1.234")


OMS_PROFILE_B = bytes.fromhex(
    "434493157856341233038c2075900f002c25b30a000021924d4f2fb66e017a75002007109058475f4bc91df878b80a1b0f98"
    "b629024aac727942bfc549233c0140829b93"
)
"""The message example of the OMS specification, volume 2, Annex N, with its published key."""


def test_pitfall_14_mode_7_by_the_published_example() -> None:
    decoded = one(OMS_PROFILE_B, KEY)
    assert decoded.errors == ()
    assert decoded.records[0].value == Decimal("28504.27")
    assert decoded.meter.id == "12345678"


def test_pitfall_14_the_code_is_checked_before_anything_is_believed() -> None:
    altered = bytearray(OMS_PROFILE_B)
    altered[24] ^= 1  # in the code itself
    decoded = one(bytes(altered), KEY)
    assert not decoded.valid
    assert not decoded.records
    assert "altered" in messages(decoded)
    assert "wrong key" in messages(one(OMS_PROFILE_B, OTHER))


def test_pitfall_14_keys_are_derived_with_the_meters_number() -> None:
    for meter in (None, METER):
        data = Sender(ADAPTER, KEY, 7, meter).telegram(RECORDS, counter=0x01020304)
        assert one(data, KEY).records[0].value == Decimal("1.234")


def test_pitfall_15_mode_10_refuses_a_changed_byte() -> None:
    data = Sender(ADAPTER, KEY, 10, METER).telegram(RECORDS, counter=7)
    assert one(data, KEY).records[0].value == Decimal("1.234")
    for at in range(22, len(data), 5):
        changed = bytearray(data)
        changed[at] ^= 1
        assert not one(bytes(changed), KEY).records


def test_pitfall_16_the_crc_of_the_session_tells_a_wrong_key(link: LinkHeader) -> None:
    data = Sender(link, KEY, session=True).telegram(RECORDS, counter=12)
    assert one(data, KEY).records[0].value == Decimal("1.234")
    assert "wrong key" in messages(one(data, OTHER))
    assert "missing" in messages(one(data))


def test_pitfall_17_formats_are_learned_and_checked(link: LinkHeader) -> None:
    full = Sender(link).telegram(RECORDS)
    body = compact_frame(bytes.fromhex("0413426c"), RECORDS, bytes.fromhex("d2040000bf25"))
    short = bytes((9 + len(body),)) + bytes(link) + body
    assert "a full frame of this meter teaches it" in messages(one(short))
    memory = Memory()
    wmbus.decode(full, memory=memory)
    (again,) = wmbus.decode(short, memory=memory)
    assert [record.raw for record in again.records] == [RECORDS[:6], RECORDS[6:]]
    damaged = short[:-1] + bytes((short[-1] ^ 1,))
    (refused,) = wmbus.decode(damaged, memory=memory)
    assert not refused.valid


def test_pitfall_17_a_format_frame_teaches(link: LinkHeader) -> None:
    headers = bytes.fromhex("0413426c")
    body = b"\x69" + bytes((6,)) + wmbus.compact.signature(headers).to_bytes(2, "little") + headers
    memory = Memory({})
    assert wmbus.decode(bytes((9 + len(body),)) + bytes(link) + body, memory=memory)[0].valid
    assert memory.format(bytes(link)[1:], wmbus.compact.signature(headers)) == headers


def test_pitfall_18_both_addresses_are_kept() -> None:
    decoded = one(Sender(ADAPTER, meter=METER).telegram(RECORDS))
    assert (decoded.meter.id, decoded.meter.manufacturer, decoded.meter.version) == ("00112233", "PMX", 5)
    assert decoded.frame.link.id == "87654321"


def test_des_opens_modes_2_and_3(link: LinkHeader) -> None:
    key = bytes.fromhex("0123456789abcdef")
    for mode, iv in ((2, bytes(8)), (3, bytes(link)[1:])):
        sealed = security.encrypt_des(key, iv, (b"\x2f\x2f" + RECORDS).ljust(16, b"\x2f"))
        body = bytes((0x7A, 1, 0, len(sealed), mode)) + sealed
        assert one(bytes((9 + len(body),)) + bytes(link) + body, key).records[0].value == Decimal("1.234")
