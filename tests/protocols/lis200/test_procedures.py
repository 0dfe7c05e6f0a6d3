"""Locks, objects and archives against a device, and against scripts that misbehave."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Identification,
    Repeat,
    encode,
)
from polymeter.protocols.lis200 import (
    CLOCK,
    CUSTOMER,
    SUPPLIER,
    Archive,
    Connection,
    Meter,
    Object,
    Options,
    Refusal,
    break_session,
    close_lock,
    count_rows,
    is_open,
    open_lock,
    read,
    read_archive,
    read_clock,
    read_columns,
    read_last,
    read_unit,
    read_zone,
    serve,
    set_clock,
    sign_on,
    start_programming,
    write,
)
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.transports.simulated import run_simulated
from tests.conversations import Shell, each_shell

QUICK = Options(answer_timeout_s=1, repeats=2)
COLUMNS = (("1:160", ""), ("1:161", ""), ("00001:00400", ""), ("2:300", "m3"))
ROWS = [(str(n), str(n + 100), f"2026-01-{n:02d},06:00:00", f"{n}.5") for n in range(1, 26)]


class Device:
    """A device with a remark that can be written, a clock and an archive."""

    def __init__(self, rows: list[tuple[str, ...]] | None = None, reads_locked: bool = False) -> None:
        self.values = {"1:400": "2026-01-31,12:00:00", "1:1C1": "-"}
        self.rows = ROWS if rows is None else rows
        self.meter = Meter(
            Identification("PMx", "5", "GVC"),
            {
                "2:300": Object(lambda: "123.4567", "m3", "volume"),
                "5:310": Object(lambda: "0.98", description="factor"),
                "1:400": Object(lambda: self.values["1:400"], write=self._writer("1:400"), lock=SUPPLIER),
                "1:1C1": Object(lambda: self.values["1:1C1"], write=self._writer("1:1C1"), lock=CUSTOMER),
            },
            {3: Archive(COLUMNS, lambda: self.rows)},
            {SUPPLIER: "s3cret", CUSTOMER: "0"},
            reads_locked=reads_locked,
        )

    def _writer(self, name: str) -> Callable[[str], bool]:
        def take(value: str) -> bool:
            if len(value) > 20:
                return False
            self.values[name] = value
            return True

        return take


def session(*calls: Callable[[Connection], Procedure[Any]]) -> Procedure[list[Any]]:
    connection = Connection("reader")
    identification = yield from sign_on(connection, QUICK)
    yield from start_programming(connection, identification, QUICK)
    results = []
    for call in calls:
        results.append((yield from call(connection)))  # noqa: PERF401 - it yields
    yield from break_session(connection)
    return results


def done(*calls: Callable[[Connection], Procedure[Any]], device: Device | None = None) -> list[Any]:
    found = device if device is not None else Device()
    return run_simulated(session(*calls), serve(found.meter)).result


@each_shell
def test_an_object_is_read_with_its_unit(shell: Shell) -> None:
    (answer, unit) = shell(
        session(lambda c: read(c, "2:300.0"), lambda c: read_unit(c, "2:300")), serve(Device().meter)
    )
    assert (answer.value, answer.unit) == ("123.4567", "m3")
    assert unit == "m3"


def test_an_object_may_have_no_unit() -> None:
    assert done(lambda c: read_unit(c, "5:310")) == [None]
    assert done(lambda c: read_unit(c, "5:999")) == [None]


@pytest.mark.parametrize(("address", "number"), [("9:999", 2), ("7:300", 3), ("2:300.5", 5), ("2:300.A", 4)])
def test_a_refusal_is_an_answer_with_its_number(address: str, number: int) -> None:
    assert done(lambda c: read(c, address)) == [Refusal(number)]


# locks


@each_shell
def test_a_lock_is_opened_asked_and_closed(shell: Shell) -> None:
    results = shell(
        session(
            lambda c: is_open(c, CUSTOMER),
            lambda c: open_lock(c, CUSTOMER, "0"),
            lambda c: is_open(c, CUSTOMER),
            lambda c: close_lock(c, CUSTOMER),
            lambda c: is_open(c, CUSTOMER),
        ),
        serve(Device().meter),
    )
    assert results == [False, None, True, None, False]


def test_a_wrong_code_is_denied_in_words() -> None:
    with pytest.raises(AccessDenied, match=r"lock 3: .*wrong access code \(#0017\)"):
        done(lambda c: open_lock(c, SUPPLIER, "guess"))


def test_a_lock_that_is_not_there_is_denied() -> None:
    with pytest.raises(AccessDenied, match="not available"):
        done(lambda c: open_lock(c, 9, "0"))
    assert done(lambda c: is_open(c, 9)) == [Refusal(2)]


def test_reading_too_may_need_an_open_lock() -> None:
    device = Device(reads_locked=True)
    before, _, after = done(
        lambda c: read(c, "2:300"),
        lambda c: open_lock(c, CUSTOMER, "0"),
        lambda c: read(c, "2:300"),
        device=device,
    )
    assert before == Refusal(18)
    assert after.value == "123.4567"


def test_a_higher_lock_writes_what_a_lower_one_may_and_not_the_other_way() -> None:
    assert done(lambda c: write(c, "1:1C1", "x")) == [Refusal(19)]
    assert done(lambda c: open_lock(c, CUSTOMER, "0"), lambda c: write(c, "1:1C1", "x"))[1] is None
    assert done(lambda c: open_lock(c, SUPPLIER, "s3cret"), lambda c: write(c, "1:1C1", "x"))[1] is None
    assert done(lambda c: open_lock(c, CUSTOMER, "0"), lambda c: write(c, CLOCK, "x"))[1] == Refusal(19)


def test_an_open_lock_is_left_alone() -> None:
    """Its code object would take what it is given for a new code."""
    device = Device()
    results = done(
        lambda c: open_lock(c, CUSTOMER, "0"),
        lambda c: open_lock(c, CUSTOMER, "guess"),
        lambda c: is_open(c, CUSTOMER),
        device=device,
    )
    assert results == [None, None, True]
    assert device.meter.codes[CUSTOMER] == "0"


def test_a_code_is_changed_by_whoever_writes_it_on_purpose() -> None:
    device = Device()
    changed = [lambda c: open_lock(c, CUSTOMER, "0"), lambda c: write(c, "4:171", "new")]
    assert done(*changed, device=device) == [None, None]
    with pytest.raises(AccessDenied, match="wrong access code"):
        done(lambda c: open_lock(c, CUSTOMER, "0"), device=device)
    assert done(lambda c: open_lock(c, CUSTOMER, "new"), device=device) == [None]


@pytest.mark.parametrize("state", ["(#0018)", "4:170.0()", "4:170.0(0)", "4:170.0(000)"])
def test_a_lock_whose_state_is_not_told_is_opened(state: str) -> None:
    assert answered(lambda c: open_lock(c, CUSTOMER, "0", QUICK), data(state), encode(Acknowledge())) is None


def test_locks_are_closed_again_in_the_next_session() -> None:
    device = Device()
    done(lambda c: open_lock(c, CUSTOMER, "0"), device=device)
    assert done(lambda c: is_open(c, CUSTOMER), device=device) == [False]


@pytest.mark.parametrize(
    ("address", "value", "number"), [("2:300", "1", 9), ("1:1C1", "x" * 21, 6), ("8:888", "1", 2)]
)
def test_a_write_that_is_refused_says_why(address: str, value: str, number: int) -> None:
    assert done(lambda c: open_lock(c, CUSTOMER, "0"), lambda c: write(c, address, value))[1] == Refusal(
        number
    )


def test_the_clock_is_read_and_set() -> None:
    later = datetime(2027, 2, 3, 4, 5, 6)
    before, _, refused, after = done(
        read_clock, lambda c: open_lock(c, SUPPLIER, "s3cret"), lambda c: set_clock(c, later), read_clock
    )
    assert (before, refused, after) == (datetime(2026, 1, 31, 12), None, later)


def test_a_clock_that_is_none_is_the_devices_fault() -> None:
    device = Device()
    device.values["1:400"] = "half past"
    with pytest.raises(RemoteProtocolError, match="half past"):
        done(read_clock, device=device)


# archives


@each_shell
@pytest.mark.parametrize("rows_per_block", [None, 1, 4, 100])
def test_an_archive_is_read_by_date(shell: Shell, rows_per_block: int | None) -> None:
    (rows,) = shell(
        session(
            lambda c: read_archive(
                c, 3, 3, datetime(2026, 1, 3), datetime(2026, 1, 12), QUICK, rows_per_block
            )
        ),
        serve(Device().meter),
    )
    assert [row.time for row in rows] == [datetime(2026, 1, day, 6) for day in range(3, 12)]
    assert [(cell.column.name, cell.column.unit) for cell in rows[0].cells][2:] == [
        ("1:400", None),
        ("2:300", "m3"),
    ]


def test_an_archive_is_read_by_offset() -> None:
    (rows,) = done(lambda c: read_archive(c, 3, 2, 110, 112, QUICK))
    assert [row.cells[1].data_set.value for row in rows] == ["110", "111", "112"]


def test_an_open_range_gives_all() -> None:
    (rows,) = done(lambda c: read_archive(c, 3, 1, None, None, QUICK))
    assert len(rows) == len(ROWS)


@pytest.mark.parametrize(("start", "end"), [(500, None), (None, 0), (500, 600)])
def test_a_range_without_rows_gives_none(start: int | None, end: int | None) -> None:
    assert done(lambda c: read_archive(c, 3, 1, start, end, QUICK)) == [[]]


def test_an_empty_archive_gives_no_rows() -> None:
    assert done(lambda c: read_archive(c, 3, 1, None, None, QUICK), device=Device(rows=[])) == [[]]
    assert done(lambda c: count_rows(c, 3, 1, None, None, QUICK), device=Device(rows=[])) == [0]


def test_an_archive_or_position_that_is_not_there_is_refused() -> None:
    assert done(lambda c: read_archive(c, 9, 1, None, None, QUICK)) == [Refusal(100)]
    assert done(lambda c: read_archive(c, 3, 9, None, None, QUICK)) == [Refusal(101)]
    assert done(lambda c: read_columns(c, 9, QUICK)) == [Refusal(100)]


def test_rows_are_counted_without_reading_them() -> None:
    assert done(lambda c: count_rows(c, 3, 1, 5, 9, QUICK)) == [5]


def test_columns_that_are_known_are_not_asked_for_again() -> None:
    asked = []

    def count(connection: Connection) -> Procedure[Any]:
        known = yield from read_columns(connection, 3, QUICK)
        asked.append(known)
        return (yield from read_archive(connection, 3, 1, 1, 2, QUICK, known=known))

    (rows,) = done(count)
    assert len(rows) == 2
    assert asked[0] == tuple(cell.column for cell in rows[0].cells)


@pytest.mark.parametrize(
    ("days", "expected"), [(1, [24, 25]), (3, [22, 23, 24, 25]), (365, list(range(1, 26)))]
)
def test_the_last_rows_are_those_since_the_devices_clock(days: int, expected: list[int]) -> None:
    device = Device()
    device.values["1:400"] = "2026-01-25,06:00:00"
    (rows,) = done(lambda c: read_last(c, 3, timedelta(days=days), 3, QUICK), device=device)
    assert [row.time.day for row in rows] == expected


def test_the_last_rows_of_a_device_without_rows_clock_or_archive() -> None:
    assert done(lambda c: read_last(c, 3, timedelta(1)), device=Device(rows=[])) == [[]]
    assert done(lambda c: read_last(c, 9, timedelta(1))) == [Refusal(100)]
    with pytest.raises(LocalProtocolError, match="calendar"):
        done(lambda c: read_last(c, 3, timedelta(days=1_000_000)))
    assert answered(lambda c: read_last(c, 3, timedelta(1)), data("(#0002)")) == Refusal(2)


def test_the_zone_is_in_minutes() -> None:
    assert answered(read_zone, data("1:40F.0(-90*min)")) == timezone(timedelta(minutes=-90))
    assert answered(read_zone, data("(#0002)")) == Refusal(2)
    with pytest.raises(RemoteProtocolError, match="minutes ahead"):
        answered(read_zone, data("1:40F.0(UTC)"))


# scripts that misbehave


def scripted(*answers: bytes) -> Procedure[None]:
    yield Receive(60)
    yield Send(encode(Identification("PMx", "5", "X")))
    yield Receive(60)
    yield Send(encode(Command("P0", "(1)")))
    for answer in answers:
        yield Receive(60)
        if answer:
            yield Send(answer)
    while (yield Receive(60)):
        pass


def answered(call: Callable[[Connection], Procedure[Any]], *answers: bytes) -> Any:
    return run_simulated(session(call), scripted(*answers)).result[0]


def data(text: str) -> bytes:
    return encode(DataMessage(text))


@pytest.mark.parametrize("echoed", ["2:300.2(7)", "7-2:300.2(7)", "00002:00300.0(7)", "(7)"])
def test_an_answer_may_name_its_object_in_other_ways(echoed: str) -> None:
    assert answered(lambda c: read(c, "2:300.0", QUICK), data(echoed)).value == "7"


@pytest.mark.parametrize("echoed", ["4:300.0(7)", "2:301.0(7)", "1.8.0(7)", "nonsense(7)"])
def test_an_answer_about_another_object_is_never_a_value(echoed: str) -> None:
    with pytest.raises(RemoteProtocolError):
        answered(lambda c: read(c, "2:300.0", QUICK), data(echoed))


def test_an_empty_answer_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="empty"):
        answered(lambda c: read(c, "2:300.0", QUICK), data(""))


def test_blocks_without_line_ends_are_rows_of_their_own() -> None:
    blocks = [
        encode(DataMessage("(1)(a)", more=True)),
        encode(DataMessage("(2)(b)", more=True)),
        data("(3)(c)"),
    ]
    rows = answered(lambda c: read_archive(c, 3, 1, None, None, QUICK, known=()), *blocks)
    assert [[cell.data_set.value for cell in row.cells] for row in rows] == [
        ["1", "a"],
        ["2", "b"],
        ["3", "c"],
    ]


def test_a_damaged_block_is_asked_for_again() -> None:
    first = encode(DataMessage("(1)", more=True))
    rows = answered(
        lambda c: read_archive(c, 3, 1, None, None, QUICK, known=()), first[:-1] + b"\x00", first, data("(2)")
    )
    assert len(rows) == 2


def test_silence_ends_the_wait() -> None:
    with pytest.raises(TimedOut):
        answered(lambda c: read(c, "2:300", QUICK), b"", b"", b"")


def test_silence_between_blocks_begins_the_archive_anew_and_ends_in_the_end() -> None:
    part = encode(DataMessage("(1)", more=True))
    read_all = lambda c: read_archive(c, 3, 1, None, None, QUICK, known=())  # noqa: E731
    assert len(answered(read_all, part, b"", part, data("(2)"))) == 2
    with pytest.raises(TimedOut):
        answered(read_all, *[part, b""] * 3)


def test_a_clock_that_is_refused_is_an_answer() -> None:
    assert answered(read_clock, data("(#0018)")) == Refusal(18)


def test_a_request_that_is_never_understood_is_told() -> None:
    with pytest.raises(RemoteProtocolError, match="does not understand"):
        answered(lambda c: read(c, "2:300", QUICK), *[encode(Repeat())] * 3)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(encode(Acknowledge()), None), (data("(#0019)"), Refusal(19)), (data("(#9999)"), Refusal(9999))],
)
def test_a_write_is_acknowledged_or_refused(answer: bytes, expected: Refusal | None) -> None:
    assert answered(lambda c: write(c, "1:1C1", "x", QUICK), answer) == expected


def test_a_write_that_is_not_understood_is_a_refusal() -> None:
    assert answered(lambda c: write(c, "1:1C1", "x", QUICK), *[encode(Repeat())] * 3) == Refusal(200)


def test_a_write_answered_otherwise_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError):
        answered(lambda c: write(c, "1:1C1", "x", QUICK), data("1:1C1.0(x)"))
    with pytest.raises(RemoteProtocolError):
        answered(lambda c: write(c, "1:1C1", "x", QUICK), encode(Command("P0", "()")))
    with pytest.raises(AccessDenied, match="ends the session"):
        answered(lambda c: write(c, "1:1C1", "x", QUICK), encode(Break()))


@pytest.mark.parametrize("text", ["(x)", "()", "(1234567890)", "(²)"])
def test_a_count_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        answered(lambda c: count_rows(c, 3, 1, None, None, QUICK), data(text))
