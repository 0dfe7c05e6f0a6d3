"""What single lines say, and that remembering them changes nothing."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import p1
from polymeter.protocols.p1.lines import CLOCK, read_line
from polymeter.protocols.wire import Record, RemoteProtocolError

pieces = st.sampled_from(
    ["1-0:1.8.0", "0-0:1.0.0", "0-1:24.3.0", "0-1:24.2.1", "1-0:99.97.0", "0-0:98.1.0", "0-0:96.1.1", "x",
     "(", ")", "(1)", "(000001.500*kWh)", "(260701120000S)", "(0-0:96.7.19)", "(m3)", "()", "*", " ", "(60)"]
)  # fmt: skip
lines_of = st.tuples(st.lists(pieces, max_size=14).map("".join), st.sampled_from(["\r\n", "\n"])).map("".join)


@given(st.lists(lines_of.filter(lambda line: not line.startswith("(")), max_size=8))
def test_a_line_says_the_same_alone_and_among_others(lines: list[str]) -> None:
    alone = [
        (record.name, record.value, record.raw)
        for line in lines
        for record in read_line(line.encode("ascii")).records
    ]
    data = "".join(lines).encode("ascii")
    together = p1.records(data, strict=False)
    assert [(record.name, record.value, record.raw) for record in together] == alone
    assert together == p1.records(data, strict=False)  # remembered by now


@given(st.lists(lines_of, max_size=8).map("".join).map(str.encode))
def test_every_record_knows_its_bytes(data: bytes) -> None:
    for record in p1.records(data, 5, strict=False):
        assert data[record.offset - 5 :].startswith(record.raw)


def test_a_line_knows_nothing_of_its_telegram() -> None:
    (record,) = read_line(b"1-0:1.8.0(000001.500*kWh)\r\n").records
    assert (record.value, record.unit, record.obis) == (Decimal("1.500"), "kWh", "1-0:1.8.0*255")
    assert record.time is CLOCK
    assert (record.offset, record.layer, record.raw) == (0, 0, b"1-0:1.8.0(000001.500*kWh)")


def test_the_same_line_has_the_time_of_each_telegram() -> None:
    line = b"1-0:1.8.0(000001.500*kWh)\r\n"
    for second in ("00", "01"):
        clock, energy = p1.records(f"\r\n0-0:1.0.0(2607011200{second}S)\r\n".encode() + line)
        assert energy.time == clock.value == datetime(2026, 7, 1, 12, 0, int(second))
    (energy,) = p1.records(line)
    assert energy.time is None


def test_the_values_of_an_old_sub_meter_may_stand_on_the_next_line() -> None:
    head = b"0-1:24.3.0(260701110000)(00)(60)(2)(0-1:24.2.1)(m3)(0-1:24.2.2)(GJ)"
    for between in (b"", b"\r\n", b"\n", b"\r\n\r\n"):
        volume, energy = read_line(head + between + b"(00012.345)(1.5)\r\n").records
        assert (volume.obis, volume.value, volume.unit) == ("0-1:24.2.1*255", Decimal("12.345"), "m3")
        assert (energy.obis, energy.value, energy.unit) == ("0-1:24.2.2*255", Decimal("1.5"), "GJ")
        assert volume.time == energy.time == datetime(2026, 7, 1, 11)
    each = read_line(head + b"\r\n(00012.345)\r\n(1.5)\r\n").records
    assert [record.obis for record in each] == ["0-1:24.2.1*255", "0-1:24.2.2*255"]


def test_a_value_too_many_has_no_column() -> None:
    line = b"0-1:24.3.0(260701110000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00012.345)(77)\r\n"
    _, surplus = read_line(line).records
    assert (surplus.name, surplus.value, surplus.obis) == ("", 77, None)


@pytest.mark.parametrize(
    ("line", "odd", "names"),
    [
        (b"\r\n", None, []),
        (b"  \r\n", None, []),
        (b"free text\r\n", 0, [""]),
        (b"1-0:1.8.0(1)free text\r\n", 12, ["1-0:1.8.0"]),
        (b"1-0:1.8.0(1\r\n", 0, [""]),
        (b"1-0:1.8.0(1)(2)(\r\n", 15, ["1-0:1.8.0", "1-0:1.8.0/2"]),
    ],
)
def test_what_is_no_data_set_has_its_place(line: bytes, odd: int | None, names: list[str]) -> None:
    read = read_line(line)
    assert read.odd == odd
    assert [record.name for record in read.records] == names


def test_a_line_that_is_refused_leaves_those_before_it() -> None:
    found: list[Record] = []
    with pytest.raises(RemoteProtocolError, match="'free text' is no data set") as raised:
        p1.records(b"1-0:1.8.0(1)\r\n1-0:2.8.0(2)free text\r\n", 100, 1, into=found)
    assert [record.value for record in found] == [1, 2]
    assert (raised.value.offset, raised.value.layer) == (100 + 14 + 12, 1)
