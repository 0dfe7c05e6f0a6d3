"""Opening what is protected: which key, how much of it, and what is said where none fits."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import wmbus
from polymeter.protocols.mbus import LongHeader
from polymeter.protocols.wire import Decoded, DecodeOptions
from polymeter.protocols.wmbus import AFL, Configuration, LinkHeader, protection, security
from polymeter.protocols.wmbus.meter import SENDER_MODES, Sender

KEY, OTHER, DES = bytes(range(16)), bytes(16), bytes.fromhex("0123456789abcdef")
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
RECORDS = bytes.fromhex("0413d2040000426cbf25")
SEALED = [mode for mode in SENDER_MODES if mode]


def read(data: bytes, *keys: bytes, lenient: bool = False) -> Decoded:
    (decoded,) = wmbus.decode(data, DecodeOptions(keys, lenient=lenient))
    return decoded


def said(decoded: Decoded) -> str:
    return "; ".join(problem.message for problem in decoded.errors)


def framed(body: bytes) -> bytes:
    return bytes((9 + len(body),)) + bytes(LINK) + body


@pytest.mark.parametrize("mode", SEALED)
def test_without_a_key_nothing_is_read_and_the_meter_is_named(mode: int) -> None:
    decoded = read(Sender(LINK, KEY, mode).telegram(RECORDS, counter=5))
    assert (decoded.valid, decoded.encrypted, decoded.records) == (True, True, ())
    assert "the key of meter 12345678 is missing" in said(decoded)


@pytest.mark.parametrize("mode", SEALED)
def test_a_wrong_key_is_called_so(mode: int) -> None:
    data = Sender(LINK, KEY, mode).telegram(RECORDS, counter=5)
    one = read(data, OTHER)
    assert (one.encrypted, one.records) == (True, ())
    assert "wrong key: the key given does not open" in said(one)
    assert "none of the 2 keys given does open" in said(read(data, OTHER, bytes(15) + b"\1"))


@pytest.mark.parametrize("mode", SEALED)
def test_the_right_one_of_many_keys_is_found(mode: int) -> None:
    data = Sender(LINK, KEY, mode).telegram(RECORDS, counter=5)
    keys = [bytes(15) + bytes((number,)) for number in range(20)]
    decoded = read(data, *keys, DES, KEY)
    assert not decoded.encrypted
    assert decoded.records[0].value == Decimal("1.234")


def test_keys_of_another_size_are_not_tried() -> None:
    data = Sender(LINK, KEY, 5).telegram(RECORDS)
    assert "missing" in said(read(data, DES, bytes(24)))


@pytest.mark.parametrize(
    ("field", "available", "size"),
    [
        (0x0510, 100, 16),
        (0x0500, 100, 0),
        (0x0520, 20, 32),
        (0x05F0, 240, 240),
        (0x05F0, 320, 320),
        (0x05F0, 250, 240),
        (0x05F0, 100, 96),
        (0x0730, 100, 48),
        (0x0218, 100, 0x18),
        (0x0800, 33, 33),
        (0x0A00, 33, 33),
        (0x0D00, 33, 33),
    ],
)
def test_how_much_is_announced_as_encrypted(field: int, available: int, size: int) -> None:
    assert protection.encrypted_size(Configuration(field), available) == size


def test_more_is_announced_than_there_is() -> None:
    body = b"\x7a\x01\x00\x20\x05" + bytes(range(100, 120))
    decoded = read(framed(body), KEY)
    assert not decoded.valid
    assert "32 encrypted bytes are announced, 20 are left" in said(decoded)
    plain = read(framed(b"\x7a\x01\x00\x20\x05" + RECORDS))
    assert len(plain.records) == 2


def test_a_reserved_mode_over_plain_records_is_plain() -> None:
    assert len(read(framed(b"\x7a\x01\x00\x10\x15" + RECORDS)).records) == 2
    shut = read(framed(b"\x7a\x01\x00\x10\x15" + bytes(range(200, 220))))
    assert shut.encrypted
    assert "mode 21 is reserved" in said(shut)


def test_tls_is_recognised() -> None:
    decoded = read(framed(b"\x7a\x01\x00\x00\x0d\x00" + bytes(range(40))), KEY)
    assert decoded.encrypted
    assert "mode 13 (TLS)" in said(decoded)


def test_plain_records_that_a_key_would_garble_stay_as_they_are() -> None:
    data = framed(b"\x7a\x01\x00\x10\x05" + (b"\x2f\x2f" + RECORDS).ljust(16, b"\x2f"))
    for keys in ((), (KEY,)):
        decoded = read(data, *keys)
        assert not decoded.encrypted
        assert len(decoded.records) == 2


def test_ciphertext_that_begins_like_plain_text_is_opened_all_the_same() -> None:
    """Two fillers are seen once in 65 536 ciphertexts; the records behind them then make no sense."""
    for number in range(200_000):
        records = b"\x04\x13" + number.to_bytes(4, "little")
        data = Sender(LINK, KEY, 4).telegram(records)
        if data[15:17] == b"\x2f\x2f":
            break
    decoded = read(data, KEY)
    assert [record.raw for record in decoded.records] == [records]


@pytest.mark.parametrize("mode", [7, 8])
def test_a_code_that_does_not_fit_is_never_believed(mode: int) -> None:
    data = bytearray(Sender(LINK, KEY, mode).telegram(RECORDS, counter=5))
    data[20] ^= 1  # in the code of the AFL
    decoded = read(bytes(data), KEY)
    assert decoded.records == ()
    assert "altered" in said(decoded) or "wrong key" in said(decoded)


@pytest.mark.parametrize("tag_size", [4, 8, 12, 16])
@pytest.mark.parametrize("version", [None, 9])
def test_mode_10_may_name_the_version_of_its_key(version: int | None, tag_size: int) -> None:
    number, address = b"\x01\x02\x03\x04", bytes(LINK)[1:]
    extension = bytes((0x10 if version is None else 0x50, tag_size // 4 - 1))
    configuration = Configuration(0x0A00, extension, version, number)
    head = b"\x7a\x01\x00" + bytes(configuration)
    own = security.derive_key(KEY, "encryption", number, address[2:6])
    sealed = security.ccm(own, security.nonce_ccm(address, number), head[:-4], RECORDS, tag_size)
    decoded = read(framed(head + sealed), OTHER, KEY)
    assert [record.name for record in decoded.records] == ["volume", "date"]
    assert decoded.frame.configuration.key_version == version
    altered = read(framed(head[:2] + b"\x01" + head[3:] + sealed), KEY)
    assert altered.records == ()


def test_the_counter_may_stand_in_the_header_of_mode_7() -> None:
    number, address = b"\x01\x02\x03\x04", bytes(LINK)[1:]
    own = security.derive_key(KEY, "encryption", number, address[2:6])
    plain = (b"\x2f\x2f" + RECORDS).ljust(16, b"\x2f")
    configuration = Configuration(0x2710, b"\x50", 9, number)
    message = b"\x7a\x01\x00" + bytes(configuration) + security.encrypt_cbc(own, bytes(16), plain)
    decoded = read(framed(message), KEY)
    assert decoded.records[0].value == Decimal("1.234")
    assert decoded.frame.configuration.key_version == 9
    # With an AFL that has no counter of its own, the code is made with the header's too.
    afl = AFL(0, False, 0x05, mac=bytes(8))
    code_key = security.derive_key(KEY, "authentication", number, address[2:6])
    code = security.authentication_code(code_key, afl.authenticated + message, 8)
    coded = read(framed(bytes(AFL(0, False, 0x05, mac=code)) + message), KEY)
    assert coded.errors == ()
    wrong = read(framed(bytes(AFL(0, False, 0x05, mac=bytes(8))) + message), KEY)
    assert "altered" in said(wrong)


def test_a_gmac_is_not_checked_and_said_to_be_so() -> None:
    sealed = Sender(LINK, KEY, 7).telegram(RECORDS, counter=5)
    afl = wmbus.decode_afl(sealed, 10)
    other = AFL(0, False, 0x28, b"", afl.counter, bytes(12))
    decoded = read(framed(bytes(other) + sealed[afl.end :]), KEY)
    assert len(decoded.records) == 2
    assert "GMAC, which is not checked" in said(decoded)


@pytest.mark.parametrize("mode", [9, 10])
def test_a_changed_header_is_found_by_the_tag(mode: int) -> None:
    data = bytearray(Sender(LINK, KEY, mode).telegram(RECORDS, counter=5, status=0))
    at = data.index(0x7A, 10) + 2  # the status byte
    data[at] ^= 4
    assert read(bytes(data), KEY).records == ()


def test_a_session_is_opened_with_either_address() -> None:
    other = bytes(range(40, 48))
    payload = b"\x78" + RECORDS
    for address in (bytes(LINK)[1:], other):
        ell = wmbus.ELL(0x8F, 0x20, 7, other, b"\x50\x00\x00\x20", 0)
        sealed = security.encrypt_ell(KEY, ell.counter_block(address), payload)
        decoded = read(framed(bytes(ell)[:-2] + sealed), KEY)
        assert len(decoded.records) == 2


@pytest.mark.parametrize("session", [b"\x50\x00\x00\x00", b"\x50\x00\x00\x20"])
def test_a_session_that_is_open_already_is_read(session: bytes) -> None:
    payload = b"\x78" + RECORDS
    crc = wmbus.compact.signature(payload)
    ell = wmbus.ELL(0x8D, 0x20, 7, session=session, crc=crc)
    decoded = read(framed(bytes(ell) + payload))
    assert not decoded.encrypted
    assert len(decoded.records) == 2


def test_a_session_whose_checksum_fails_is_told() -> None:
    payload = b"\x78" + RECORDS
    plain = wmbus.ELL(0x8D, 0x20, 7, session=bytes(4), crc=0x1234)
    decoded = read(framed(bytes(plain) + payload))
    assert not decoded.valid
    assert decoded.records == ()
    assert len(read(framed(bytes(plain) + payload), lenient=True).records) == 2
    reserved = wmbus.ELL(0x8D, 0x20, 7, session=b"\0\0\0\x60", crc=0x1234)
    assert "reserved" in said(read(framed(bytes(reserved) + payload), KEY))


def test_keys_are_derived_with_the_number_of_the_long_header() -> None:
    meter = LongHeader("00112233", "PMY", 5, 4)
    data = Sender(LINK, KEY, 7, meter).telegram(RECORDS, counter=5)
    assert len(read(data, KEY).records) == 2
    # The adapter's number is not part of it.
    moved = data[:4] + b"\x99" + data[5:]
    assert len(read(moved, KEY).records) == 2


@given(st.sampled_from([7, 8, 9, 10]), st.integers(1, 10), st.integers(1, 255))
def test_a_changed_byte_of_what_is_authenticated_makes_no_value(mode: int, behind: int, change: int) -> None:
    data = bytearray(Sender(LINK, KEY, mode).telegram(RECORDS, counter=5))
    data[-behind] ^= change
    assert read(bytes(data), KEY).records == ()
