"""What messages say about values, times and meters."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, Element
from polymeter.protocols.sml.readings import identity, instant, object_name, scaled, unit_text
from polymeter.protocols.wire import MeterIdentity, Record

SERVER = b"\x0a\x01PMX\x00\x00\x00\x00\x01"
ENERGY = b"\x01\x00\x01\x08\x00\xff"
POWER = b"\x01\x00\x10\x07\x00\xff"
AT = 1769882400
WHEN = datetime(2026, 1, 31, 18, tzinfo=UTC)
WH, W = sml.unsigned(30, 1), sml.unsigned(27, 1)


def scaler(power: int) -> Element:
    return sml.integer(power, 1)


def records(name: str, *fields: Element) -> list[Record]:
    message = sml.Message(b"1", 0, 0, sml.TAGS[name], sml.listing(*fields))
    explained, plain = (
        sml.decode(sml.Connection().send([message]), explain=explain)[0] for explain in (True, False)
    )
    assert explained.valid, explained.errors
    assert explained.records == plain.records
    return list(plain.records)


def listed(*entries: Element, time: Element = ABSENT) -> list[Record]:
    fields = (ABSENT, sml.octets(SERVER), ABSENT, time, sml.listing(*entries), ABSENT, ABSENT)
    return records("GetList.Res", *fields)


def entry(value: Element, unit: Element = ABSENT, power: Element = ABSENT, time: Element = ABSENT) -> Element:
    return sml.listing(sml.octets(ENERGY), ABSENT, time, unit, power, value, ABSENT)


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-128, 127))
def test_a_scaled_value_is_exact(value: int, power: int) -> None:
    found = Decimal(scaled(value, power))
    sign, digits, exponent = found.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits))) * (-1 if sign else 1)
    assert whole * 10 ** (exponent + 128) == value * 10 ** (power + 128)


def test_a_value_without_a_scaler_is_the_number() -> None:
    assert scaled(5, None) == 5
    assert isinstance(scaled(5, 0), int)


def test_a_timestamp_is_an_instant_and_a_seconds_index_is_none() -> None:
    assert instant(sml.timestamp(AT)) == WHEN
    assert instant(sml.sec_index(AT)) is None
    assert instant(sml.unsigned(5, 4)) is None
    assert instant(sml.octets(None)) is None


def local(second: int, *offsets: int) -> Element:
    parts = (sml.unsigned(second, 4), *(sml.integer(offset, 2) for offset in offsets))
    return sml.listing(sml.unsigned(3, 1), sml.listing(*parts))


def test_a_local_timestamp_shows_its_offset() -> None:
    found = instant(local(AT, 60, 60))
    assert found == WHEN
    assert found is not None
    assert found.utcoffset() == timedelta(hours=2)
    west = instant(local(AT, -300, 60))
    assert west is not None
    assert west.utcoffset() == timedelta(hours=-4)


def test_an_impossible_time_is_no_instant() -> None:
    assert instant(local(1, 1500, 0)) is None
    assert instant(sml.listing(sml.unsigned(2, 1), sml.unsigned(2**40, 8))) is None
    assert instant(sml.listing(sml.unsigned(2, 1), sml.integer(-1, 4))) is None


def test_an_object_is_named_by_its_code() -> None:
    assert object_name(ENERGY) == ("1-0:1.8.0*255", "1-0:1.8.0*255")
    assert object_name(b"\x01\x02") == ("0102", None)
    assert object_name(b"") == ("", None)


def test_a_unit_is_that_of_cosem() -> None:
    assert [unit_text(code) for code in (27, 30, 255, 200, None)] == ["W", "Wh", None, None, None]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (sml.unsigned(12345, 4), Decimal("1234.5")),
        (sml.integer(-12345, 2), Decimal("-1234.5")),
        (sml.octets(b"PMX"), b"PMX"),
        (sml.boolean(True), 1),
        (sml.boolean(False), 0),
        (ABSENT, None),
        (sml.listing(sml.unsigned(1, 1), sml.timestamp(AT)), WHEN),
        (sml.listing(sml.unsigned(1, 1), sml.sec_index(77)), 77),
        (sml.timestamp(AT), WHEN),
        (sml.listing(sml.unsigned(1, 1), sml.unsigned(5, 4)), 5),
        (sml.listing(sml.unsigned(9, 1), sml.octets(b"x")), bytes.fromhex("7262090278")),
    ],
)
def test_a_value_of_every_kind(value: Element, shown: object) -> None:
    (record,) = listed(entry(value, WH, scaler(-1)))
    assert record.value == shown
    assert record.unit == "Wh"
    assert record.raw == sml.encode_element(value)


def test_an_entry_has_its_own_time_or_the_lists() -> None:
    one = sml.unsigned(1, 1)
    own, index, none = listed(
        entry(one, time=sml.timestamp(AT + 60)),
        entry(one, time=sml.sec_index(5)),
        entry(one),
        time=sml.timestamp(AT),
    )
    assert own.time == WHEN + timedelta(minutes=1)
    assert index.time == none.time == WHEN
    assert [record.time for record in listed(entry(one), time=sml.sec_index(AT))] == [None]


def test_an_entry_that_is_absent_is_none() -> None:
    assert len(listed(entry(sml.unsigned(1, 1)), ABSENT, entry(sml.unsigned(2, 1)))) == 2


def test_the_entries_of_a_profile_list_have_its_time() -> None:
    period = sml.listing(sml.octets(ENERGY), WH, scaler(2), sml.unsigned(7, 1), ABSENT)
    found = records(
        "GetProfileList.Res", sml.octets(SERVER), sml.timestamp(AT + 900), sml.unsigned(900, 4),
        sml.listing(sml.octets(ENERGY)), sml.timestamp(AT), sml.unsigned(0, 8), sml.listing(period, ABSENT),
        ABSENT, ABSENT,
    )  # fmt: skip
    assert [(one.obis, one.value, one.unit, one.time) for one in found] == [
        ("1-0:1.8.0*255", Decimal("7E+2"), "Wh", WHEN)
    ]


def test_the_rows_of_a_profile_pack_stand_under_its_headings() -> None:
    headings = sml.listing(
        sml.listing(sml.octets(ENERGY), WH, scaler(0)), sml.listing(sml.octets(POWER), W, scaler(-1))
    )

    def row(minute: int, *values: int) -> Element:
        cells = (sml.listing(sml.unsigned(value, 2), ABSENT) for value in values)
        return sml.listing(sml.timestamp(AT + 60 * minute), sml.unsigned(0, 8), sml.listing(*cells), ABSENT)

    found = records(
        "GetProfilePack.Res", sml.octets(SERVER), ABSENT, sml.unsigned(900, 4), sml.listing(), headings,
        sml.listing(row(0, 10, 20), ABSENT, row(15, 11), row(30, 12, 22, 99)), ABSENT, ABSENT,
    )  # fmt: skip
    assert [(one.obis, str(one.value), one.unit) for one in found] == [
        ("1-0:1.8.0*255", "10", "Wh"), ("1-0:16.7.0*255", "2.0", "W"), ("1-0:1.8.0*255", "11", "Wh"),
        ("1-0:1.8.0*255", "12", "Wh"), ("1-0:16.7.0*255", "2.2", "W"), (None, "99", None),
    ]  # fmt: skip
    assert [one.time for one in found if one.obis == "1-0:1.8.0*255"] == [
        WHEN, WHEN + timedelta(minutes=15), WHEN + timedelta(minutes=30),
    ]  # fmt: skip


def tree(name: bytes, value: Element = ABSENT, *children: Element) -> Element:
    return sml.listing(sml.octets(name), value, sml.listing(*children) if children else ABSENT)


def choice(tag: int, value: Element) -> Element:
    return sml.listing(sml.unsigned(tag, 1), value)


def parameters(root: Element) -> list[Record]:
    return records("GetProcParameter.Res", sml.octets(SERVER), sml.listing(), root)


def test_a_parameter_is_named_by_the_path_that_leads_to_it() -> None:
    one, two, three = parameters(
        tree(
            b"\x81\x81\xc7\x81\x01\xff", choice(1, sml.unsigned(1, 1)),
            tree(b"A", ABSENT, tree(b"B", choice(1, sml.octets(b"text")))),
            tree(ENERGY, choice(1, sml.boolean(True))),
        )
    )  # fmt: skip
    assert [record.name for record in (one, two, three)] == [
        "129-129:199.129.1*255",
        "129-129:199.129.1*255/41/42",
        "129-129:199.129.1*255/1-0:1.8.0*255",
    ]
    assert [record.value for record in (one, two, three)] == [1, b"text", 1]
    assert [record.obis for record in (one, two, three)] == ["129-129:199.129.1*255", None, "1-0:1.8.0*255"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (choice(1, sml.integer(-5, 1)), (-5, None, None)),
        (
            choice(2, sml.listing(sml.octets(ENERGY), WH, scaler(1), sml.unsigned(7, 1), ABSENT)),
            (Decimal("7E+1"), "Wh", None),
        ),
        (choice(4, sml.timestamp(AT)), (WHEN, None, None)),
        (choice(4, sml.sec_index(5)), (5, None, None)),
        (
            choice(5, entry(sml.unsigned(7, 1), WH, scaler(1), sml.timestamp(AT))),
            (Decimal("7E+1"), "Wh", WHEN),
        ),
        (choice(9, sml.listing(sml.unsigned(1, 1))), (b"\x71\x62\x01", None, None)),
        (choice(1, ABSENT), (None, None, None)),
    ],
)
def test_a_parameter_of_every_kind(value: Element, shown: tuple[object, str | None, datetime | None]) -> None:
    (record,) = parameters(tree(b"A", value))
    assert (record.value, record.unit, record.time) == shown


def test_a_tuple_entry_gives_its_six_registers() -> None:
    def quarter(first: int) -> tuple[Element, ...]:
        numbers = (sml.integer(first + index, 8) for index in range(3))
        return tuple(part for number in numbers for part in (WH, scaler(-1), number))

    entry_of_all = sml.listing(
        sml.octets(SERVER),
        sml.timestamp(AT),
        sml.unsigned(0, 8),
        *quarter(10),
        sml.octets(b"s"),
        *quarter(20),
        ABSENT,
    )
    found = parameters(tree(b"A", choice(3, entry_of_all)))
    assert [(record.name, str(record.value)) for record in found] == [
        ("41/pA", "1.0"), ("41/R1", "1.1"), ("41/R4", "1.2"),
        ("41/mA", "2.0"), ("41/R2", "2.1"), ("41/R3", "2.2"),
    ]  # fmt: skip
    assert {(record.unit, record.time, record.obis) for record in found} == {("Wh", WHEN, None)}


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("0a01504d580012345678", ("PMX", "electricity", None, "1PMX00305419896")),
        ("0901504d580000000001", ("PMX", "electricity", None, "1PMX0000000001")),
        ("0a07504d580000000001", ("PMX", "gas", None, "7PMX0000000001")),
        ("06504d58010271582051", ("PMX", "electricity", None, None)),
        ("01b84178563412" + "0702", ("PMX", "electricity", 7, "12345678")),
        ("01b84178563412" + "0703", ("PMX", "gas", 7, "12345678")),
        ("3032323830383136", (None, None, None, None)),
        ("0a0131323300000000ff", (None, None, None, None)),
        ("ff", (None, None, None, None)),
    ],
)
def test_a_server_id_names_the_manufacturer(server: str, expected: tuple[object, ...]) -> None:
    found = sml.server_identity(bytes.fromhex(server))
    manufacturer, medium, version, identification = expected
    assert found == MeterIdentity(server, manufacturer, medium, version, identification=identification)  # type: ignore[arg-type]


def test_a_value_may_name_the_manufacturer_where_the_server_id_does_not() -> None:
    named = [Record("", b"PMX", obis="1-0:96.50.1*1")]
    assert identity(b"\x01\x02", named) == MeterIdentity("0102", "PMX", "electricity")
    assert identity(None, named).manufacturer == "PMX"
    assert identity(b"\x01\x02", [Record("", b"\x01\x02", obis="1-0:96.50.1*1")]).manufacturer is None
    assert identity(SERVER, [Record("", b"QQQ", obis="1-0:96.50.1*1")]).manufacturer == "PMX"
    assert identity(None, []) == MeterIdentity()
