"""Telegrams out of what a receiver gave: alone, in a row, damaged, wrapped, with bytes behind them."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import wmbus
from polymeter.protocols.mbus import LongHeader
from polymeter.protocols.wire import DecodeOptions
from polymeter.protocols.wmbus import LinkHeader, encode_format_a, encode_format_b
from polymeter.protocols.wmbus.meter import Sender
from tools.fuzz_targets import check_cover

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
PLAIN = Sender(LINK).telegram(bytes.fromhex("0413d2040000426cbf25"), access_number=7)
LONG = Sender(LINK, meter=LongHeader("00112233", "PMY", 5, 4)).telegram(bytes.fromhex("0413d2040000") * 20)
A, B = encode_format_a(PLAIN), encode_format_b(PLAIN)
FORMS = {"without CRC": PLAIN, "A": A, "B": B}


def damaged(frame: bytes, at: int) -> bytes:
    changed = bytearray(frame)
    changed[at] ^= 0x10
    return bytes(changed)


@pytest.mark.parametrize("form", FORMS)
def test_a_telegram_in_any_form_says_the_same(form: str) -> None:
    (decoded,) = wmbus.decode(FORMS[form])
    assert decoded.valid
    assert decoded.meter.id == "12345678"
    assert [record.name for record in decoded.records] == ["volume", "date"]
    assert decoded.frame.frame.format.value == form
    check_cover(decoded)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [b"\x48", b"\x48\x7f"])
def test_a_receivers_bytes_behind_a_telegram_are_its_own(form: str, suffix: bytes) -> None:
    (decoded,) = wmbus.decode(FORMS[form] + suffix)
    assert decoded.valid
    assert len(decoded.records) == 2
    assert decoded.tree is not None
    assert any(node.name == "receiver's bytes" and node.raw == suffix for node in decoded.tree.walk())
    check_cover(decoded)


def test_a_gateway_that_took_the_checksums_out_and_left_their_count() -> None:
    key = bytes(range(16))
    sent = Sender(LINK, key, session=True).telegram(bytes.fromhex("0413d2040000426cbf25"), counter=7)
    given_ = encode_format_b(sent)[:1] + sent[1:]
    assert wmbus.detect(given_)
    (decoded,) = wmbus.decode(given_, DecodeOptions((key,)))
    assert (decoded.valid, len(decoded.records)) == (True, 2)
    check_cover(decoded)
    (shut,) = wmbus.decode(given_)
    assert shut.encrypted
    (line,) = wmbus.decode(given_.hex().encode() + b"\n", DecodeOptions((key,)))
    assert len(line.records) == 2


@pytest.mark.parametrize("sync", [b"\x54\xcd", b"\x54\x3d"])
def test_sync_bytes_before_a_telegram(sync: bytes) -> None:
    on_air = sync + (A if sync == b"\x54\xcd" else B)
    assert wmbus.detect(on_air)
    for decoded in wmbus.decode(on_air * 2):
        assert decoded.valid
        assert len(decoded.records) == 2
        check_cover(decoded)


@given(
    st.lists(
        st.sampled_from([PLAIN, A, B, LONG, encode_format_a(LONG), encode_format_b(LONG)]),
        min_size=1,
        max_size=6,
    )
)
def test_telegrams_follow_each_other(parts: list[bytes]) -> None:
    frames = wmbus.decode(b"".join(parts))
    assert [frame.layers[0].length for frame in frames] == [len(part) for part in parts]
    assert all(frame.valid and frame.records for frame in frames)
    assert [frame.layers[0].start for frame in frames] == [0, *accumulate(map(len, parts[:-1]))]


@pytest.mark.parametrize("cut", [1, 3, 12, 20])
def test_behind_a_telegram_that_is_cut_off_the_next_is_found(cut: int) -> None:
    frames = wmbus.decode(A[:-cut] + A + B)
    assert [frame.valid for frame in frames][-2:] == [True, True]
    assert not frames[0].valid
    assert sum(frame.layers[0].length for frame in frames) == 2 * len(A) - cut + len(B)


@pytest.mark.parametrize("at", [1, 5, 11, 15, 25])
def test_behind_damage_the_next_telegram_is_found(at: int) -> None:
    frames = wmbus.decode(damaged(A, at) + A)
    assert frames[-1].valid
    assert len(frames[-1].records) == 2
    assert not any(frame.records for frame in frames[:-1])


def test_noise_between_telegrams_is_shown() -> None:
    frames = wmbus.decode(b"\x00\x01\x02" + A + b"\xaa" * 7 + A)
    assert [frame.valid for frame in frames] == [False, True, False, True]
    assert all(frame.errors[0].offset >= 0 for frame in frames if not frame.valid)


def test_leniency_lists_what_a_damaged_telegram_says() -> None:
    at = len(A) - 1
    (strict,) = wmbus.decode(damaged(A, at))
    (lenient,) = wmbus.decode(damaged(A, at), DecodeOptions(lenient=True))
    assert strict.records == ()
    assert len(lenient.records) == 2
    assert not lenient.valid
    check_cover(lenient)


def test_an_acknowledgement_has_no_ci_field() -> None:
    data = b"\x09\x00" + bytes(LINK)[1:]
    for form in (data, encode_format_a(data), encode_format_b(data)):
        (decoded,) = wmbus.decode(form)
        assert decoded.valid
        assert decoded.records == ()
        assert decoded.frame.ci is None


def test_the_meter_is_whom_the_long_header_names() -> None:
    (decoded,) = wmbus.decode(LONG)
    assert (decoded.meter.id, decoded.meter.manufacturer) == ("00112233", "PMY")
    assert decoded.frame.link.id == "12345678"


@pytest.mark.parametrize(
    ("data", "begins"),
    [
        (PLAIN, "a frame without CRC"),
        (A, "frame format A"),
        (B, "frame format B"),
        (PLAIN * 3, "a frame without CRC"),
        (PLAIN + b"\x50", "a frame without CRC"),
        (b"b" + A.hex().upper().encode(), "a telegram from CUL"),
        (f"T1;1;1;0;97;72;12345678;0x{PLAIN.hex()}\n".encode(), "a telegram from rtl-wmbus"),
    ],
)
def test_what_looks_like_radio(data: bytes, begins: str) -> None:
    assert (wmbus.detect(data) or "").startswith(begins)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x44",
        PLAIN[:-1],
        damaged(PLAIN, 2)[:9],
        b"\x1e\x82" + PLAIN[2:],  # no function
        b"\x1e\x44\x00\x00" + PLAIN[4:],  # no maker
        PLAIN[:10] + b"\x3f" + PLAIN[11:],  # no CI field
        b"/ISk5MT171-0222\r\n",
        b"\x68\x03\x03\x68\x08\x01\x70\x79\x16",
    ],
)
def test_what_does_not(data: bytes) -> None:
    assert wmbus.detect(data) is None


def test_a_wrapping_that_holds_no_telegram_is_refused_with_its_place() -> None:
    for data in (b"\xa5\x02\x03\x1e" + PLAIN[1:10], f"T1;1;0;0;97;72;12345678;0x{PLAIN.hex()}\n".encode()):
        (decoded, *_) = wmbus.decode(data)
        assert not decoded.valid
        assert decoded.errors[0].offset >= 0
        check_cover(decoded)


def test_the_level_is_told() -> None:
    (decoded,) = wmbus.decode(f"T1;1;1;0;-71;72;12345678;0x{PLAIN.hex()}\n".encode())
    assert decoded.frame.rssi_dbm == -71
    assert decoded.frame.receiver == "rtl-wmbus"


@given(st.binary(max_size=300), st.booleans())
def test_the_tree_covers_anything_once(data: bytes, lenient: bool) -> None:
    options = DecodeOptions((bytes(16),), lenient=lenient)
    explained = wmbus.decode(data, options)
    for decoded in explained:
        check_cover(decoded)
    plain = wmbus.decode(data, options, explain=False)
    assert [(one.valid, one.records, one.waits_for) for one in plain] == [
        (one.valid, one.records, one.waits_for) for one in explained
    ]


@given(st.integers(8, 8 * len(A) - 1))
def test_no_changed_bit_of_format_a_makes_another_value(bit: int) -> None:
    """Format B whose checksum fails cannot be told from a frame without checksum; format A can."""
    changed = bytearray(A)
    changed[bit // 8] ^= 1 << bit % 8
    for decoded in wmbus.decode(bytes(changed)):
        assert not any(record.name == "volume" for record in decoded.records)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [b"\x48", b"\x48\x7f"])
def test_telegrams_with_a_receivers_bytes_follow_each_other(form: str, suffix: bytes) -> None:
    frames = wmbus.decode((FORMS[form] + suffix) * 4)
    assert [frame.layers[0].length for frame in frames] == [len(FORMS[form] + suffix)] * 4
    assert all(frame.valid and len(frame.records) == 2 for frame in frames)
