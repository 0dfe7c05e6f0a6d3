"""What a master does on the bus, against slaves that answer, damage, or keep silent."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from polymeter.protocols import mbus
from polymeter.protocols.mbus import (
    Bus,
    Connection,
    Header,
    LongFrame,
    LongHeader,
    Options,
    SecondaryAddress,
    Slave,
)
from polymeter.protocols.procedure import Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut, TransportError
from polymeter.transports.simulated import run_simulated
from tests.protocols.mbus.line import conversation

HEADER = LongHeader("12345678", "PMX", 1, 4)
VOLUME = bytes.fromhex("041301000000")
QUICK = Options(0.3, 0.05)


def slave(address: int = 5, *telegrams: bytes, **settings: Any) -> Slave:
    shown = telegrams or (VOLUME,)

    def all_telegrams() -> Sequence[tuple[int, bytes]]:
        return [(0x72, bytes(one.header) + data) for data in shown]

    one = Slave(HEADER, address, all_telegrams, **settings)
    return one


def run(procedure: Procedure[Any], *slaves: Slave) -> Any:
    return run_simulated(procedure, mbus.serve(Bus(slaves))).result


def answer(ci: int, data: bytes, address: int = 5) -> bytes:
    return mbus.encode(LongFrame(0x08, address, ci, data))


def test_a_meter_is_initialised_and_read() -> None:
    (read,) = run(mbus.read(Connection("master"), 5), slave())
    assert read.body.header == HEADER
    assert [record.value for record in read.body.records] == [Decimal("0.001")]


def test_all_telegrams_are_read_and_the_next_reading_begins_anew() -> None:
    meter, connection = slave(5, VOLUME + b"\x1f", VOLUME + b"\x1f", VOLUME), Connection("master")
    session = mbus.serve(Bus([meter]))

    def twice() -> Procedure[tuple[int, int]]:
        first = yield from mbus.read(connection, 5)
        second = yield from mbus.read(connection, 5)
        return len(first), len(second)

    assert run_simulated(twice(), session).result == (3, 3)


def test_a_meter_that_always_has_more_is_left_alone() -> None:
    meter = slave(5, VOLUME + b"\x1f")
    assert len(run(mbus.read(Connection("master"), 5, Options(telegrams_max=7)), meter)) == 7


def test_a_meter_that_only_acknowledges_has_no_data() -> None:
    empty = Slave(HEADER, 5, list)
    with pytest.raises(RemoteProtocolError, match="no data"):
        run(mbus.read(Connection("master"), 5), empty)


def test_a_reading_that_ends_with_an_acknowledgement_keeps_what_came() -> None:
    first = answer(0x72, bytes(HEADER) + VOLUME + b"\x1f")
    read, _ = conversation(mbus.read(Connection("master"), 5), [b"\xe5", first, b"\xe5"])
    assert len(read) == 1


def test_another_meters_answer_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="meter 6 answers in place of 5"):
        conversation(mbus.read(Connection("master"), 5), [b"\xe5", answer(0x72, bytes(HEADER), 6)])


@pytest.mark.parametrize("address", [253, 254])
def test_whoever_is_selected_may_have_any_address(address: int) -> None:
    options = Options(initialises=False)
    read, said = conversation(
        mbus.read(Connection("master"), address, options), [answer(0x72, bytes(HEADER), 17)]
    )
    assert read[0].frame.address == 17
    assert said == [mbus.encode(mbus.ShortFrame(0x7B, address))]


def test_damage_is_asked_for_again_with_the_same_frame() -> None:
    good = answer(0x72, bytes(HEADER) + VOLUME)
    damaged = good[:-2] + bytes((good[-2] ^ 1,)) + good[-1:]
    read, said = conversation(mbus.read(Connection("master"), 5), [b"\xe5", damaged, None, good])
    assert len(read) == 1
    assert said[1] == said[2] == said[3]


def test_repeats_have_an_end() -> None:
    said: list[bytes] = []

    def line() -> Procedure[None]:
        while data := (yield Receive(600.0)):
            said.append(data)

    with pytest.raises(TimedOut, match=r"meter 5 is silent: asked 5 times, answer timeout 0\.1 s"):
        run_simulated(
            mbus.read(Connection("master"), 5, Options(0.1, 0.05, repeats=4, initialises=False)), line()
        )
    assert len(said) == 5


def test_an_answer_that_breaks_off_is_told_with_the_silence_behind_it() -> None:
    half = answer(0x72, bytes(HEADER) + VOLUME)[:9]
    once = Options(0.1, 0.05, repeats=0, initialises=False)
    with pytest.raises(TimedOut, match=r"breaks off after 9 bytes: silence of 0\.05 s, asked once"):
        conversation(mbus.read(Connection("master"), 5, once), [half])


def test_a_line_that_babbles_on_is_given_up() -> None:
    def line() -> Procedure[None]:
        while True:
            yield Send(bytes(range(0x20, 0x60)))

    for procedure in (
        mbus.read(Connection("master"), 5, QUICK),
        mbus.scan_secondary(Connection("master"), options=QUICK),
        mbus.scan_primary(Connection("master"), options=QUICK),
    ):
        with pytest.raises(RemoteProtocolError, match=r"\d{4} bytes came"):
            run_simulated(procedure, line())


def test_a_closed_line_is_told() -> None:
    def line() -> Procedure[None]:
        yield Receive(60.0)

    with pytest.raises(TransportError, match="closed"):
        run_simulated(mbus.read(Connection("master"), 5), line())


def test_initialising_tells_whether_somebody_is_there() -> None:
    assert run(mbus.initialise(Connection("master"), 5, QUICK), slave()) is True
    assert run(mbus.initialise(Connection("master"), 6, QUICK), slave()) is False
    assert run(mbus.initialise(Connection("master"), 255, QUICK), slave()) is False


def test_alarms() -> None:
    assert run(mbus.read_alarm(Connection("master"), 5), slave(alarm=0x0C)) == 0x0C
    assert run(mbus.read_alarm(Connection("master"), 5), slave()) is None
    status = LongHeader("12345678", "PMX", 1, 4, status=4)
    told, _ = conversation(mbus.read_alarm(Connection("master"), 5), [answer(0x72, bytes(status))])
    assert told == 4


def test_records_are_written() -> None:
    meter = slave()
    rows: list[tuple[Header, Any]] = [(Header(4, b"\x13"), Decimal("1.5")), (Header(1, b"\xfd\x17"), 3)]
    run(mbus.send_records(Connection("master"), 5, rows), meter)
    assert [(record.name, record.value) for record in meter.written] == [
        ("volume", Decimal("1.500")),
        ("error_flags", 3),
    ]


def test_an_application_error_is_told_in_words() -> None:
    connection = Connection("master")
    with pytest.raises(RemoteProtocolError, match="too many records"):
        conversation(mbus.send_records(connection, 5, []), [answer(0x70, b"\x03")])
    with pytest.raises(RemoteProtocolError, match="answers with data"):
        conversation(mbus.send_records(Connection("master"), 5, []), [answer(0x72, bytes(HEADER))])


def test_nobody_answers_to_all() -> None:
    meter = slave()
    step = next(mbus.send_records(Connection("master"), 255, [(Header(1, b"\xfd\x17"), 1)]))
    assert isinstance(step, Send)
    assert Bus([meter]).session().answer(mbus.decode_frame(step.data)) == b""
    assert meter.written[0].value == 1


@pytest.mark.parametrize(("subcode", "data"), [(None, b""), (0x10, b"\x10"), (0x51, b"\x51")])
def test_an_application_is_reset(subcode: int | None, data: bytes) -> None:
    _, said = conversation(mbus.reset_application(Connection("master"), 5, subcode), [b"\xe5"])
    assert said == [mbus.encode(LongFrame(0x73, 5, 0x50, data))]


def test_after_a_reset_the_first_telegram_comes_again() -> None:
    meter, connection = slave(5, VOLUME + b"\x1f", b"\x04\x13\x02\0\0\0"), Connection("master")

    def some() -> Procedure[list[Any]]:
        options = Options(telegrams_max=1, initialises=False)
        first = yield from mbus.read(connection, 5, options)
        yield from mbus.reset_application(connection, 5)
        second = yield from mbus.read(connection, 5, options)
        return [one[0].body.records[0].value for one in (first, second)]

    assert run(some(), meter) == [Decimal("0.001")] * 2


def test_a_primary_address_is_set() -> None:
    meter = slave()
    run(mbus.set_primary(Connection("master"), 5, 17), meter)
    assert meter.address == 17
    for wrong in (-1, 251):
        with pytest.raises(LocalProtocolError, match="0 to 250"):
            run(mbus.set_primary(Connection("master"), 5, wrong), meter)


def test_a_number_or_a_whole_address_is_set() -> None:
    meter = slave()
    run(mbus.set_secondary(Connection("master"), 5, SecondaryAddress.parse("87654321")), meter)
    assert meter.header.id == "87654321"
    whole = SecondaryAddress.parse("11223344A51507" + "06")
    run(mbus.set_secondary(Connection("master"), 5, whole), meter)
    assert SecondaryAddress.of(meter.header) == whole
    with pytest.raises(LocalProtocolError, match="wildcards"):
        run(mbus.set_secondary(Connection("master"), 5, SecondaryAddress.parse("1234567F")), meter)


def test_data_is_selected_by_headers_without_data() -> None:
    headers = [Header(4, b"\x13"), Header(4, b"\x06", storage=1, tariff=2), Header(2, b"\xfd\xc8\xfc\x01")]
    _, said = conversation(mbus.select_data(Connection("master"), 5, headers), [b"\xe5"])
    assert said[0][7:-2].hex() == "0813" + "c82006" + "08fdc8fc01"


NOW = datetime(2025, 4, 21, 10, 29, 30)


def test_a_clock_is_set_by_a_time_point() -> None:
    meter = slave()
    run(mbus.set_clock(Connection("master"), 5, NOW), meter)
    assert meter.written[0].value == NOW.replace(second=0)
    _, said = conversation(mbus.set_clock(Connection("master"), 5, NOW, summer=True), [b"\xe5"])
    assert said[0][7:-2].hex() == "046d1d8a3534"


@pytest.mark.parametrize("header", [None, HEADER])
def test_a_clock_is_set_by_its_own_command(header: LongHeader | None) -> None:
    procedure = mbus.set_clock(Connection("master"), 5, NOW, command=True, header=header)
    _, said = conversation(procedure, [b"\xe5"])
    address = b"" if header is None else header.address + bytes(4)
    assert said[0][6] == 0x6C
    assert said[0][7:-2] == address + bytes.fromhex("001e1d2a353411000000")
    (frame,) = mbus.decode(said[0])
    assert frame.valid
    assert frame.tree is not None
    told = {node.name: node.value for node in frame.tree.walk()}
    assert told["time"] == NOW


@pytest.mark.parametrize("header", [None, HEADER])
@pytest.mark.parametrize("seconds", [-5, 3600])
def test_a_clock_is_moved(seconds: int, header: LongHeader | None) -> None:
    meter = slave()
    run(mbus.adjust_clock(Connection("master"), 5, seconds, header=header), meter)
    (record,) = meter.written
    assert isinstance(record.value, bytes)
    assert int.from_bytes(record.value[1:7], "little", signed=True) == seconds


def test_a_rate_is_switched_at_both_ends() -> None:
    procedure = mbus.set_baud(Connection("master"), 5, 9600)
    assert run_simulated(procedure, mbus.serve(Bus([slave()]))).result is True


def test_a_line_goes_back_where_the_meter_does_not_follow() -> None:
    steps: list[Any] = []

    def deaf() -> Procedure[None]:
        yield SetLine(2400, 8, "E")
        yield Receive(60.0)
        yield Send(b"\xe5")
        while (yield Receive(60.0)):
            pass  # it stays at its rate and hears only rubbish

    def switching() -> Procedure[bool]:
        yield SetLine(2400, 8, "E")
        inner = mbus.set_baud(Connection("master"), 5, 9600, Options(0.2, 0.05, 1))
        step = next(inner)
        while True:
            steps.append(step)
            try:
                heard = yield step
            except TimedOut as error:
                try:
                    step = inner.throw(error)
                except StopIteration as end:
                    return bool(end.value)
                continue
            try:
                step = inner.send(heard)
            except StopIteration as end:
                return bool(end.value)

    assert run_simulated(switching(), deaf()).result is False
    assert [step.baud for step in steps if isinstance(step, SetLine)] == [9600, 2400]


def test_an_unknown_rate_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="300"):
        run(mbus.set_baud(Connection("master"), 5, 115200), slave())


def test_time_outs_follow_the_rate() -> None:
    slow, fast = Options.at_baud(300), Options.at_baud(38400)
    assert slow.answer_timeout_s > 330 / 300 + 0.05
    assert fast.answer_timeout_s > 330 / 38400 + 0.05
    assert slow.gap_s > fast.gap_s >= 0.05
