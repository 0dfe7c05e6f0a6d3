"""The traps of the wire, one test each, in the order in which the list of them is kept."""

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from polymeter.catalogue import decode_frames
from polymeter.protocols import mbus
from polymeter.protocols.mbus import Connection, LongFrame, Options, SecondaryAddress, ShortFrame
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import Record, TimedOut, Value
from polymeter.transports.filters import EchoCanceller
from polymeter.transports.simulated import run_simulated
from tests.protocols.mbus.line import conversation

HEADER = bytes.fromhex("78563412b84101042a000000")


def records(data: str) -> list[Record]:
    found = mbus.decode_records(bytes.fromhex(data))
    assert not found.broken
    return found.records


def value(data: str) -> Value:
    return records(data)[0].value


def response(data: str) -> bytes:
    return mbus.encode(LongFrame(8, 1, 0x72, HEADER + bytes.fromhex(data)))


def test_pitfall_01_frame_count_bit() -> None:
    connection = Connection("master")
    more, last = response("0413010000001f"), response("041302000000")
    answers, said = conversation(mbus.read(connection, 1), [b"\xe5", more, more[:-2] + b"\x00\x16", last])
    assert len(answers) == 2
    # SND_NKE goes to the meter itself; then 1, then 0, and 0 again after the damaged answer.
    assert [frame[1] for frame in said] == [0x40, 0x7B, 0x5B, 0x5B]
    assert all(frame[2] == 1 for frame in said)
    assert connection.request(1).control == 0x7B
    assert connection.request(2).control == 0x7B


def test_pitfall_01_each_meter_has_its_own_bit() -> None:
    connection = Connection("master")
    conversation(mbus.read(connection, 1, Options(initialises=False)), [response("041301000000")])
    assert connection.request(1).control == 0x5B
    assert connection.request(2).control == 0x7B


@pytest.mark.parametrize(
    ("heard", "meaning"),
    [
        ([b"\xe5"], "one"),
        ([b"\xe5\xe5"], "several"),
        ([b"\x21\x84"], "several"),
        ([b"\xe4", b"\xe5"], "one"),
        ([b"\xe4", b"\xe4", b"\xe4"], "none"),
        ([None, None, None], "none"),
    ],
)
def test_pitfall_02_what_a_collision_looks_like(heard: list[bytes | None], meaning: str) -> None:
    connection = Connection("master")
    address = SecondaryAddress.parse("12345678")
    result, said = conversation(mbus.select(connection, address), heard)
    assert result == meaning
    assert said[0][4:7] == b"\x53\xfd\x52"
    assert said[0][7:15].hex() == "78563412ffffffff"


@pytest.mark.parametrize("control", [0x53, 0x73])
def test_pitfall_02_a_slave_is_selected_with_53_and_73(control: int) -> None:
    header = mbus.LongHeader("12345678", "PMX", 0xA7, 0x0D)
    slave = mbus.Slave(header, 5, lambda: [(0x72, bytes(header))])
    session = mbus.Bus([slave]).session()
    mask = bytes.fromhex("ffffff1fffffa7ff")
    assert session.answer(LongFrame(control, 253, 0x52, mask)) == b"\xe5"
    assert session.answer(ShortFrame(0x7B, 253))
    assert session.answer(LongFrame(control, 253, 0x52, b"\xff\xff\xff\x2f" + mask[4:])) == b""
    assert session.answer(ShortFrame(0x7B, 253)) == b""
    assert session.answer(LongFrame(control, 253, 0x52, mask)) == b"\xe5"
    assert session.answer(ShortFrame(0x40, 253)) == b"\xe5"
    assert session.answer(ShortFrame(0x40, 253)) == b""


def test_pitfall_03_line_settings_echo_and_time_outs() -> None:
    from polymeter.drivers import driver_named
    from polymeter.transports.urls import LINE_PARAMETERS

    assert driver_named("mbus").serial_line == (2400, 8, "E")
    assert mbus.Options.at_baud(300).answer_timeout_s > mbus.Options.at_baud(9600).answer_timeout_s > 0.05
    assert mbus.Options().answer_timeout_s >= 1.0
    assert "echo" in LINE_PARAMETERS  # taken out below the protocol, for every protocol alike


