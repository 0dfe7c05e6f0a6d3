"""A stream of frames: however it is cut into chunks, each whole frame comes out once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.procedure import Receive, Send, advance
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError, TimedOut
from tests.vectors import load_vectors, telegram

CASES = {case["name"]: telegram(case) for case in load_vectors("sml") if case["origin"] == "ours"}
STREAM = [CASES[name] for name in ("push", "escapes-in-content", "kermit", "long-lengths", "profile-pack")]


def frames_of(chunks: list[bytes]) -> list[bytes]:
    stream = sml.PushedFrames()
    found = []
    for chunk in chunks:
        stream.receive_data(chunk)
        while True:
            try:
                frame = stream.next_frame()
            except RemoteProtocolError:
                continue
            if isinstance(frame, NeedData):
                break
            found.append(frame)
    return found


def test_one_byte_at_a_time() -> None:
    data = b"\x1b\x1b" + b"".join(STREAM)
    assert frames_of([data[index : index + 1] for index in range(len(data))]) == STREAM


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40))
@settings(deadline=None, max_examples=60)
def test_chunking_does_not_matter(sizes: list[int]) -> None:
    data, at, chunks = b"noise\x1b" + b"".join(STREAM), 0, []
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    chunks.append(data[at:])
    assert frames_of(chunks) == STREAM


@pytest.mark.parametrize("name", ["push", "escapes-in-content"])
def test_a_frame_cut_at_every_byte_gives_nothing_or_an_error(name: str) -> None:
    data = CASES[name]
    for count in range(1, len(data)):
        assert frames_of([data[:count]]) == []
        for decoded in sml.decode(data[:count]):
            assert not decoded.valid
            assert decoded.records == ()


def test_a_frame_cut_at_every_byte_does_not_spoil_the_next() -> None:
    for count in range(len(STREAM[0])):
        data = STREAM[0][:count] + STREAM[1]
        assert frames_of([data])[-1:] == [STREAM[1]]
        assert frames_of([data[index : index + 1] for index in range(len(data))])[-1:] == [STREAM[1]]
        last = sml.decode(data)[-1]
        assert last.valid, count


def test_every_flipped_byte_is_noticed() -> None:
    data = CASES["push"]
    for index in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            flipped = bytearray(data)
            flipped[index] ^= mask
            for decoded in sml.decode(bytes(flipped), explain=False):
                assert not decoded.valid
                assert decoded.records == ()


def test_a_damaged_frame_is_dropped_and_told() -> None:
    stream = sml.PushedFrames()
    stream.receive_data(CASES["damaged-frame"] + STREAM[0])
    with pytest.raises(RemoteProtocolError, match="check sum"):
        stream.next_frame()
    assert stream.next_frame() == STREAM[0]
    assert stream.next_frame() is NEED_DATA


def test_noise_is_not_kept() -> None:
    stream = sml.PushedFrames()
    for _ in range(100):
        stream.receive_data(b"\x1b" * 1000)
        assert stream.next_frame() is NEED_DATA
    assert stream.dropped >= 99_000


def test_a_connection_gives_messages_and_takes_them() -> None:
    connection = sml.Connection(sml.KERMIT)
    messages = sml.pushed(b"server", sml.sec_index(7), [sml.Entry(b"\x01\x00\x01\x08\x00\xff", 5, 30, 0)], 1)
    connection.receive_data(connection.send(messages))
    found = connection.next_event()
    assert not isinstance(found, NeedData)
    assert [message.name for message in found] == ["PublicOpen.Res", "GetList.Res", "PublicClose.Res"]
    assert connection.next_event() is NEED_DATA


def test_a_request_is_answered_by_the_next_frame() -> None:
    connection = sml.Connection()
    asked = sml.Message(b"1", 0, 0, sml.TAGS["PublicClose.Req"], sml.listing(sml.octets(None)))
    procedure = sml.exchange(connection, [asked], timeout_s=2)
    assert isinstance(advance(procedure, None), Send)
    assert advance(procedure, b"") == Receive(2)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, STREAM[0])
    assert [message.tag for message in stop.value.value] == [0x101, 0x701, 0x201]


def test_a_meter_pushes_until_nobody_listens() -> None:
    procedure = sml.serve(lambda: [b"one"], period_s=1)
    assert advance(procedure, None) == Send(b"one")
    assert advance(procedure, b"") == Receive(1)
    assert advance(procedure, TimedOut("silence")) == Send(b"one")
    advance(procedure, b"")
    with pytest.raises(StopIteration):
        advance(procedure, b"")
