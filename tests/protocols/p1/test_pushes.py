"""What telegrams have of their own in a stream; the rest is in `tests/protocols/test_spans.py`."""

import pytest
from hypothesis import given, settings

from polymeter.protocols import p1
from polymeter.protocols.wire import NEED_DATA, DecodeOptions, RemoteProtocolError
from tests.pushing import frames_of, pieces, sizes
from tests.vectors import load_vectors, telegram

CASES = {case["name"]: telegram(case) for case in load_vectors("p1") if case["origin"] == "ours"}
PARITY = CASES["even-parity"]
PLAIN = CASES["dsmr-4"]
SEALED = CASES["luxembourg-ciphered"]
KEY = bytes.fromhex(
    next(case["keys"][0] for case in load_vectors("p1") if case["name"] == "luxembourg-ciphered")
)


@given(sizes)
@settings(deadline=None, max_examples=40)
def test_parity_bits_are_taken_off_where_they_are(cut: list[int]) -> None:
    bare = bytes(byte & 0x7F for byte in PARITY)
    stream = p1.PushedTelegrams()
    assert frames_of(stream, pieces(b"\x55\xff\r\n" + PARITY + PARITY, cut)) == [bare, bare]
    assert frames_of(stream, pieces(PLAIN + SEALED, cut)) == [PLAIN, SEALED]


def test_what_looks_like_parity_bits_hides_no_envelope() -> None:
    stream = p1.PushedTelegrams()
    assert frames_of(stream, [b"\r\n" + PARITY[:20], SEALED, PLAIN]) == [SEALED, PLAIN]


def test_an_envelope_behind_a_telegram_with_parity_bits_is_whole() -> None:
    assert frames_of(p1.PushedTelegrams(), [PARITY, SEALED])[-1] == SEALED


def test_a_telegram_with_parity_bits_is_judged_without_them() -> None:
    stream = p1.PushedTelegrams()
    stream.receive_data(PARITY[:30])
    assert stream.next_frame() is NEED_DATA
    stream.receive_data(PARITY)
    with pytest.raises(RemoteProtocolError, match="a telegram of 30 bytes is cut"):
        stream.next_frame()
    assert stream.next_frame() == bytes(byte & 0x7F for byte in PARITY)


@pytest.mark.parametrize("step", [1, 10_000])
def test_an_envelope_that_the_next_one_cuts_off_costs_only_itself(step: int) -> None:
    last = len(SEALED) - 1  # of an envelope that lacks its last byte nothing shows that it does
    for count in range(last - 20, last) if step == 1 else range(last):
        data = SEALED[:count] + SEALED + PLAIN
        chunks = (data[at : at + step] for at in range(0, len(data), step))
        assert frames_of(p1.PushedTelegrams(), chunks) == [SEALED, PLAIN], count
        assert p1.decode(data, DecodeOptions((KEY,)), explain=False)[-1].valid


@given(sizes)
@settings(deadline=None, max_examples=40)
def test_an_envelope_that_lacks_only_its_last_byte_costs_no_other(cut: list[int]) -> None:
    found = frames_of(p1.PushedTelegrams(), pieces(SEALED[:-1] + SEALED + PLAIN, cut))
    # Nothing shows that the first lacks a byte until somebody opens it.
    assert found == [SEALED[:-1] + b"\xdb", SEALED, PLAIN]
    decoded = p1.decode(SEALED[:-1] + SEALED + PLAIN, DecodeOptions((KEY,)), explain=False)
    assert [one.valid for one in decoded] == [False, True, True]


def test_a_byte_that_begins_no_envelope_is_noise_after_all() -> None:
    frame = p1.encode(p1.Ciphered(b"PMX\x00\x00\x00\x00\x01", 7, bytes(40), bytes(11) + b"\xdb"))
    for behind in (PLAIN, b"\r\n" + PLAIN, SEALED, frame):
        assert frames_of(p1.PushedTelegrams(), [frame, behind]) == [frame, behind.lstrip()]
        assert frames_of(p1.PushedTelegrams(), [frame + behind]) == [frame, behind.lstrip()]


def test_an_envelope_that_ends_like_the_beginning_of_one_is_whole_when_more_has_come() -> None:
    frame = p1.Ciphered(b"PMX\x00\x00\x00\x00\x01", 7, bytes(40), bytes(10) + b"\xdb\x08")
    written = p1.encode(frame)
    stream = p1.PushedTelegrams()
    stream.receive_data(written)
    assert stream.next_frame() is NEED_DATA
    stream.receive_data(b"Q")
    assert stream.next_frame() == written


def test_a_slash_within_a_line_begins_no_telegram_wherever_the_noise_is_cut() -> None:
    noise = b"x" * 10 + b"/abcdefgh\r\n" + b"y" * 400
    for size in (1, 7, 300, 1000):
        stream = p1.PushedTelegrams()
        assert frames_of(stream, (noise[at : at + size] for at in range(0, len(noise), size))) == []
        assert frames_of(stream, [b"\r\n", PLAIN]) == [PLAIN]
