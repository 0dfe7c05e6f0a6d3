"""What is remembered belongs to its sender, and has bounds."""

from polymeter.protocols.wmbus import KNOWN_FORMATS, Memory, memory
from polymeter.protocols.wmbus.compact import signature
from polymeter.protocols.wmbus.fragments import Fragment
from polymeter.protocols.wmbus.headers import AFL

ONE, OTHER = bytes(8), b"\1" * 8


def fragment(number: int, data: bytes = b"x", *, more: bool = True) -> Fragment:
    return Fragment(AFL(number, more), data)


def test_a_format_is_known_for_the_sender_that_taught_it() -> None:
    kept = Memory()
    number = kept.learn(ONE, b"\x04\x13")
    assert number == signature(b"\x04\x13")
    assert kept.format(ONE, number) == b"\x04\x13"
    assert kept.format(OTHER, number) is None
    assert kept.senders == 1


def test_shipped_formats_are_known_for_all_and_a_senders_own_go_before_them() -> None:
    kept = Memory()
    (number, headers), *_ = KNOWN_FORMATS.items()
    assert kept.format(ONE, number) == headers
    shadowed = Memory({signature(b"\x04\x13"): b"\x02\x13"})
    shadowed.learn(ONE, b"\x04\x13")
    assert shadowed.format(ONE, signature(b"\x04\x13")) == b"\x04\x13"


def test_what_is_known_already_is_not_computed_again() -> None:
    kept = Memory()
    assert [kept.learn(ONE, b"\x04\x13") for _ in range(3)] == [signature(b"\x04\x13")] * 3


def test_a_sender_has_so_many_formats_and_the_oldest_goes() -> None:
    kept = Memory({})
    numbers = [kept.learn(ONE, bytes((4, code))) for code in range(memory.FORMATS_MAX + 1)]
    assert kept.format(ONE, numbers[0]) is None
    assert kept.format(ONE, numbers[1]) == b"\x04\x01"


def test_of_too_many_senders_the_one_that_was_silent_longest_goes() -> None:
    kept = Memory({})
    senders = [number.to_bytes(8, "big") for number in range(memory.SENDERS_MAX)]
    for sender in senders:
        kept.learn(sender, b"\x04\x13")
    kept.learn(senders[0], b"\x04\x13")
    kept.learn(b"\xff" * 8, b"\x04\x13")
    assert kept.senders == memory.SENDERS_MAX
    assert kept.format(senders[0], signature(b"\x04\x13"))
    assert kept.format(senders[1], signature(b"\x04\x13")) is None


def test_fragments_of_sessions_and_senders_do_not_mix() -> None:
    kept = Memory()
    kept.keep(ONE, b"a", fragment(1))
    assert kept.keep(ONE, b"b", fragment(2, more=False)).message.missing() == 1
    assert kept.keep(OTHER, b"a", fragment(2, more=False)).message.missing() == 1
    assert kept.keep(ONE, b"a", fragment(2, more=False)).message.missing() is None


def test_a_repeated_fragment_is_known_as_one_even_when_the_message_is_whole() -> None:
    kept = Memory()
    kept.keep(ONE, b"", fragment(1))
    assert kept.keep(ONE, b"", fragment(1)).repeated
    kept.keep(ONE, b"", fragment(2, more=False))
    again = kept.keep(ONE, b"", fragment(2, more=False))
    assert (again.repeated, again.message.missing()) == (True, None)
    assert kept.waiting == 2


def test_a_fragment_that_differs_begins_another_message() -> None:
    kept = Memory()
    kept.keep(ONE, b"", fragment(1, b"a"))
    kept.keep(ONE, b"", fragment(2, b"b"))
    begun = kept.keep(ONE, b"", fragment(1, b"c"))
    assert (begun.given_up, begun.repeated, list(begun.message.fragments)) == (3, False, [1])
    assert kept.waiting == 1


def test_what_overtook_the_first_fragment_is_given_up_when_it_does_not_fit() -> None:
    kept = Memory()
    kept.keep(ONE, b"", fragment(2, b"lost"))
    kept.keep(ONE, b"", fragment(1, b"a"))
    second = kept.keep(ONE, b"", fragment(2, b"b"))
    assert [one.data for one in second.message.fragments.values()] == [b"a", b"b"]
    assert second.message.in_order
    assert kept.waiting == 2


def test_a_message_that_is_not_believed_keeps_what_came_since_its_first_fragment() -> None:
    kept = Memory()
    kept.keep(ONE, b"", fragment(2, b"late"))
    kept.keep(ONE, b"", fragment(1, b"a"))
    kept.disbelieve(ONE, b"")
    assert kept.waiting == 1
    assert kept.keep(ONE, b"", fragment(2, b"b", more=False)).message.joined().data == b"ab"
    kept.disbelieve(OTHER, b"")
    kept.disbelieve(ONE, b"")
    assert kept.waiting == 0


def test_open_messages_are_bounded_in_number_and_bytes() -> None:
    kept = Memory()
    for number in range(memory.MESSAGES_MAX + 10):
        kept.keep(number.to_bytes(8, "big"), b"", fragment(1, bytes(10)))
    assert kept.waiting == 10 * memory.MESSAGES_MAX
    for number in range(memory.BYTES_MAX // 240 + 10):
        kept.keep(ONE, number.to_bytes(4, "big"), fragment(1, bytes(240)))
    assert kept.waiting <= memory.BYTES_MAX
