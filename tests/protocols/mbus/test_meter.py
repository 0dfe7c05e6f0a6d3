"""The slaves' end: who feels meant, what they say, and what is on the line when several do."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import mbus
from polymeter.protocols.mbus import Bus, LongFrame, LongHeader, Session, ShortFrame, Slave, encode
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import TimedOut
from polymeter.transports.simulated import run_simulated

ACK = b"\xe5"
ONE = LongHeader("12345678", "PMX", 1, 4)
TWO = LongHeader("12345679", "PMX", 1, 7)


def slave(header: LongHeader = ONE, address: int = 5, count: int = 1, **more: Any) -> Slave:
    def telegrams() -> Sequence[tuple[int, bytes]]:
        return [(0x72, bytes(header) + bytes((0x01, 0x13, number))) for number in range(count)]

    return Slave(header, address, telegrams, **more)


def session(*slaves: Slave, **more: Any) -> Session:
    return Bus(slaves, **more).session()


def asked(address: int, counted: int = 0x7B) -> ShortFrame:
    return ShortFrame(counted, address)


def number(answer: bytes) -> int:
    return answer[-3]


@pytest.mark.parametrize(
    ("address", "answers"), [(5, True), (6, False), (254, True), (253, False), (255, False)]
)
def test_who_feels_meant(address: int, answers: bool) -> None:
    assert bool(session(slave()).answer(asked(address))) is answers


def test_all_hear_a_broadcast_and_nobody_answers() -> None:
    meters = [slave(), slave(TWO, 6)]
    assert session(*meters).answer(LongFrame(0x53, 255, 0x51, bytes.fromhex("01fd1707"))) == b""
    assert [meter.written[0].value for meter in meters] == [7, 7]


def test_telegrams_follow_the_count_bit() -> None:
    bus = session(slave(count=3))
    said = [number(bus.answer(asked(5, control))) for control in (0x7B, 0x5B, 0x5B, 0x7B, 0x5B)]
    assert said == [0, 1, 1, 2, 0]


def test_a_request_without_count_is_answered_from_the_start() -> None:
    bus = session(slave(count=3))
    assert [number(bus.answer(asked(5, control))) for control in (0x7B, 0x4B, 0x4B)] == [0, 0, 0]


def test_initialising_begins_with_the_first_telegram() -> None:
    bus = session(slave(count=3))
    bus.answer(asked(5))
    assert bus.answer(ShortFrame(0x40, 5)) == ACK
    assert number(bus.answer(asked(5))) == 0


def test_a_selection_deselects_everybody_else() -> None:
    bus = session(slave(), slave(TWO, 6))
    for header in (ONE, TWO):
        assert bus.answer(LongFrame(0x53, 253, 0x52, header.address)) == ACK
        assert mbus.decode(bus.answer(asked(253)))[0].meter.id == header.id
    assert bus.answer(LongFrame(0x53, 253, 0x52, bytes.fromhex("99999999ffffffff"))) == b""
    assert bus.answer(asked(253)) == b""


def test_sessions_have_selections_of_their_own() -> None:
    bus = Bus([slave()])
    first, second = bus.session(), bus.session()
    first.answer(LongFrame(0x53, 253, 0x52, ONE.address))
    assert first.answer(asked(253))
    assert second.answer(asked(253)) == b""


def test_a_selection_that_is_too_short_means_nobody() -> None:
    assert session(slave()).answer(LongFrame(0x53, 253, 0x52, ONE.address[:7])) == b""


def test_what_is_written_is_told() -> None:
    told: list[Any] = []
    meter = slave(on_write=told.append)
    session(meter).answer(LongFrame(0x53, 5, 0x51, bytes.fromhex("041301000000" + "01fd1701")))
    assert (
        [record.name for record in told]
        == [record.name for record in meter.written]
        == [
            "volume",
            "error_flags",
        ]
    )


def test_an_unknown_command_is_an_application_error() -> None:
    (frame,) = mbus.decode(session(slave()).answer(LongFrame(0x53, 5, 0x5C)))
    assert "unimplemented CI field" in frame.errors[0].message


def test_what_another_slave_says_is_not_answered() -> None:
    assert session(slave()).answer(LongFrame(0x08, 5, 0x72)) == b""
    assert session(slave()).answer(mbus.Acknowledge()) == b""


@pytest.mark.parametrize("function", [0x44, 0x46, 0x49])
def test_functions_of_no_meaning_are_not_answered(function: int) -> None:
    assert session(slave()).answer(ShortFrame(function, 5)) == b""


def test_a_fleet_on_one_address_collides() -> None:
    together = session(slave(), slave(TWO)).answer(asked(5))
    apart = [session(one).answer(asked(5)) for one in (slave(), slave(TWO))]
    assert together not in apart
    assert all(both & one == both for both, one in zip(together, apart[0], strict=True))


@given(st.integers(2, 6), st.booleans())
def test_acknowledgements_collide_into_more_bytes_or_exactly(count: int, exact: bool) -> None:
    meters = [slave(LongHeader(str(n), "PMX", 1, 4), 5) for n in range(count)]
    said = session(*meters, exact_overlap=exact).answer(ShortFrame(0x40, 5))
    assert (said == ACK) is exact
    if not exact:
        assert len(said) == count


def test_a_bad_line_damages_some_answers() -> None:
    bus = session(slave(garbles=3))
    good = [mbus.decode(bus.answer(asked(5, 0x4B)))[0].valid for _ in range(6)]
    assert good == [True, True, False, True, True, False]


def test_the_slowest_of_those_who_answer_is_waited_for() -> None:
    bus = session(slave(reaction_s=0.1), slave(TWO, reaction_s=0.4))
    bus.answer(asked(5))
    assert bus.reaction_s == 0.4
    bus.answer(asked(99))
    assert bus.reaction_s == 0.0


def test_serving_is_slow_where_the_meter_is() -> None:
    serving = mbus.serve(Bus([slave(reaction_s=0.3)]))
    assert next(serving) == SetLine(2400, 8, "E")
    assert isinstance(serving.send(b""), Receive)
    assert serving.send(encode(ShortFrame(0x40, 5))) == Pause(0.3)
    assert serving.send(b"") == Send(ACK)


def test_serving_follows_a_switch_of_rate() -> None:
    serving = mbus.serve(Bus([slave()]))
    next(serving)
    serving.send(b"")
    assert serving.send(encode(LongFrame(0x53, 5, 0xBD))) == Send(ACK)
    assert serving.send(b"") == SetLine(9600, 8, "E")


def test_serving_ends_when_the_line_closes_or_is_long_silent() -> None:
    for last in ("closed", "silent"):
        serving = mbus.serve(Bus([slave()]))
        next(serving)
        serving.send(b"")
        with pytest.raises(StopIteration):
            serving.send(b"") if last == "closed" else serving.throw(TimedOut("silence"))


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=8))
def test_serving_survives_anything(pieces: list[bytes]) -> None:
    def master() -> Procedure[bytes]:
        for piece in pieces:
            yield Send(piece)
            try:
                yield Receive(0.5, 0.1)
            except TimedOut:
                continue
        yield Send(b"\x16" * 300)
        with suppress(TimedOut):
            yield Receive(0.5, 0.1)
        yield Send(encode(ShortFrame(0x40, 5)))
        return (yield Receive(5.0, 0.1))

    assert run_simulated(master(), mbus.serve(Bus([slave()]))).result
