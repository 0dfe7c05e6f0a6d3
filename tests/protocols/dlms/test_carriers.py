"""Cutting an input into messages: every octet belongs to one, and a bad one takes no good one with it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import decode
from polymeter.protocols.dlms.apdus import GeneralBlockTransfer
from polymeter.protocols.dlms.carriers import Carried, apdu_spans, is_apdu_tag, split, strip_llc
from polymeter.protocols.dlms.data import structure
from polymeter.protocols.dlms.hdlc import LLC_COMMAND, LLC_RESPONSE, Address, Frame, encode_frame
from polymeter.protocols.dlms.mbus_frames import Segment, encode_segment
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from tests.protocols.dlms.make_vectors import TIME, push, u32, ui
from tests.protocols.dlms.push_shapes import in_blocks, in_segments

bodies = st.integers(0, (1 << 32) - 1).map(lambda value: push(structure(u32(value), u32(0)), TIME))
noises = st.binary(min_size=1, max_size=6).map(lambda octets: bytes(octet | 0x80 for octet in octets))
"""Nothing in them begins a frame of any kind."""


def wrapped(apdu: bytes) -> bytes:
    return encode_wrapper(Wrapper(1, 16, apdu))


def segmented(apdu: bytes) -> bytes:
    data = LLC_RESPONSE + apdu
    return ui(data[:20], True) + ui(data[20:])


CARRIERS: dict[str, Callable[[bytes], bytes]] = {
    "hdlc": lambda apdu: ui(LLC_COMMAND + apdu),
    "hdlc segments": segmented,
    "hdlc blocks": lambda apdu: b"".join(map(ui, in_blocks(apdu, 15))),
    "wrapper": wrapped,
    "wrapper blocks": lambda apdu: b"".join(map(wrapped, in_blocks(apdu, 15))),
    "mbus": lambda apdu: encode_segment(Segment(apdu)),
    "mbus segments": lambda apdu: in_segments(apdu, 12),
}


def apdus(data: bytes) -> list[bytes]:
    """The values that sound messages carry, in order."""
    return [frame.records[1].raw for frame in decode(data, explain=False) if frame.valid and frame.records]


@given(st.binary(max_size=400))
def test_every_octet_but_idle_flags_belongs_to_one_message(data: bytes) -> None:
    at = 0
    for message in split(data):
        assert not data[at : message.start].strip(b"\x7e")
        assert message.start < message.end <= len(data)
        assert all(message.start <= begin < end <= message.end for begin, end in message.frames)
        at = message.end
    assert not data[at:].strip(b"\x7e")


@pytest.mark.parametrize("carrier", CARRIERS)
@given(apdu=bodies)
def test_a_message_is_all_the_frames_of_one_apdu(carrier: str, apdu: bytes) -> None:
    data = CARRIERS[carrier](apdu)
    (message,) = split(data)
    assert (message.carrier, message.start, message.end) == (carrier.split()[0], 0, len(data))
    assert apdus(data) == [apdu[20:25]]


@pytest.mark.parametrize("carrier", CARRIERS)
@given(several=st.lists(bodies, min_size=2, max_size=5), noise=noises)
def test_noise_between_messages_takes_none_with_it(carrier: str, several: list[bytes], noise: bytes) -> None:
    values = [apdu[20:25] for apdu in several]
    messages = [CARRIERS[carrier](apdu) for apdu in several]
    assert apdus(b"".join(messages)) == values
    assert apdus(noise.join(messages)) == values
    assert apdus(noise + noise.join(messages) + noise) == values


@pytest.mark.parametrize("carrier", CARRIERS)
@given(st.data())
def test_a_cut_message_takes_none_of_those_behind_it(carrier: str, data: st.DataObject) -> None:
    lost, kept = CARRIERS[carrier](push(structure(u32(1), u32(0)))), push(structure(u32(2), u32(0)))
    cut = data.draw(st.integers(1, len(lost) - 1))
    if carrier.startswith("wrapper") and cut % (8 + lost[7]) < 8:
        return  # of a header that is cut itself nothing is left to go by
    assert kept[20:25] in apdus(lost[:cut] + CARRIERS[carrier](kept) * 2)


@given(st.lists(bodies, min_size=1, max_size=6), st.booleans())
def test_apdus_without_frames_follow_one_another(several: list[bytes], llc: bool) -> None:
    data = b"".join((LLC_RESPONSE if llc else b"") + apdu for apdu in several)
    assert apdus(data) == [apdu[20:25] for apdu in several]
    spans = list(apdu_spans(data))
    assert [data[span.start : span.end] for span in spans] == several
    assert all(span.whole for span in spans)


def test_the_last_apdu_without_a_frame_has_what_is_left() -> None:
    apdu = push(structure(u32(1)))
    assert [tuple(span) for span in apdu_spans(apdu + apdu[:-1])] == [
        (0, len(apdu), True),
        (len(apdu), 2 * len(apdu) - 1, False),
    ]
    assert [tuple(span) for span in apdu_spans(apdu + b"\xee")] == [(0, len(apdu) + 1, False)]
    assert [tuple(span) for span in apdu_spans(b"\xee\xee")] == [(0, 2, False)]
    assert list(apdu_spans(b"")) == []


def test_a_segment_that_begins_a_message_ends_the_one_before() -> None:
    first = encode_frame(Frame("UI", Address(1), Address(2), LLC_RESPONSE + b"\x0f", segmented=True))
    whole = ui(LLC_RESPONSE + push(structure(u32(1))))
    assert [message.end - message.start for message in split(first + whole)] == [len(first), len(whole)]


def test_frames_of_another_station_belong_to_another_message() -> None:
    one = encode_frame(Frame("UI", Address(1), Address(2), b"x", segmented=True))
    other = encode_frame(Frame("UI", Address(1), Address(3), b"y"))
    assert len(list(split(one + other))) == 2


def test_block_one_begins_a_transfer_unless_it_is_the_same_again() -> None:
    one, two = (bytes(GeneralBlockTransfer(0x40, 1, 0, octet)) for octet in (b"a", b"b"))
    assert len(list(split(ui(one) + ui(one)))) == 1
    assert len(list(split(ui(one) + ui(two)))) == 2


def test_a_wrapper_among_noise_needs_an_apdu_that_fills_it() -> None:
    apdu = push(structure(u32(1)))
    long = wrapped(apdu)[:7] + bytes((len(apdu) + 1,)) + apdu + b"\xee\xee\xee"
    noise = b"\xff\xff"
    for data, is_found in (
        (wrapped(apdu) + b"\xee", True),
        (wrapped(apdu) + wrapped(apdu), True),
        (long, False),
        (wrapped(b"\xee" * 9), False),
        (wrapped(b"") + b"\x0f", False),
    ):
        carriers = [message.carrier for message in split(noise + data)]
        assert ("wrapper" in carriers) == is_found


def test_attempts_to_find_a_wrapper_among_noise_are_limited() -> None:
    apdu = push(structure(u32(1)))
    false = b"\0\1\0\1\0\x10\0\x03\x0f\xee\xee\xee"
    messages = list(split(b"\xff" + false * 99 + wrapped(apdu) + b"\xee" * 9))
    assert "wrapper" in {message.carrier for message in messages}
    messages = list(split(b"\xff" + false * 5000 + wrapped(apdu) + b"\xee" * 9))
    assert "wrapper" not in {message.carrier for message in messages}


def test_llc_octets_are_told_from_an_apdu() -> None:
    for llc in (LLC_COMMAND, LLC_RESPONSE):
        assert strip_llc(llc + b"\x0f") == (llc, b"\x0f")
    assert strip_llc(b"\xe6\xe8\x00\x0f") == (b"", b"\xe6\xe8\x00\x0f")


def test_tags_of_apdus_are_those_that_can_be_decoded() -> None:
    assert all(is_apdu_tag(tag) for tag in bytes.fromhex("0f c0 c4 db dd e0 60 63 21 d8"))
    assert not any(is_apdu_tag(tag) for tag in bytes.fromhex("00 02 7e 68 64 ff"))


def test_an_idle_line_is_no_message() -> None:
    assert list(split(b"\x7e" * 50)) == []
    assert list(split(b"")) == []
    assert list(split(b"\xaa")) == [Carried("apdu", 0, 1, ((0, 1),))]
