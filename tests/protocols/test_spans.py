"""Frames out of a stream: however it is cut into chunks, each whole one comes out once.

What is true of every protocol whose frames are found by looking is shown for each of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import p1, sml
from polymeter.protocols.procedure import Receive, advance, next_pushed
from polymeter.protocols.spans import Span, SpanSplitter
from polymeter.protocols.wire import NEED_DATA, RemoteProtocolError, TransportError
from tests.effort import steps
from tests.pushing import frames_of, pieces, sizes
from tests.vectors import load_vectors, telegram


class Line(NamedTuple):
    """A line on which one protocol is pushed."""

    make: Callable[[], SpanSplitter]
    frames: list[bytes]
    damaged: bytes
    noise: bytes
    """What begins no frame, but looks a little like it."""
    opening: bytes
    """A beginning of a frame without an end."""


def ours(protocol: str, *names: str) -> list[bytes]:
    cases = {case["name"]: telegram(case) for case in load_vectors(protocol) if case["origin"] == "ours"}
    return [cases[name] for name in names]


P1 = ours("p1", "dsmr-5-three-sub-meters", "dsmr-2.2", "luxembourg-ciphered", "dsmr-4", "sweden")
SML = ours("sml", "push", "escapes-in-content", "kermit", "long-lengths", "profile-pack")
LINES = {
    "p1": Line(
        p1.PushedTelegrams, P1, P1[0].replace(b"000004.426", b"000009.426"), b"\x55/", b"/PMX5SIM\r\n\r\n"
    ),
    "sml": Line(
        sml.PushedFrames, SML, *ours("sml", "damaged-frame"), b"\x1b", sml.encode_frame(b"\x76" * 40)[:-8]
    ),
}
each = pytest.mark.parametrize("line", LINES.values(), ids=LINES)


@each
def test_one_byte_at_a_time(line: Line) -> None:
    data = line.noise + b"".join(line.frames)
    assert frames_of(line.make(), (data[index : index + 1] for index in range(len(data)))) == line.frames


@each
@given(cut=sizes)
@settings(deadline=None, max_examples=60)
def test_chunking_does_not_matter(line: Line, cut: list[int]) -> None:
    data = b"noise" + line.noise + b"".join(line.frames)
    assert frames_of(line.make(), pieces(data, cut)) == line.frames


@each
@given(order=st.lists(st.integers(0, 6), min_size=2, max_size=8), cut=sizes)
@settings(deadline=None, max_examples=40)
def test_damage_costs_no_other_frame(line: Line, order: list[int], cut: list[int]) -> None:
    parts = [line.frames[index] if index < 5 else (line.damaged, line.noise)[index - 5] for index in order]
    whole = [line.frames[index] for index in order if index < 5]
    assert frames_of(line.make(), pieces(b"".join(parts), cut)) == whole


@each
def test_a_frame_cut_at_every_byte_does_not_spoil_the_next(line: Line) -> None:
    for count in range(len(line.frames[0])):
        data = line.frames[0][:count] + line.frames[3] + line.frames[4]
        assert frames_of(line.make(), [data])[-2:] == line.frames[3:]
        by_bytes = (data[index : index + 1] for index in range(len(data)))
        assert frames_of(line.make(), by_bytes)[-2:] == line.frames[3:]


@each
def test_a_damaged_frame_is_dropped_and_told_with_its_place(line: Line) -> None:
    stream = line.make()
    stream.receive_data(line.damaged + line.frames[0])
    with pytest.raises(RemoteProtocolError, match=r"check ?sum") as raised:
        stream.next_frame()
    assert raised.value.offset is not None
    assert 0 < raised.value.offset < len(line.damaged)
    assert stream.next_frame() == line.frames[0]
    assert stream.next_frame() is NEED_DATA
    assert stream.dropped == len(line.damaged + line.frames[0])


@each
def test_noise_is_not_kept(line: Line) -> None:
    stream = line.make()
    for _ in range(100):
        stream.receive_data(line.noise * 1000)
        assert stream.next_frame() is NEED_DATA
    assert stream.dropped >= 99_000 * len(line.noise)


@each
def test_a_frame_without_an_end_is_given_up(line: Line) -> None:
    stream = line.make()
    stream.receive_data(line.opening)
    given_up = 0
    for _ in range(40):
        stream.receive_data(b"\x02" * 10_000)
        try:
            assert stream.next_frame() is NEED_DATA
        except RemoteProtocolError:
            given_up += 1
    assert given_up == 1
    assert frames_of(stream, [line.frames[0]]) == [line.frames[0]]


@each
def test_what_has_been_searched_is_not_searched_again(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = line.make()
    known: list[Span | None] = []
    look = stream.find

    def watched(data: bytearray, before: Span | None) -> Span | None:
        known.append(before)
        return look(data, before)

    monkeypatch.setattr(stream, "find", watched)
    stream.receive_data(line.opening)
    for count in range(5000):
        stream.receive_data(b"\x02")
        stream.next_frame()
        assert count == 0 or known[-1] is not None
    assert known[-1] is not None
    assert known[-1].searched >= 4990


@each
def test_work_is_the_same_for_every_byte_of_a_frame(line: Line) -> None:
    def byte_by_byte(stream: SpanSplitter, count: int) -> None:
        for _ in range(count):
            stream.receive_data(b"\x02")
            stream.next_frame()

    stream = line.make()
    stream.receive_data(line.opening)
    first, later = (steps(lambda: byte_by_byte(stream, 2000)) for _ in range(2))
    assert later <= 1.1 * first


@each
def test_a_reader_waits_until_a_frame_is_whole(line: Line) -> None:
    procedure = next_pushed(line.make(), timeout_s=3)
    assert advance(procedure, None) == Receive(3)
    assert advance(procedure, line.frames[0][:100]) == Receive(3)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, line.frames[0][100:])
    assert stop.value.value == line.frames[0]


@each
def test_a_reader_passes_damage_over_but_not_for_ever(line: Line) -> None:
    procedure = next_pushed(line.make(), timeout_s=3)
    advance(procedure, None)
    for _ in range(4):
        assert isinstance(advance(procedure, line.damaged), Receive)
    with pytest.raises(RemoteProtocolError):
        advance(procedure, line.damaged)


@each
def test_a_reader_does_not_listen_to_noise_for_ever(line: Line) -> None:
    procedure = next_pushed(line.make(), timeout_s=3)
    advance(procedure, None)
    for _ in range(10):
        advance(procedure, b"\x55" * 100_000)
    with pytest.raises(RemoteProtocolError, match="no frame was among them"):
        advance(procedure, b"\x55" * 100_000)


@each
def test_a_line_that_closes_is_a_failure_of_the_line(line: Line) -> None:
    procedure = next_pushed(line.make(), timeout_s=3)
    advance(procedure, None)
    with pytest.raises(TransportError, match="closed"):
        advance(procedure, b"")
