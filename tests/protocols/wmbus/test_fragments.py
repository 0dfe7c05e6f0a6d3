"""Long messages: cut by the sender, put together by whoever listens, and never out of two."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.catalogue import decode_frames
from polymeter.protocols import wmbus
from polymeter.protocols.mbus import Header, LongHeader, encode_record
from polymeter.protocols.wire import Decoded, DecodeOptions, LocalProtocolError
from polymeter.protocols.wmbus import AFL, LinkHeader, Memory
from polymeter.protocols.wmbus.fragments import MESSAGE_MAX, Fragment, Message, split
from polymeter.protocols.wmbus.meter import Sender
from tools.fuzz_targets import check_cover

KEY, OTHER = bytes(range(16)), bytes(16)
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 4)
METER = LongHeader("00112233", "PMX", 5, 4)
COUNT = 60
RECORDS = b"".join(
    encode_record(Header(4, b"\x13", storage=number), Decimal(number).scaleb(-3)) for number in range(COUNT)
)
VALUES = [Decimal(number).scaleb(-3) for number in range(COUNT)]


def fragments(mode: int = 7, size: int = 120, counter: int = 1, **more: int) -> list[bytes]:
    return Sender(LINK, KEY, mode, METER).fragments(RECORDS, size, counter=counter, **more)


def heard(*frames: bytes, key: bytes = KEY, memory: Memory | None = None) -> list[Decoded]:
    memory = memory if memory is not None else Memory()
    results = [wmbus.decode(frame, DecodeOptions((key,)), memory=memory) for frame in frames]
    for (decoded,) in results:
        check_cover(decoded)
    return [decoded for (decoded,) in results]


def said(decoded: Decoded) -> str:
    return "; ".join(problem.message for problem in decoded.errors)


def values(decoded: Decoded) -> list[object]:
    return [record.value for record in decoded.records]


@pytest.mark.parametrize("mode", [0, 4, 5, 7, 8, 9, 10])
def test_the_last_fragment_has_the_records_of_the_whole_message(mode: int) -> None:
    *begin, last = heard(*fragments(mode))
    assert len(begin) >= 2
    for number, waiting in enumerate(begin, 1):
        assert waiting.valid
        assert [record.name for record in waiting.records] == ["fragment"]
        assert waiting.waits_for == f"fragment {number + 1} of a message"
    assert last.errors == ()
    assert values(last) == VALUES
    assert last.meter.id == "00112233"
    assert last.waits_for is None
    assert "message" in [layer.name for layer in last.layers]


@given(size=st.integers(10, 200), mode=st.sampled_from((0, 5, 7)))
@settings(max_examples=30, deadline=None)
def test_the_size_of_fragments_does_not_matter(size: int, mode: int) -> None:
    *_, last = heard(*fragments(mode, size))
    assert values(last) == VALUES


def test_frames_of_one_input_are_put_together_without_a_memory() -> None:
    frames = wmbus.decode(b"".join(fragments()), DecodeOptions((KEY,)))
    assert values(frames[-1]) == VALUES
    lines = b"".join(frame.hex().encode() + b"\n" for frame in fragments())
    assert values(wmbus.decode(lines, DecodeOptions((KEY,)))[-1]) == VALUES


def test_earlier_telegrams_are_given_as_context() -> None:
    *begin, last = fragments()
    (alone,) = decode_frames(last, "wmbus", keys=[KEY])
    assert alone.decoded.waits_for == "fragment 1 of a message"
    for protocol in ("wmbus", "auto"):
        (whole,) = decode_frames(last, protocol, keys=[KEY], context=begin)
        assert values(whole.decoded) == VALUES
    hexadecimal = [each.hex() for each in begin]
    assert decode_frames(last, keys=[KEY], context=hexadecimal)[0].readings == whole.readings


def test_a_missing_fragment_is_named() -> None:
    first, _, last, *_ = fragments(size=160)
    _, waiting = heard(first, last)
    assert waiting.waits_for == "fragment 2 of a message"
    assert "fragment 2 is awaited" in said(waiting)
    assert [record.name for record in waiting.records] == ["fragment"]


def test_a_repeated_fragment_changes_nothing() -> None:
    first, second, *rest = fragments()
    _, _, again, *_, last = heard(first, second, second, *rest)
    assert "again" in said(again)
    assert values(last) == VALUES


def test_the_last_fragment_once_more_gives_the_message_once_more() -> None:
    *begin, last = fragments()
    *_, once, twice = heard(*begin, last, last)
    assert values(once) == values(twice) == VALUES
    *_, early = heard(*begin, last, begin[0])
    assert (early.waits_for, values(early)[0]) == (None, early.records[0].raw)


def test_fragments_that_overtook_each_other_are_taken_where_their_code_proves_them() -> None:
    first, second, *rest = fragments(mode=7)
    for order in ([second, first, *rest], [*rest, second, first], [first, *rest, second]):
        *_, whole = heard(*order)
        assert values(whole) == VALUES
    first, second, *rest = fragments(mode=5)
    for order in ([second, first, *rest], [*rest, second, first]):
        *_, unproven = heard(*order)
        assert "out of order" in said(unproven)
        assert not unproven.valid
        assert [record.name for record in unproven.records] == ["fragment"]
    (lenient,) = wmbus.decode(first, DecodeOptions((KEY,), lenient=True), memory=taught(second, *rest))
    assert values(lenient) == VALUES


def taught(*frames: bytes) -> Memory:
    memory = Memory()
    heard(*frames, memory=memory)
    return memory


def test_two_messages_are_never_mixed() -> None:
    one, two = fragments(counter=1), fragments(counter=2)
    *_, third = heard(one[0], *one[2:], two[0], *two[1:])
    assert values(third) == VALUES
    # The first fragment of one and the last of another, in order: the code tells.
    mixed = heard(one[0], one[1], *two[2:])[-1]
    assert not mixed.valid
    assert "altered" in said(mixed)
    assert not any(record.name == "volume" for record in mixed.records)


def test_a_lost_beginning_does_not_cost_the_next_message() -> None:
    one, two = fragments(mode=5, access_number=1), fragments(mode=5, access_number=2)
    results = heard(*one[1:], *two)
    assert values(results[-1]) == VALUES
    assert "out of order" in said(results[len(one) - 1])


def test_another_session_is_another_message() -> None:
    ell = wmbus.ELL(0x8E, 0x80, 1, bytes(8))
    other = wmbus.ELL(0x8E, 0x80, 1, b"\1" * 8)

    def with_ell(frame: bytes, header: wmbus.ELL) -> bytes:
        return bytes((frame[0] + len(bytes(header)),)) + frame[1:10] + bytes(header) + frame[10:]

    first, *rest = (with_ell(frame, ell) for frame in fragments(size=100))
    foreign = [with_ell(frame, other) for frame in fragments(size=100, counter=9)]
    results = heard(first, *foreign[1:], *rest)
    assert results[1].waits_for == "fragment 1 of a message"
    assert values(results[-1]) == VALUES


def test_a_length_that_does_not_fit_is_told() -> None:
    frames = fragments(mode=0)
    afl = wmbus.decode_afl(frames[0], 10)
    at = afl.end - 2
    frames[0] = frames[0][:at] + b"\xff\x0f" + frames[0][at + 2 :]
    *_, last = heard(*frames)
    assert not last.valid
    assert "a message of 4095 bytes is announced" in said(last)
    assert not any(record.name == "volume" for record in last.records)


def test_a_wrong_key_is_called_so_for_a_long_message_too() -> None:
    for mode in (5, 7):
        *_, last = heard(*fragments(mode), key=OTHER)
        assert last.encrypted
        assert "wrong key" in said(last)
        assert not last.records


def test_a_changed_byte_of_any_fragment_is_found() -> None:
    for place in range(len(fragments())):
        frames = fragments()
        frames[place] = frames[place][:-5] + bytes((frames[place][-5] ^ 1,)) + frames[place][-4:]
        *_, last = heard(*frames)
        assert not last.valid or last.encrypted
        assert not any(record.name == "volume" for record in last.records)


def test_fragments_are_counted_from_one() -> None:
    body = bytes(AFL(0, True)) + b"\x78\x04\x13"
    (decoded,) = heard(bytes((9 + len(body),)) + bytes(LINK) + body)
    assert not decoded.valid
    assert "counted from 1" in said(decoded)


def test_a_message_of_one_fragment_is_whole() -> None:
    body = bytes(AFL(1, False)) + b"\x78\x04\x13\x01\0\0\0"
    (decoded,) = heard(bytes((9 + len(body),)) + bytes(LINK) + body)
    assert values(decoded) == [Decimal("0.001")]


def test_what_does_not_fit_is_not_sent() -> None:
    sender = Sender(LINK, KEY, 0, METER)
    for size, data in ((0, RECORDS), (2, b"\x2f" * 600), (200, b"\x2f" * MESSAGE_MAX), (251, RECORDS)):
        with pytest.raises(LocalProtocolError):
            sender.fragments(data, size)
    with pytest.raises(LocalProtocolError):
        Sender(LINK, KEY, session=True).fragments(RECORDS, 100)


@given(st.binary(min_size=1, max_size=600), st.integers(3, 100), st.randoms())
def test_what_was_cut_is_joined_in_any_order(message: bytes, size: int, random: object) -> None:
    whole = AFL(0, False, 0x65, b"\1\2", b"\3\4\5\6", bytes(8), len(message).to_bytes(2, "little"))
    parts = split(whole, message, size)
    random.shuffle(parts)  # type: ignore[attr-defined]
    joined = Message()
    for part in parts:
        assert joined.missing() is not None
        assert joined.fits(part)
        joined.add(part)
        assert joined.holds(part)
        assert not joined.fits(part)
    afl, data = joined.joined()
    assert (joined.missing(), data) == (None, message)
    assert (afl.message_control, afl.counter, afl.mac, afl.message_length) == (
        whole.message_control,
        whole.counter,
        whole.mac,
        whole.message_length,
    )


def test_a_message_ends_once() -> None:
    message = Message()
    message.add(Fragment(AFL(2, False), b"b"))
    assert not message.fits(Fragment(AFL(3, True), b"c"))
    assert not message.fits(Fragment(AFL(1, False), b"a"))
    assert message.fits(Fragment(AFL(1, True), b"a"))
    assert not message.fits(Fragment(AFL(1, True), bytes(MESSAGE_MAX)))
