"""Messages: every one both ways, and what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT
from polymeter.protocols.sml.grammar import TAGS
from polymeter.protocols.wire import RemoteProtocolError
from tests.protocols.sml.strategies import messages

CLOSE = sml.Message(b"1", 0, 0, TAGS["PublicClose.Res"], sml.listing(sml.octets(None)))
checksums = pytest.mark.parametrize("checksum", [sml.X25, sml.KERMIT], ids=lambda checksum: checksum.name)


@pytest.mark.parametrize("name", sorted(TAGS))
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_every_message_comes_back(name: str, data: st.DataObject) -> None:
    message = data.draw(messages(name))
    written = sml.encode_message(message)
    frame = sml.encode_frame(written)
    (found,) = sml.decode_messages(sml.decode_frame(frame).content)
    assert found.name == name
    assert found[:4] == message[:4]
    assert sml.encode_element(found.body) == sml.encode_element(message.body)
    assert sml.encode_message(found) == written
    explained, plain = sml.decode(frame), sml.decode(frame, explain=False)
    assert explained[0].valid, explained[0].errors
    assert explained[0].records == plain[0].records
    assert explained[0].meter == plain[0].meter


@checksums
def test_a_check_sum_covers_the_message_up_to_itself(checksum: sml.Checksum) -> None:
    written = sml.encode_message(CLOSE, checksum)
    given_sum = int.from_bytes(written[-3:-1], "little")
    assert given_sum == checksum.compute(written[:-4])
    for tried in (sml.X25, sml.KERMIT):
        _, problem = sml.decode_message(written, 0, (tried,))
        assert (problem is None) == (tried is checksum)


def test_every_flipped_bit_of_a_message_is_noticed() -> None:
    written = sml.encode_message(CLOSE)
    for index in range(len(written) - 1):
        for bit in range(8):
            flipped = bytearray(written)
            flipped[index] ^= 1 << bit
            try:
                _, problem = sml.decode_message(bytes(flipped), 0, (sml.X25,))
            except RemoteProtocolError:
                continue
            assert problem is not None, (index, bit)


def test_messages_follow_one_another_up_to_the_padding() -> None:
    written = sml.encode_message(CLOSE)
    assert [
        message.element and message.element.start
        for message in sml.decode_messages(written * 3 + b"\x00\x00")
    ] == [
        0,
        len(written),
        2 * len(written),
    ]
    assert sml.decode_messages(b"\x00\x00") == []


def test_a_long_tag_takes_four_octets() -> None:
    message = CLOSE._replace(tag=0x12345678)
    written = sml.encode_message(message)
    assert b"\x72\x65\x12\x34\x56\x78" in written
    found, problem = sml.decode_message(written)
    assert problem is None
    assert (found.tag, found.name, found.server) == (0x12345678, "body 12345678", None)


def test_a_message_names_the_server_of_its_body() -> None:
    opened, listed, closed = sml.pushed(b"server", sml.sec_index(1), [], 1)
    assert [message.server for message in (opened, listed, closed)] == [b"server", b"server", None]
    assert opened._replace(body=ABSENT).server is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("7601", "a list of 6 elements"),
        ("7101", "a message is a list of 6"),
        ("0203", "a message is a list of 6"),
        ("76 0201 6200 6200 7101 630000 00", "a body is a tag"),
        ("76 0201 6200 6200 720101 630000 00", "a body is a tag"),
        ("76 0201 5200 6200 72630201 7101 630000 00", "transaction, group and abort"),
        ("76 6201 6200 6200 72630201 7101 630000 00", "transaction, group and abort"),
        ("76 0201 6200 6200 72630201 7101 0200 00", "transaction, group and abort"),
        ("76 0201 6200 6200 72630201 7101 630000 6200", "ends with 00"),
        ("", "ends inside"),
    ],
)
def test_what_is_no_message_is_refused(data: str, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        sml.decode_message(bytes.fromhex(data))