def test_pitfall_03_an_echoing_line_is_read_all_the_same() -> None:
    def echoing() -> Procedure[None]:
        answers = {0x40: b"\xe5", 0x7B: response("041301000000")}
        while data := (yield Receive(60.0)):
            yield Send(data + answers.get(data[1], b""))

    reading = mbus.read(Connection("master"), 1)
    (answer,) = run_simulated(EchoCanceller()(reading), echoing()).result
    assert answer.body.records[0].value == Decimal("0.001")


@pytest.mark.parametrize("baud", [300, 2400, 9600])
def test_pitfall_03_time_outs_of_a_rate_are_enough_for_an_answer_at_it(baud: int) -> None:
    """Both ends of the simulated line speak at the rate, and a long frame of 255 bytes takes its time."""
    data = bytes.fromhex("041301000000") * 39

    def slave() -> Procedure[None]:
        yield SetLine(baud, 8, "E")
        while heard := (yield Receive(60.0)):
            yield Pause(330 / baud + 0.05)  # the latest that the standard allows
            said = b"\xe5" if heard[1] == 0x40 else mbus.encode(LongFrame(8, 1, 0x72, HEADER + data))
            for byte in said:
                yield Send(bytes((byte,)))

    def master() -> Procedure[Any]:
        yield SetLine(baud, 8, "E")
        return (yield from mbus.read(Connection("master"), 1, Options.at_baud(baud)))

    (answer,) = run_simulated(master(), slave()).result
    assert len(answer.body.records) == 39


def test_pitfall_04_one_bad_record_does_not_lose_the_others() -> None:
    found = mbus.decode_records(bytes.fromhex("0413010000000c13eeeeeeee0413020000000c1301"))
    assert [record.value for record in found.records] == [Decimal("0.001"), "EEEEEEEE", Decimal("0.002")]
    assert found.broken
    assert found.problems[0].offset == 18
    many = "8b60" + "84" * 10 + "84" + "04" + "371802"
    found = mbus.decode_records(bytes.fromhex("041301000000" + many + "041302000000"))
    assert [record.value for record in found.records][::2] == [Decimal("0.001"), Decimal("0.002")]
    assert found.broken


def test_pitfall_05_letters_in_decimals() -> None:
    assert value("0c13785634f2") == Decimal("-2345.678")
    assert value("0c1378563ff2") == "F23F5678"
    assert value("0c13785634a2") == "A2345678"
    assert value("0a1300ff") == "FF00"


def test_pitfall_06_dates() -> None:
    assert value("046d1d0a3534") == datetime(2025, 4, 21, 10, 29)
    assert value("046d1d2a3534") == datetime(2025, 4, 21, 10, 29)
    assert value("046d1d4a3534") == datetime(2125, 4, 21, 10, 29)
    assert value("046d1d0a15a4") == datetime(2080, 4, 21, 10, 29)
    assert value("046d1d0a35a4") == datetime(1981, 4, 21, 10, 29)
    assert value("046dffffffff") is None
    assert value("046d1d0a353d") is None
    assert value("026cffff") is None
    assert value("026c0000") is None
    assert value("026c3d32") is None  # 29 February 2025
    assert value("026cfffc") == "*-12-31"
    assert value("026c2034") == "2025-04-*"
    assert value("026c3f30") == "2025-*-31"
    assert value("046d1e1f3534") == "2025-04-21 *:30"
    assert value("026c3534") == date(2025, 4, 21)
    assert value("066d1e1d4a353411") == datetime(2025, 4, 21, 10, 29, 30)
    assert value("066d1e1d5f353411") == "2025-04-21 *:29:30"
    assert value("066d3f3f1f353411") == "2025-04-21 *:*:*"
    assert value("066d1e1d4ae1f111") == "*-01-01 10:29:30"
    assert value("066d3d1d4a353411") is None
    assert value("066d000000000000") is None
    assert value("036d1e1d0a") == time(10, 29, 30)
    assert value("036d001e1f") == "*:30:00"
    assert value("036dffffff") is None
    winter, summer = value("046d1e023a3a"), value("046d1e823a3a")
    assert isinstance(winter, datetime)
    assert isinstance(summer, datetime)
    assert (winter.fold, summer.fold) == (1, 0)


@pytest.mark.parametrize("doubted", ["046d9d0a3534", "066d1e9d4a353411"])
def test_pitfall_06_a_time_that_the_meter_doubts_is_told_with_its_doubt(doubted: str) -> None:
    found = mbus.decode_records(bytes.fromhex("041301000000" + doubted))
    assert [problem.message for problem in found.problems] == ["the meter says of time: not valid"]
    volume, clock = found.records
    assert isinstance(clock.value, datetime)
    assert clock.value.replace(second=0, fold=0) == datetime(2025, 4, 21, 10, 29)
    assert (volume.time, found.broken) == (None, False)
    (sure,) = mbus.decode_records(bytes.fromhex("046d1d0a3534")).records
    assert sure.time == datetime(2025, 4, 21, 10, 29)
    assert value("046d80000000") is None
    assert value("066d008000000000") is None


