"""A stream of telegrams: however it is cut into chunks, each whole telegram comes out once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import p1
from polymeter.protocols.procedure import Receive, advance
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError, TransportError
from tests.vectors import load_vectors, telegram

CASES = {case["name"]: telegram(case) for case in load_vectors("p1") if case["origin"] == "ours"}
V5 = CASES["dsmr-5-three-sub-meters"]
STREAM = [V5, CASES["dsmr-2.2"], CASES["luxembourg-ciphered"], CASES["dsmr-4"], CASES["sweden"]]


def frames_of(chunks: list[bytes]) -> list[bytes]:
    stream = p1.PushedTelegrams()
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
    data = b"".join(STREAM)
    assert frames_of([data[index : index + 1] for index in range(len(data))]) == STREAM


@given(st.lists(st.integers(1, 900), min_size=1, max_size=40))
@settings(deadline=None, max_examples=60)
def test_chunking_does_not_matter(sizes: list[int]) -> None:
    data, at, chunks = b"noise\xff" + b"".join(STREAM), 0, []
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    chunks.append(data[at:])
    assert frames_of(chunks) == STREAM


def test_a_telegram_cut_at_every_byte_gives_nothing_or_an_error() -> None:
    for name in ("dsmr-5-three-sub-meters", "luxembourg-ciphered"):
        data = CASES[name]
        for count in range(len(data)):
            if data[count:] in (b"\r\n", b"\n"):
                continue  # all that is missing is the end of the last line
            assert frames_of([data[:count]]) == []
            decoded = p1.decode(data[:count]) if count else []
            assert all(not one.valid for one in decoded)
            assert all(not one.records for one in decoded)


def test_a_telegram_cut_at_every_byte_does_not_spoil_the_next() -> None:
    for count in range(len(V5)):
        assert frames_of([V5[:count] + STREAM[3] + STREAM[4]])[-2:] == STREAM[3:5]


def test_a_damaged_telegram_is_dropped_and_told() -> None:
    stream = p1.PushedTelegrams()
    stream.receive_data(V5.replace(b"000004.426", b"000009.426") + V5)
    with pytest.raises(RemoteProtocolError, match="checksum"):
        stream.next_frame()
    assert stream.next_frame() == V5
    assert stream.next_frame() is NEED_DATA
    assert stream.dropped == 2 * len(V5)


def test_noise_is_not_kept() -> None:
    stream = p1.PushedTelegrams()
    for _ in range(100):
        stream.receive_data(b"\x55" * 1000)
        assert stream.next_frame() is NEED_DATA
    assert stream.dropped >= 99_000


def test_parity_bits_are_taken_off() -> None:
    data = CASES["even-parity"]
    (frame,) = frames_of([data])
    assert frame == bytes(byte & 0x7F for byte in data)


def test_a_reader_waits_until_a_telegram_is_whole() -> None:
    procedure = p1.next_telegram(p1.PushedTelegrams(), timeout_s=3)
    assert advance(procedure, None) == Receive(3)
    assert advance(procedure, V5[:100]) == Receive(3)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, V5[100:])
    assert stop.value.value == V5


def test_a_reader_passes_damaged_telegrams_over_but_not_for_ever() -> None:
    bad = V5.replace(b"000004.426", b"000009.426")
    procedure = p1.next_telegram(p1.PushedTelegrams())
    advance(procedure, None)
    for _ in range(4):
        assert isinstance(advance(procedure, bad), Receive)
    with pytest.raises(RemoteProtocolError):
        advance(procedure, bad)


def test_a_reader_does_not_listen_to_noise_for_ever() -> None:
    procedure = p1.next_telegram(p1.PushedTelegrams())
    advance(procedure, None)
    for _ in range(10):
        advance(procedure, b"\x55" * 100_000)
    with pytest.raises(RemoteProtocolError, match="no frame was among them"):
        advance(procedure, b"\x55" * 100_000)


def test_a_line_that_closes_is_a_failure_of_the_line() -> None:
    procedure = p1.next_telegram(p1.PushedTelegrams())
    advance(procedure, None)
    with pytest.raises(TransportError, match="closed"):
        advance(procedure, b"")
