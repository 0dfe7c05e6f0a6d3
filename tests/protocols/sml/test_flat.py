"""Messages read at once say what they say read element by element, and most are read so."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.flat import read_flat
from polymeter.protocols.sml.grammar import BODIES, TAGS, check_body
from polymeter.protocols.sml.messages import decode_message
from polymeter.protocols.sml.readings import message_records
from polymeter.protocols.sml.transport import CHECKSUMS, KERMIT, X25
from polymeter.protocols.wire import Record, RemoteProtocolError
from tests.protocols.sml.strategies import of_kind
from tests.vectors import load_vectors, telegram

CASES = load_vectors("sml")


def messages_of(data: bytes) -> list[bytes]:
    """The messages of all sound frames of an input."""
    return [
        sml.encode_message(message)
        for frame in sml.decode(data, explain=False)
        for message in (sml.decode_messages(frame.frame.content) if frame.valid else ())
    ]


MESSAGES = sorted({message for case in CASES for message in messages_of(telegram(case))})


def by_elements(data: bytes) -> tuple[int, bytes | None, list[Record]] | None:
    """What a message says, read with care; `None` if it is not sound."""
    try:
        message, problem = decode_message(data)
        if message.tag in BODIES:
            check_body(message.body, BODIES[message.tag])
        if problem is not None or message.element is None:
            return None
        return message.element.end, message.server, list(message_records(message, data, 7, 1))
    except RemoteProtocolError:
        return None


def with_check_sum(covered: bytes) -> bytes:
    return covered + b"\x63" + X25.compute(covered).to_bytes(2, "little") + b"\x00"


def test_pushes_of_every_make_are_read_at_once() -> None:
    pushed = [message for message in MESSAGES if decode_message(message)[0].tag in (0x101, 0x201, 0x701)]
    at_once = [message for message in pushed if read_flat(message, 0, CHECKSUMS) is not None]
    assert len(pushed) >= 30
    assert len(at_once) >= 0.8 * len(pushed)


def test_both_ways_say_the_same() -> None:
    for message in MESSAGES:
        found = read_flat(message, 0, CHECKSUMS, 7, 1)
        if found is not None:
            assert found == by_elements(message)


def test_both_ways_say_the_same_of_what_is_damaged_and_checked_again() -> None:
    draw, at_once = random.Random(410), 0
    for _ in range(20_000):
        covered = bytearray(draw.choice(MESSAGES)[:-4])
        for _ in range(draw.choice((1, 1, 2, 4))):
            place = draw.randrange(len(covered))
            other = draw.choice(MESSAGES)
            piece = other[draw.randrange(len(other)) :][: draw.choice((0, 1, 1, 2, 8))]
            covered[place : place + draw.choice((0, 1, 1, 1, 2))] = piece
        message = with_check_sum(bytes(covered))
        found = read_flat(message, 0, CHECKSUMS, 7, 1)
        if found is not None:
            at_once += 1
            assert found == by_elements(message), message.hex()
    assert at_once > 500


@pytest.mark.parametrize("name", ["PublicOpen.Res", "PublicClose.Res", "GetList.Res", "GetList.Req"])
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_both_ways_say_the_same_of_any_message(name: str, data: st.DataObject) -> None:
    body = data.draw(of_kind(name).filter(lambda element: element.value is not None))
    message = sml.encode_message(sml.Message(b"\x01\x02", 3, 0, TAGS[name], body))
    found = read_flat(message, 0, CHECKSUMS, 7, 1)
    assert found is None or found == by_elements(message)


def test_a_message_is_read_where_it_stands() -> None:
    message = next(one for one in MESSAGES if decode_message(one)[0].tag == 0x701)
    alone = read_flat(message, 0, CHECKSUMS)
    behind = read_flat(b"\x00" * 5 + message + b"\x76", 5, CHECKSUMS)
    assert alone is not None
    assert behind is not None
    assert behind.end == len(message) + 5
    assert [record.offset - 5 for record in behind.records] == [record.offset for record in alone.records]


def test_only_the_check_sums_asked_for_count() -> None:
    message = sml.encode_message(sml.pushed(b"server", sml.sec_index(1), [], 1)[0], KERMIT)
    assert read_flat(message, 0, (X25,)) is None
    assert read_flat(message, 0, (X25, KERMIT)) is not None


def test_whatever_is_wrong_is_left_to_the_other_way() -> None:
    message = next(one for one in MESSAGES if decode_message(one)[0].tag == 0x701)
    for count in range(len(message)):
        assert read_flat(message[:count], 0, CHECKSUMS) is None
        assert read_flat(message[:count] + b"\xaa" + message[count + 1 :], 0, CHECKSUMS) is None
