"""Telegrams and envelopes: what was decoded encodes to the same bytes; where frames begin and end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.p1.frames import (
    Ciphered,
    Telegram,
    checksum_text,
    decode_ciphered,
    decode_telegram,
    encode,
)
from polymeter.protocols.p1.marks import find_span
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError
from tests.vectors import load_vectors, telegram

SOUND = [telegram(case) for case in load_vectors("p1") if case["expect"]["valid"] and "text" in case]
HEAD = b"/PMX5SIM\r\n\r\n"
BODY = HEAD + b"1-0:1.8.0(000001.500*kWh)\r\n!"


@pytest.mark.parametrize("data", SOUND)
def test_what_was_decoded_encodes_to_the_same_bytes(data: bytes) -> None:
    span = find_span(data)
    assert span is not None
    assert encode(decode_telegram(data[span.start : span.end])) == data[span.start : span.end]


names = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/!?"), min_size=4, max_size=40
)
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="()*/!"), max_size=30
)


@given(names, st.lists(st.tuples(values, values), max_size=12), st.booleans())
def test_any_telegram_comes_back(name: str, sets: list[tuple[str, str]], checked: bool) -> None:
    data = "\r\n\r\n" + "".join(f"{address}({value})\r\n" for address, value in sets)
    plain = Telegram(name, data)
    checksum = checksum_text(encode(plain)[:-2]) if checked else None
    made = Telegram(name, data, checksum)
    assert decode_telegram(encode(made)) == made


@given(
    st.binary(min_size=8, max_size=8),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=300),
    st.sampled_from((0, 1, 2)),
)
def test_any_envelope_comes_back(title: bytes, counter: int, ciphertext: bytes, octets: int) -> None:
    made = Ciphered(title, counter, ciphertext, b"\x01" * 12, 0x30, octets)
    try:
        written = encode(made)
    except LocalProtocolError:
        assert len(ciphertext) + 17 >= (1 << 8 * octets if octets else 0x80)
        return
    assert decode_ciphered(written) == made


def test_identification_and_data_cannot_hold_what_ends_them() -> None:
    for bad in (
        Telegram("PMX5/x", "\r\n"),
        Telegram("PMX5", "!"),
        Telegram("PMX5\n", ""),
        Telegram("PMX5€", ""),
    ):
        with pytest.raises(LocalProtocolError):
            encode(bad)


def test_a_damaged_checksum_is_told_with_its_place() -> None:
    with pytest.raises(RemoteProtocolError, match=r"0000, .* is expected") as raised:
        decode_telegram(BODY + b"0000\r\n", 100)
    assert raised.value.offset == 100 + len(BODY)


def test_a_checksum_may_lack_leading_zeros() -> None:
    number = next(n for n in range(10_000) if checksum_text(HEAD + b"0-0:1(%d)\r\n!" % n)[0] == "0")
    data = HEAD + b"0-0:1(%d)\r\n!" % number
    short = checksum_text(data).lstrip("0")
    assert decode_telegram(data + short.encode() + b"\r\n").checksum == short


def test_every_single_bit_flip_in_a_checked_telegram_is_noticed() -> None:
    data = BODY + checksum_text(BODY).encode() + b"\r\n"
    for index in range(1, len(data) - 2):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[index] ^= 1 << bit
            if bytes(flipped).upper() == data.upper() and index >= len(BODY):
                continue  # a checksum in lower-case digits is the same checksum
            span = find_span(bytes(flipped))
            if span is None or not span.sound:
                continue
            try:
                found = decode_telegram(bytes(flipped)[span.start : span.end])
            except RemoteProtocolError:
                continue
            # A flip in the mark or in the checksum's first digit leaves a telegram without checksum,
            # which no version before 4 has, and which holds the same values.
            assert found.checksum is None, (index, bit)
            assert found.data.encode() in data


def test_carriage_returns_may_be_lost_and_nothing_else() -> None:
    whole = BODY + checksum_text(BODY).encode("ascii") + b"\r\n"
    bare = whole.replace(b"\r\n", b"\n")
    assert encode(decode_telegram(bare)) == bare
    with pytest.raises(RemoteProtocolError, match="is expected"):
        decode_telegram(bare.replace(b"1.500", b"1.501"))
    with pytest.raises(RemoteProtocolError, match="is expected"):
        decode_telegram(whole.replace(b"\r\n", b"\n", 1))


def test_a_misprinted_checksum_passes_only_with_the_telegram_it_stands_under() -> None:
    with pytest.raises(RemoteProtocolError, match="the checksum is 522B"):
        decode_telegram(BODY + b"522B\r\n")


@pytest.mark.parametrize(
    ("line", "promised"),
    [
        (b"1-3:0.2.8(50)", True), (b"1-3:0.2.8(40)", True), (b"1-3:0.2.8(22)", False),
        (b"1-3:0.2.8(210)", True),
        (b"0-0:96.1.4(50217)", True), (b"0-0:96.1.4(1)", False), (b"1-0:1.8.0(50)", False),
    ],
)  # fmt: skip
def test_a_version_that_has_a_checksum_must_show_it(line: bytes, promised: bool) -> None:
    data = HEAD + line + b"\r\n!\r\n"
    if not promised:
        assert decode_telegram(data).checksum is None
        return
    with pytest.raises(RemoteProtocolError, match="the checksum is missing"):
        decode_telegram(data)


@pytest.mark.parametrize("security", [0x10, 0x20, 0x30])
def test_an_envelope_has_a_tag_where_its_security_control_asks_for_one(security: int) -> None:
    made = Ciphered(b"PMX00001", 7, b"ciphertext", b"t" * 12 if security & 0x10 else b"", security)
    assert decode_ciphered(encode(made)) == made


def test_a_cut_envelope_and_what_is_none_are_refused() -> None:
    written = encode(Ciphered(b"PMX00001", 7, b"ciphertext", b"t" * 12))
    for count in range(13, len(written)):
        with pytest.raises(RemoteProtocolError, match=r"the ciphered telegram needs|no ciphered telegram"):
            decode_ciphered(written[:count])
    with pytest.raises(RemoteProtocolError, match="no ciphered telegram begins so"):
        decode_ciphered(b"\xdb\x07" + written[2:])


def test_an_envelope_that_does_not_fit_is_our_mistake() -> None:
    for made in (
        Ciphered(b"short", 7, b"", b"t" * 12),
        Ciphered(b"PMX00001", 7, bytes(200), b"t" * 12, 0x30, 0),
        Ciphered(b"PMX00001", 7, bytes(300), b"t" * 12, 0x30, 1),
    ):
        with pytest.raises(LocalProtocolError, match="does not fit"):
            encode(made)


def test_a_telegram_names_its_maker_and_itself() -> None:
    made = Telegram("PMX5\\2SIM 1", "\r\n")
    assert (made.manufacturer, made.name) == ("PMX", "\\2SIM 1")
