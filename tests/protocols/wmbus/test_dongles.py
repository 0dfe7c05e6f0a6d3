"""Sticks are set up by what their manuals say, and what they hear meanwhile is not lost."""

from collections.abc import Callable

import pytest

from polymeter.protocols.procedure import Pause, Receive, Send
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut, TransportError
from polymeter.protocols.wmbus import LinkHeader, PushedTelegrams, decode
from polymeter.protocols.wmbus.dongles import DONGLES, set_up
from polymeter.protocols.wmbus.meter import Sender
from tests.dongles import AMB, CUL, IMST, Stick

TELEGRAM = Sender(LinkHeader(0x44, "PMX", "12345678", 1, 7)).telegram(bytes.fromhex("0413d2040000"))
STICKS: dict[str, type[Stick]] = {"cul": CUL, "amb8465": AMB, "im871a": IMST}


def talk(
    name: str,
    stick: Stick,
    mode: str | None = None,
    disturb: Callable[[bytes], bytes] = lambda said: said,
    chunk: int = 1000,
) -> bytes:
    """Set a stick up without a line or a clock: silence is a time-out at once."""
    procedure = set_up(name, mode)
    said = b""
    try:
        step = next(procedure)
        while True:
            match step:
                case Send(data):
                    said += disturb(stick.answer(data))
                    step = procedure.send(b"")
                case Receive():
                    piece, said = said[:chunk], said[chunk:]
                    step = procedure.send(piece) if piece else procedure.throw(TimedOut("nothing came"))
                case Pause():
                    step = procedure.send(b"")
                case _:
                    raise AssertionError(step)
    except StopIteration as stop:
        left: bytes = stop.value
        return left + said


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize(
    ("name", "mode"), [(name, mode) for name in DONGLES for mode in (None, *DONGLES[name].modes)]
)
def test_a_stick_listens_to_what_it_is_told(name: str, mode: str | None, chunk: int) -> None:
    stick = STICKS[name]()
    assert talk(name, stick, mode, chunk=chunk) == b""
    wanted = mode or next(iter(DONGLES[name].modes))
    assert stick.mode == (wanted if name == "cul" else DONGLES[name].modes[wanted])


@pytest.mark.parametrize("name", DONGLES)
def test_its_telegrams_are_cut_and_read(name: str) -> None:
    stick = STICKS[name]()
    talk(name, stick)
    splitter = PushedTelegrams()
    splitter.receive_data(stick.wrap(TELEGRAM))
    frame = splitter.next_frame()
    assert isinstance(frame, bytes)
    (decoded,) = decode(frame)
    assert decoded.valid, decoded.errors
    assert decoded.meter.id == "12345678"


@pytest.mark.parametrize("name", DONGLES)
def test_what_is_heard_while_it_is_set_up_is_given_back(name: str) -> None:
    ready = STICKS[name]()
    talk(name, ready)
    heard = ready.wrap(TELEGRAM)
    left = talk(name, STICKS[name](), disturb=lambda said: heard + said + heard if said else said)
    assert left.count(heard) >= 2
    assert left.replace(heard, b"") == b""


@pytest.mark.parametrize("name", DONGLES)
def test_a_command_that_got_lost_is_sent_again(name: str) -> None:
    lost = [True]

    def disturb(said: bytes) -> bytes:
        return b"" if said and lost and lost.pop() else said

    stick = STICKS[name]()
    talk(name, stick, disturb=disturb)
    assert stick.mode is not None


@pytest.mark.parametrize("name", DONGLES)
def test_a_dead_stick_is_given_up(name: str) -> None:
    stick = STICKS[name]()
    with pytest.raises(TimedOut, match="the stick does not answer"):
        talk(name, stick, disturb=lambda said: b"")
    assert len(stick.commands) in (3, 6)  # CUL is told two things each time


@pytest.mark.parametrize("name", DONGLES)
def test_another_device_that_talks_without_end_is_no_stick(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match="no answer of the stick"):
        talk(name, STICKS[name](), disturb=lambda said: b"\x00noise\xff\xa5" * 4000)


def test_a_stick_that_refuses_is_told() -> None:
    with pytest.raises(RemoteProtocolError, match="the stick refuses the mode: status 02"):
        talk("im871a", IMST(status=2))


def test_the_memory_of_an_amb_is_written_only_where_it_must_be() -> None:
    stick = AMB()
    talk("amb8465", stick)
    assert stick.written == 2
    stick.commands.clear()
    talk("amb8465", stick)
    assert stick.written == 2
    assert [command[1] for command in stick.commands] == [0x0A, 0x0A, 0x04]


def test_a_line_that_closes_is_a_failure_of_the_line() -> None:
    procedure = set_up("cul")
    assert isinstance(next(procedure), Send)
    procedure.send(b"")
    with pytest.raises(TransportError, match="closed while the stick was set up"):
        procedure.send(b"")


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="there is no dongle 'abc'; there are cul, im871a, amb8465"):
        set_up("abc")
    with pytest.raises(LocalProtocolError, match="the dongle cul has no mode 'n'; there are t, c, s"):
        set_up("cul", "n")
