"""A line that gives files of messages and takes them."""

import pytest

from polymeter.protocols import sml
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

MESSAGES = sml.pushed(b"server", sml.sec_index(7), [sml.Entry(b"\x01\x00\x01\x08\x00\xff", 5, 30, 0)], 1)


@pytest.mark.parametrize("checksum", [sml.X25, sml.KERMIT], ids=lambda checksum: checksum.name)
def test_what_one_end_sends_the_other_hears(checksum: sml.Checksum) -> None:
    sender, receiver = sml.Connection(checksum), sml.Connection()
    receiver.receive_data(sender.send(MESSAGES) + sender.send(MESSAGES[:1]))
    heard = receiver.next_event()
    assert not isinstance(heard, NeedData)
    assert [message.name for message in heard] == ["PublicOpen.Res", "GetList.Res", "PublicClose.Res"]
    assert [message[:4] for message in heard] == [message[:4] for message in MESSAGES]
    again = receiver.next_event()
    assert not isinstance(again, NeedData)
    assert [message.name for message in again] == ["PublicOpen.Res"]
    assert receiver.next_event() is NEED_DATA


def test_what_was_heard_is_sent_on_as_it_came() -> None:
    written = sml.Connection(sml.KERMIT).send(MESSAGES)
    connection = sml.Connection(sml.KERMIT)
    connection.receive_data(written)
    heard = connection.next_event()
    assert not isinstance(heard, NeedData)
    assert connection.send(heard) == written


def test_a_frame_that_breaks_the_coding_is_dropped_and_the_next_is_heard() -> None:
    connection = sml.Connection()
    good = connection.send(MESSAGES)
    connection.receive_data(sml.encode_frame(b"\x76\x05") + good)
    with pytest.raises(RemoteProtocolError):
        connection.next_event()
    heard = connection.next_event()
    assert not isinstance(heard, NeedData)
    assert len(heard) == 3


def test_a_message_with_a_bad_check_sum_is_an_error() -> None:
    content = sml.encode_message(MESSAGES[2])
    connection = sml.Connection()
    connection.receive_data(sml.encode_frame(content[:-3] + b"xx\x00"))
    with pytest.raises(RemoteProtocolError, match=r"check sum of PublicClose\.Res"):
        connection.next_event()
