"""The link layer: exact both ways, in any pieces, and linear in what a stranger sends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import mbus
from polymeter.protocols.mbus import Acknowledge, Connection, LongFrame, ShortFrame
from polymeter.protocols.wire import NEED_DATA, LocalProtocolError, RemoteProtocolError
from tests.vectors import load_vectors, telegram, vector_id

GOOD = [case for case in load_vectors("mbus") if case["name"] not in ("two-frames", "damage-between")]
GOOD = [case for case in GOOD if case["name"] not in ("wrong-checksum", "lengths-differ")]


def events(connection: Connection) -> list[Any]:
    found = []
    while (event := connection.next_event()) is not NEED_DATA:
        found.append(event)
    return found


@pytest.mark.parametrize("case", GOOD, ids=vector_id)
def test_a_frame_encodes_to_the_same_bytes(case: dict[str, Any]) -> None:
    data = telegram(case)
    frame = mbus.decode_frame(data)
    assert mbus.encode(frame) == data
    with pytest.raises(RemoteProtocolError):
        mbus.decode_frame(data + b"\x00")
    if len(data) > 1:
        with pytest.raises(RemoteProtocolError):
            mbus.decode_frame(data[:-1])


@given(
    st.lists(
        st.one_of(
            st.builds(ShortFrame, st.sampled_from([0x40, 0x5B, 0x7B, 0x5A, 0x7A]), st.integers(0, 255)),
            st.builds(
                LongFrame,
                st.sampled_from([0x53, 0x73]),
                st.integers(0, 255),
                st.integers(0, 255),
                st.binary(max_size=252),
            ),
        ),
        max_size=5,
    ),
    st.data(),
)
def test_pieces_do_not_matter(frames: list[ShortFrame | LongFrame], data: st.DataObject) -> None:
    stream = b"".join(mbus.encode(frame) for frame in frames)
    whole, pieces = Connection("slave"), Connection("slave")
    whole.receive_data(stream)
    found, at = [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        pieces.receive_data(stream[at : at + size])
        found += events(pieces)
        at += size
    assert found == events(whole) == frames


def test_noise_is_skipped_and_damage_is_told() -> None:
    connection = Connection("master")
    connection.send(ShortFrame(0x5B, 1))
    connection.receive_data(b"\x00\xff\x68\x03\x03\x68\x08\x01\x70\x00\x16")
    with pytest.raises(RemoteProtocolError, match="checksum"):
        connection.next_event()
    assert connection.noise == 2
    connection.receive_data(mbus.encode(LongFrame(8, 1, 0x70)))
    assert connection.next_event() == LongFrame(8, 1, 0x70)
    connection.receive_data(b"\xe5")
    with pytest.raises(RemoteProtocolError, match="no place"):
        connection.next_event()


def test_each_end_says_only_what_is_its_own() -> None:
    with pytest.raises(LocalProtocolError):
        Connection("master").send(Acknowledge())
    with pytest.raises(LocalProtocolError):
        Connection("slave").send(Acknowledge())
    with pytest.raises(LocalProtocolError):
        mbus.encode(LongFrame(0x53, 1, 0x51, bytes(253)))
