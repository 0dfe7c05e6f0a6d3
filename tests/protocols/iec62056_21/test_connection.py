"""One table of states for both ends; any chunking, any damage, any flood."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import (
    TRANSITIONS,
    Acknowledge,
    Break,
    Command,
    Connection,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    PlainData,
    Repeat,
    Request,
    encode,
)
from polymeter.protocols.iec62056_21.blocks import LINE_MAX
from polymeter.protocols.iec62056_21.connection import NOISE_MAX
from polymeter.protocols.wire import (
    NEED_DATA,
    LocalProtocolError,
    NeedData,
    ProtocolError,
    RemoteProtocolError,
)
from tests.effort import finishes, steps
from tests.protocols.iec62056_21.strategies import cuts

EVENTS: dict[str, Event] = {
    "request": Request(),
    "identification": Identification("PMX", "5", "SIM100"),
    "read-out option": OptionSelect("0", "5", "0"),
    "programming option": OptionSelect("0", "5", "1"),
    "binary option": OptionSelect("2", "5", "2"),
    "acknowledge": Acknowledge(),
    "repeat": Repeat(),
    "break": Break(),
    "command": Command("R1", "1.8.0()"),
    "partial command": Command("W3", "1.8.0(1)", more=True),
    "data": DataMessage("1.8.0(1*kWh)"),
    "plain data": PlainData("1.8.0(1*kWh)\r\n!\r\n"),
    "partial data": DataMessage("1.8.0(1*kWh)", more=True),
}
EVERY_STEP = [(state, end, kind) for state in TRANSITIONS for end in ("reader", "meter") for kind in EVENTS]
HEARD = {(end, kind) for transitions in TRANSITIONS.values() for end, kind in transitions}


def connection(end: str, state: str) -> Connection:
    made = Connection(end)  # type: ignore[arg-type]
    made.state = state
    return made


def parity(data: bytes) -> bytes:
    return bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in data)


def events(conversation: Connection) -> list[Event]:
    found = []
    while not isinstance(event := conversation.next_event(), NeedData):
        found.append(event)
    return found


# the table


def test_every_state_can_be_reached_and_left() -> None:
    reached = {after for transitions in TRANSITIONS.values() for after in transitions.values()}
    assert reached == TRANSITIONS.keys()
    assert all(TRANSITIONS.values())


def test_every_kind_of_event_is_in_the_table() -> None:
    assert {kind for _, kind in HEARD} == EVENTS.keys()


def test_a_new_request_begins_anew_from_everywhere() -> None:
    assert {
        state for state, to in TRANSITIONS.items() if to.get(("reader", "request")) == "requested"
    } == set(TRANSITIONS)


@pytest.mark.parametrize(("state", "end", "kind"), EVERY_STEP)
def test_what_the_table_allows_can_be_said_and_nothing_else(state: str, end: str, kind: str) -> None:
    speaking = connection(end, state)
    after = TRANSITIONS[state].get((end, kind))  # type: ignore[call-overload]
    if after is None:
        with pytest.raises(LocalProtocolError, match=kind):
            speaking.send(EVENTS[kind])
        assert speaking.state == state
    else:
        assert speaking.send(EVENTS[kind]) == encode(EVENTS[kind])
        assert speaking.state == after


@pytest.mark.parametrize(("state", "end", "kind"), EVERY_STEP)
def test_what_the_table_allows_is_heard_and_nothing_else(state: str, end: str, kind: str) -> None:
    hearing = connection("meter" if end == "reader" else "reader", state)
    hearing.receive_data(encode(EVENTS[kind]))
    after = TRANSITIONS[state].get((end, kind))  # type: ignore[call-overload]
    awaits_option = (state, end) in (("identified", "reader"), ("switching", "meter"))
    if kind.endswith(" option") and not awaits_option:
        return  # an option is one only where it is awaited; elsewhere it is ACK and noise
    if kind == "plain data" and not (state == "pushing" and end == "meter"):
        return  # data without control characters is data only behind an identification
    if kind == "acknowledge" and awaits_option:
        assert hearing.next_event() is NEED_DATA  # it may become an option
        return
    if after is None:
        with pytest.raises(RemoteProtocolError, match="no place"):
            hearing.next_event()
        assert hearing.state == state
        assert hearing.next_event() is NEED_DATA
    else:
        assert hearing.next_event() == EVENTS[kind]
        assert hearing.state == after


def test_a_whole_read_out_seen_from_both_ends() -> None:
    reader, meter = Connection("reader"), Connection("meter")
    for speaker, hearer, event in (
        (reader, meter, Request("7")),
        (meter, reader, EVENTS["identification"]),
        (reader, meter, OptionSelect("0", "5", "0")),
        (meter, reader, EVENTS["data"]),
        (reader, meter, Acknowledge()),
    ):
        hearer.receive_data(speaker.send(event))
        assert hearer.next_event() == event
        assert hearer.state == speaker.state
    assert reader.state == "idle"


# chunking

READ_OUT = encode(EVENTS["identification"]) + encode(DataMessage("1.8.0(1*kWh)\r\n!\r\n"))


@given(st.data(), st.booleans())
def test_chunking_is_irrelevant(data: st.DataObject, with_parity: bool) -> None:
    hearing = connection("reader", "requested")
    found: list[Event] = []
    for piece in data.draw(cuts(parity(READ_OUT) if with_parity else READ_OUT)):
        hearing.receive_data(piece)
        found += events(hearing)
    assert found == [EVENTS["identification"], DataMessage("1.8.0(1*kWh)\r\n!\r\n")]


@pytest.mark.parametrize("size", range(len(READ_OUT)))
def test_half_a_message_asks_for_more(size: int) -> None:
    hearing = connection("reader", "requested")
    hearing.receive_data(READ_OUT[:size])
    assert len(events(hearing)) == (size >= len(encode(EVENTS["identification"])))


def test_what_follows_a_message_stays() -> None:
    hearing = connection("reader", "requested")
    hearing.receive_data(READ_OUT + b"\x02abc")
    assert len(events(hearing)) == 2
    hearing.discard()
    assert hearing.next_event() is NEED_DATA
    assert hearing.state == "read out"


# noise and damage


@pytest.mark.parametrize("noise", [b"\x00\xff", b"hello", b"a/b", b"//", b"/abc", b"\r\n\r\n", b"\x7f" * 300])
def test_noise_before_a_line_is_skipped(noise: bytes) -> None:
    hearing = connection("reader", "requested")
    hearing.receive_data(noise + READ_OUT)
    assert events(hearing)[0] == EVENTS["identification"]
    assert hearing.noise == len(noise)


def test_a_slash_that_begins_no_line_is_noise_in_the_end() -> None:
    hearing = connection("reader", "requested")
    hearing.receive_data(b"/" + b"x" * LINE_MAX)
    assert hearing.next_event() is NEED_DATA
    hearing.receive_data(READ_OUT)
    assert len(events(hearing)) == 2


@pytest.mark.parametrize("place", range(1, len(encode(EVENTS["data"]))))
@pytest.mark.parametrize("bit", [1 << number for number in range(8)])
def test_no_flipped_bit_of_a_block_changes_what_is_heard(place: int, bit: int) -> None:
    data = bytearray(encode(EVENTS["data"]))
    data[place] ^= bit
    hearing = connection("reader", "reading out")
    hearing.receive_data(bytes(data))
    try:
        heard = hearing.next_event()
    except RemoteProtocolError:
        assert hearing.state == "reading out"
    else:
        assert heard is NEED_DATA


def test_a_damaged_block_leaves_the_state_and_names_its_place() -> None:
    hearing = connection("reader", "reading out")
    good = encode(EVENTS["data"])
    hearing.receive_data(b"xyz" + good[:-1] + b"\x00" + good)
    with pytest.raises(RemoteProtocolError, match="block check") as caught:
        hearing.next_event()
    assert caught.value.offset == 3 + len(good) - 1
    assert hearing.next_event() == EVENTS["data"]


def test_a_block_that_breaks_off_costs_no_other() -> None:
    hearing = connection("reader", "reading out")
    hearing.receive_data(b"\x021.8.0(99" + encode(EVENTS["data"]))
    with pytest.raises(RemoteProtocolError):
        hearing.next_event()
    assert hearing.next_event() == EVENTS["data"]


def test_a_meter_tells_an_option_from_an_acknowledgement() -> None:
    hearing = connection("meter", "identified")
    hearing.receive_data(b"\x060")
    assert hearing.next_event() is NEED_DATA
    hearing.receive_data(b"51\r\n")
    assert hearing.next_event() == OptionSelect("0", "5", "1")


# bounds


def test_a_flood_without_an_end_is_refused_and_forgotten() -> None:
    hearing = Connection("reader", limit=1000)
    hearing.state = "reading out"
    hearing.receive_data(b"\x02" + b"a" * 900)
    with pytest.raises(RemoteProtocolError, match="limit is 1000"):
        hearing.receive_data(b"b" * 200)
    hearing.receive_data(encode(EVENTS["data"]))
    assert hearing.next_event() == EVENTS["data"]


def test_endless_noise_is_told_as_such() -> None:
    hearing = connection("reader", "requested")
    with pytest.raises(RemoteProtocolError, match="no message among them"):
        for _ in range(NOISE_MAX // 1000 + 2):
            hearing.receive_data(b"z" * 1000)
            hearing.next_event()


def test_a_long_block_byte_by_byte_is_searched_once() -> None:
    # Were every byte to search the block anew, this would take minutes.
    message = encode(DataMessage("1.8.0(1)\r\n" * 12_000))
    hearing = connection("reader", "reading out")
    for byte in message[:-1]:
        hearing.receive_data(bytes([byte]))
        assert hearing.next_event() is NEED_DATA
    hearing.receive_data(message[-1:])
    assert isinstance(hearing.next_event(), DataMessage)


HOSTILE = {
    "slashes": b"/",
    "long lines": b"/" + b"x" * 40,
    "block starts": b"\x02",
    "command starts": b"\x01R1\x02",
    "acknowledgements": b"\x06",
    "repeats": b"\x15",
    "noise": b"z",
    "line ends": b"\r\n",
    "exclamation marks": b"!x",
    "almost an end": b"!\r",
    "blocks": encode(EVENTS["data"]),
    "identifications": encode(EVENTS["identification"]),
}


def listen(state: str, data: bytes, piece: int) -> None:
    hearing = connection("reader", state)
    for start in range(0, len(data), piece):
        hearing.receive_data(data[start : start + piece])
        while True:
            try:
                if hearing.next_event() is NEED_DATA:
                    break
            except RemoteProtocolError:
                pass


@pytest.mark.parametrize(("state", "piece"), [("requested", 1), ("pushing", 1), ("switching", 10_000)])
@pytest.mark.parametrize("kind", HOSTILE)
def test_work_grows_at_most_linearly_with_what_is_heard(kind: str, state: str, piece: int) -> None:
    unit = HOSTILE[kind]
    small, large = (unit * (size // len(unit)) for size in (1000, 4000))
    first, second = (steps(lambda data=data: listen(state, data, piece)) for data in (small, large))
    assert first <= 120 * len(small)
    assert second <= 4.5 * first + 1000


@pytest.mark.parametrize("state", ["pushing", "reading out"])
@pytest.mark.parametrize("kind", ["long lines", "noise", "line ends", "exclamation marks", "almost an end"])
def test_what_was_searched_is_not_searched_again(kind: str, state: str) -> None:
    unit = HOSTILE[kind]
    with finishes():
        listen(state, unit * (100_000 // len(unit)), 50)


@settings(max_examples=300)
@given(
    st.sampled_from(["reader", "meter"]),
    st.sampled_from(list(TRANSITIONS)),
    st.lists(st.binary(max_size=40), max_size=10),
)
def test_hostile_bytes_raise_only_our_own_errors(end: str, state: str, pieces: list[bytes]) -> None:
    hearing = connection(end, state)
    for piece in pieces:
        try:
            hearing.receive_data(piece)
            events(hearing)
        except ProtocolError as error:
            assert isinstance(error, RemoteProtocolError)
        assert hearing.state in TRANSITIONS
    hearing.reset()
    assert (hearing.state, hearing.next_event()) == ("idle", NEED_DATA)