def test_pitfall_07_extensions() -> None:
    assert value("0493ff7401000000") == Decimal("0.001")
    assert value("04937401000000") == Decimal("0.00001")
    assert value("04937d01000000") == 1
    limit, duration, count = records("04be480100000004be580100000004be4901000000")
    assert (limit.name, limit.unit) == ("volume_flow.upper_limit", "m3/h")
    assert (duration.quantity, duration.unit) == ("duration", "s")
    assert (count.quantity, count.unit) == ("limit exceeds", None)
    for unknown in ("04ef0101000000", "046f01000000", "04fdfd7701000000", "0493fc7701000000"):
        (record,) = records(unknown)
        assert (record.quantity, record.value, record.raw.hex()) == ("unknown", 1, unknown)


def test_a_reserved_error_code_is_told_and_the_value_stays() -> None:
    found = mbus.decode_records(bytes.fromhex("04930801000000"))
    assert [(record.name, record.value, record.unit) for record in found.records] == [
        ("volume", Decimal("0.001"), "m3")
    ]
    assert "code 08, which is reserved" in found.problems[0].message
    assert not found.broken


def test_pitfall_08_the_exponent_applies_to_reals() -> None:
    assert value("051300008040") == Decimal("0.004")


def test_pitfall_09_plain_text_units() -> None:
    for data in ("02fc74034852251902", "02fc03485225741902"):
        (record,) = records(data)
        assert (record.value, record.unit) == (Decimal("5.37"), "%RH")


def test_pitfall_10_variable_lengths() -> None:
    assert [mbus.variable_size(kind) for kind in (0xC4, 0xD4, 0xE4)] == [4, 4, 4]
    assert [mbus.variable_size(kind) for kind in (0xF0, 0xF4, 0xF5, 0xF6, 0xF7)] == [16, 32, 48, 64, None]
    assert value("0d13c478563412") == Decimal("12345.678")
    assert value("0d13d478563412") == Decimal("-12345.678")


def test_pitfall_11_ci_73_is_the_fixed_structure_on_wire() -> None:
    data = bytes.fromhex("93919291010005693165000069000000")
    (frame,) = mbus.decode(mbus.encode(LongFrame(8, 1, 0x73, data)))
    assert [(record.value, record.unit) for record in frame.records] == [(6531, "kWh"), (69, "l")]
    assert frame.meter.id == "91929193"


def test_pitfall_19_integers_are_signed() -> None:
    assert value("0166ff") == Decimal("-0.1")
    assert value("0213ffff") == Decimal("-0.001")
    assert value("0713ffffffffffffffff") == Decimal("-0.001")
    # Only where the code or an extension says otherwise are they not.
    assert value("01fd17ff") == 255
    assert value("02fd0effff") == 65535
    assert value("01fb1aff") == Decimal("25.5")
    assert value("0193fc11ff") == Decimal("0.255")
    assert value("017afa") == 250


def test_pitfall_20_opaque_bytes_stay_in_frame_order() -> None:
    (frame,) = decode_frames(response("0dfd16e4deadbeef0fcafe00").hex(), "mbus")
    shown = [reading["value"] for reading in frame.as_dict()["readings"]]
    assert shown == ["deadbeef", "cafe00"]
    assert json.loads(json.dumps(frame.as_dict()))


def test_a_late_frame_of_another_meter_is_refused() -> None:
    from polymeter.protocols.wire import RemoteProtocolError

    other = mbus.encode(LongFrame(8, 2, 0x78, b""))
    with pytest.raises(RemoteProtocolError, match="meter 2 answers in place of 1"):
        conversation(mbus.read(Connection("master"), 1), [b"\xe5", other])


def test_a_silent_meter_times_out_after_repeats() -> None:
    said: list[bytes] = []

    def line() -> Procedure[None]:
        while data := (yield Receive(600.0)):
            said.append(data)

    with pytest.raises(TimedOut):
        run_simulated(mbus.read(Connection("master"), 1, Options(initialises=False)), line())
    assert len(said) == 3
    assert len(set(said)) == 1
