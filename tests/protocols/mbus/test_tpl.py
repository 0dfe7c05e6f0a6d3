"""The transport layer's header: who sent it, in which state it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import mbus
from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

LETTERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)
BYTE = st.integers(0, 255)
LONG = st.builds(
    LongHeader,
    st.text("0123456789ABCDEF", min_size=8, max_size=8),
    LETTERS,
    BYTE,
    BYTE,
    BYTE,
    BYTE,
    st.integers(0, 0xFFFF),
)


@given(LONG)
def test_a_long_header_is_its_bytes(header: LongHeader) -> None:
    data = bytes(header)
    assert len(data) == mbus.LONG_HEADER_SIZE
    assert mbus.decode_long_header(data) == header
    assert mbus.decode_long_header(b"x" + data, 1) == header
    assert header.address == data[:8]


@given(LONG)
def test_the_other_order_turns_numbers_and_the_maker(header: LongHeader) -> None:
    data = bytes(header)
    turned = data[3::-1] + data[5:3:-1] + data[6:10] + data[:9:-1]
    assert mbus.decode_long_header(turned, msb_first=True) == header


@given(BYTE, BYTE, st.integers(0, 0xFFFF))
def test_a_short_header_is_its_bytes(access: int, status: int, configuration: int) -> None:
    header = ShortHeader(access, status, configuration)
    assert mbus.decode_short_header(bytes(header)) == header


def test_a_header_that_is_not_whole_is_refused_with_its_place() -> None:
    for decode, size in ((mbus.decode_long_header, 12), (mbus.decode_short_header, 4)):
        with pytest.raises(RemoteProtocolError) as caught:
            decode(bytes(size + 1), 2, layer=3)  # type: ignore[operator]
        assert (caught.value.offset, caught.value.layer) == (2, 3)


@given(LETTERS)
def test_a_maker_is_three_letters(letters: str) -> None:
    assert mbus.decode_manufacturer(mbus.encode_manufacturer(letters)) == letters


@pytest.mark.parametrize(
    ("letters", "code"), [("PMX", "b841"), ("AAA", "2104"), ("ZZZ", "5a6b"), ("KAM", "2d2c"), ("@@@", "0000")]
)
def test_makers_by_the_books(letters: str, code: str) -> None:
    assert mbus.encode_manufacturer(letters).hex() == code
    # The highest bit says that the address is not unique; the letters are the same.
    data = bytes.fromhex(code)
    assert mbus.decode_manufacturer(data[:1] + bytes((data[1] | 0x80,))) == letters


@pytest.mark.parametrize("letters", ["", "AB", "ABCD", "abc", "A1B", "ÄÖÜ"])
def test_what_is_no_maker_is_refused(letters: str) -> None:
    with pytest.raises(LocalProtocolError):
        mbus.encode_manufacturer(letters)


@pytest.mark.parametrize("number", ["123456789", "1234567G"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(LongHeader(number, "PMX", 1, 7))


def test_a_short_number_is_filled_with_zeros() -> None:
    assert mbus.decode_long_header(bytes(LongHeader("42", "PMX", 1, 7))).id == "00000042"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x00, "no error"),
        (0x01, "application busy"),
        (0x02, "application error"),
        (0x03, "abnormal condition"),
        (0x04, "power low"),
        (0x0C, "power low, permanent error"),
        (0x10, "temporary error"),
        (0x12, "application error, temporary error"),
        (0xE0, "manufacturer's bits 111"),
        (0x24, "power low, manufacturer's bits 001"),
    ],
)
def test_the_status_in_words(status: int, words: str) -> None:
    assert mbus.status_text(status) == words


def test_device_types_have_names_or_their_number() -> None:
    assert mbus.medium_name(0x04) == "heat"
    assert mbus.medium_name(0x37) == "radio converter, meter side"
    assert mbus.medium_name(0x77) == "device type 77"
    assert all(name == name.strip() and name for name in mbus.MEDIA.values())


def test_who_a_header_says_it_is() -> None:
    identity = mbus.identity(LongHeader("12345678", "PMX", 3, 7))
    assert (identity.id, identity.manufacturer, identity.version, identity.medium) == (
        "12345678",
        "PMX",
        3,
        "water",
    )


@pytest.mark.parametrize("header", [LongHeader("12345678", "PMX", 3, 7, 1, 4), ShortHeader(1, 4)])
def test_a_header_is_explained_byte_for_byte(header: LongHeader | ShortHeader) -> None:
    data = bytes(header)
    tree = Tree(data, "header")
    assert mbus.explain_header(tree, header, 0) == len(data)
    root = tree.finish()
    assert b"".join(leaf.raw for leaf in root.leaves()) == data
    assert next(node for node in root.walk() if node.name == "status").meaning == "power low"
