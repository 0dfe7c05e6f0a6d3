"""Reading a meter by what it says of itself, over every framing and in simulated time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from polymeter.protocols.dlms.apdus import (
    AttributeDescriptor,
    CaptureObject,
    DataAccessResult,
    Selection,
    select_by_entry,
    select_by_range,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.buffers import profile_generic
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.framing import Framing
from polymeter.protocols.dlms.meter import Session
from polymeter.protocols.dlms.objects import COSEMObject, Level, register
from polymeter.protocols.dlms.procedures import get, get_with_list, set_attribute
from polymeter.protocols.dlms.reading import (
    ListedObject,
    Profile,
    Refusal,
    Scales,
    read_attribute,
    read_clock,
    read_object_list,
    read_profile,
    read_values,
    set_clock,
    switch,
)
from polymeter.protocols.dlms.times import DateTime
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import Record, RemoteProtocolError

from . import conversations as c

EVERY_FRAMING = pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
KINDS = pytest.mark.parametrize("sap", [1, 4, 5, 7])


@EVERY_FRAMING
@KINDS
def test_everything_is_read_by_the_object_list(framing: Framing, sap: int) -> None:
    def conversation(connection: Connection) -> Procedure[list[Record | Refusal]]:
        listed = yield from read_object_list(connection)
        assert isinstance(listed, list)
        assert [one.name for one in listed] == sorted(one.name for one in listed)
        chosen = [one for one in listed if one.class_id in (1, 3, 4, 5, 8, 70)]
        return (yield from read_values(connection, chosen, Scales()))

    records = c.converse(framing, sap, conversation)
    by_name = {record.name: record for record in records if isinstance(record, Record)}
    assert len(by_name) == len(records)
    energy = by_name["1-0:1.8.0*255"]
    assert (energy.value, energy.unit) == (c.energy_at(c.NOW) * 10, "Wh")
    assert by_name["1-0:2.8.0*255"][1:3] == (Decimal("0.077"), "Wh")
    maximum = by_name["1-0:1.6.0*255"]
    assert (maximum.value, maximum.unit, maximum.time) == (4321, "W", c.NOW - timedelta(hours=3))
    assert by_name["0-0:1.0.0*255"].value == c.NOW
    assert by_name["0-0:42.0.0*255"].value == "PMX0000000000001"
    assert by_name["1-0:1.4.0*255/3"].unit == "W"
    assert by_name["0-0:96.3.10*255"].value == 1


@EVERY_FRAMING
@pytest.mark.parametrize("compressed", [False, True])
@KINDS
def test_a_profile_is_read_by_range(framing: Framing, sap: int, compressed: bool) -> None:
    start = datetime(2026, 2, 20, tzinfo=UTC)
    end = start + timedelta(minutes=15 * 199)

    def conversation(connection: Connection) -> Procedure[Profile | Refusal]:
        return (yield from read_profile(connection, c.PROFILE, (start, end)))

    profile = c.converse(framing, sap, conversation, c.meter(compressed=compressed))
    assert isinstance(profile, Profile)
    assert profile.units == (None, None, "Wh", "Wh")
    assert len(profile.rows) == 200
    for number, (moment, status, energy, other) in enumerate(profile.rows):
        at = start + timedelta(minutes=15 * number)
        value = c.energy_at(at)
        assert (moment, status, energy, other) == (at, 0, value * 10, Decimal(value // 10).scaleb(-3))


@EVERY_FRAMING
def test_a_profile_is_read_by_entry(framing: Framing) -> None:
    def conversation(connection: Connection) -> Procedure[Profile | Refusal]:
        return (yield from read_profile(connection, c.PROFILE, select_by_entry(5, 204)))

    profile = c.converse(framing, 1, conversation)
    assert isinstance(profile, Profile)
    assert len(profile.rows) == 200
    oldest = datetime(2026, 3, 1, 12, tzinfo=UTC) - timedelta(minutes=15 * 4999)
    assert profile.rows[0][0] == oldest + timedelta(minutes=15 * 4)


def test_a_profile_is_restricted_by_a_column_that_is_not_the_first() -> None:
    from polymeter.protocols.dlms.apdus import CaptureObject
    from polymeter.protocols.dlms.data import Item, Tag

    start = c.energy_at(datetime(2026, 2, 20, tzinfo=UTC))

    def conversation(connection: Connection) -> Procedure[Profile | Refusal]:
        column = CaptureObject(3, c.ENERGY, 2, 0)
        low, high = (Item(Tag.DOUBLE_LONG_UNSIGNED, start + add) for add in (0, 15 * 9))
        selection = select_by_range(low, high, column)
        return (yield from read_profile(connection, c.PROFILE, selection))

    profile = c.converse("wrapper", 1, conversation)
    assert isinstance(profile, Profile)
    assert [row[2] for row in profile.rows] == [(start + 15 * i) * 10 for i in range(10)]


START = datetime(2026, 2, 20, tzinfo=UTC)
ENERGY = CaptureObject(3, c.ENERGY, 2, 0)
EXPORTED = CaptureObject(3, OBIS(1, 0, 2, 8, 0), 2, 0)


@pytest.mark.parametrize(
    ("selection", "columns"),
    [
        (select_by_range(START, START + timedelta(hours=1), c.CLOCK, [ENERGY]), (ENERGY,)),
        (
            select_by_range(START, START + timedelta(hours=1), c.CLOCK, [EXPORTED, c.CLOCK]),
            (EXPORTED, c.CLOCK),
        ),
        (select_by_entry(1, 5, 3, 3), (ENERGY,)),
        (select_by_entry(1, 5, 3), (ENERGY, EXPORTED)),
    ],
)
def test_a_profile_of_chosen_columns_has_those_only(
    selection: Selection, columns: tuple[CaptureObject, ...]
) -> None:
    def conversation(connection: Connection) -> Procedure[Profile | Refusal]:
        return (yield from read_profile(connection, c.PROFILE, selection))

    profile = c.converse("wrapper", 1, conversation)
    assert isinstance(profile, Profile)
    assert profile.columns == columns
    assert len(profile.rows) == 5
    moment = START if selection.selector == 1 else datetime(2026, 1, 8, 10, 15, tzinfo=UTC)
    shown = {ENERGY: c.energy_at(moment) * 10, c.CLOCK: moment}
    for column, unit, value in zip(columns, profile.units, profile.rows[0], strict=True):
        assert unit == (None if column == c.CLOCK else "Wh")
        assert column == EXPORTED or value == shown[column]


def listed_by(version: int, modes: list[int]) -> list[ListedObject]:
    """What a client learns of a meter whose association is of this version."""
    rights = array(*(structure(Item(Tag.INTEGER, i), Item(Tag.ENUM, m)) for i, m in enumerate(modes)))
    elements = [
        structure(
            Item(Tag.LONG_UNSIGNED, class_id),
            Item(Tag.UNSIGNED, its_version),
            octet_string(bytes(name)),
            structure(rights, array()),
        )
        for class_id, its_version, name in ((3, 0, c.ENERGY), (15, version, OBIS(0, 0, 40, 0, 0)))
    ]

    def conversation(connection: Connection) -> Procedure[list[ListedObject] | Refusal]:
        return (yield from read_object_list(connection))

    the_meter = c.meter()
    real = the_meter.session

    def session(sap: int) -> Session:
        made = real(sap)
        name = OBIS(0, 0, 40, 0, 0)
        made.view.objects = {**made.view.objects, name: COSEMObject(15, version, name, {2: array(*elements)})}
        return made

    the_meter.session = session  # type: ignore[method-assign]
    found = c.converse("wrapper", 1, conversation, the_meter)
    assert isinstance(found, list)
    return found


def test_access_modes_are_a_list_until_version_2_and_bits_from_version_3_on() -> None:
    """No access, read only, write only, both, and the same three authenticated; then bit 0 is reading."""
    for version in (0, 1, 2):
        (energy, _) = listed_by(version, list(range(7)))
        assert [energy.readable(number) for number in range(7)] == [
            False,
            True,
            False,
            True,
            True,
            False,
            True,
        ]
    (energy, _) = listed_by(3, [0, 1, 2, 3, 4, 5, 6, 0xFF, 0xFE])
    readable = [False, True, False, True, False, True, False, True, False]
    assert [energy.readable(number) for number in range(9)] == readable
    assert not energy.readable(77)
    assert ListedObject(3, 0, c.ENERGY).readable(77)


@EVERY_FRAMING
def test_the_clock_is_set_and_the_event_written_down(framing: Framing) -> None:
    moved = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)

    def conversation(connection: Connection) -> Procedure[object]:
        before = yield from read_clock(connection)
        result = yield from set_clock(connection, moved)
        after = yield from read_clock(connection)
        events = yield from read_profile(connection, c.EVENTS)
        return before, result, after, events

    before, result, after, events = c.converse(framing, 5, conversation)  # type: ignore[misc]
    assert (before, result, after) == (c.NOW, 0, moved)
    assert events.rows == ((moved, 5),)


@EVERY_FRAMING
def test_disconnecting_and_reconnecting(framing: Framing) -> None:
    control = ListedObject(70, 0, OBIS(0, 0, 96, 3, 10))

    def conversation(connection: Connection) -> Procedure[object]:
        states = []
        for on in (False, True):
            assert (yield from switch(connection, on)) == 0
            (record,) = yield from read_values(connection, [control], Scales())
            assert isinstance(record, Record)
            states.append(record.value)
        return states

    assert c.converse(framing, 1, conversation) == [0, 1]


@EVERY_FRAMING
@KINDS
def test_a_long_value_is_written_in_blocks_and_read_back(framing: Framing, sap: int) -> None:
    attribute = AttributeDescriptor(1, c.WRITABLE, 2)
    long = Data.of(octet_string(bytes(range(256)) * 20))

    def conversation(connection: Connection) -> Procedure[object]:
        result = yield from set_attribute(connection, attribute, long)
        return result, (yield from get(connection, attribute))

    result, back = c.converse(framing, sap, conversation, c.meter(apdu_max=300))  # type: ignore[misc]
    if sap in (4,):
        assert result == DataAccessResult.READ_WRITE_DENIED
    else:
        assert (result, back) == (0, long)


def test_refusals_are_values() -> None:
    wanted = [
        AttributeDescriptor(3, OBIS(1, 0, 99, 99, 99), 2),
        AttributeDescriptor(1, c.ENERGY, 2),
        AttributeDescriptor(3, c.ENERGY, 9),
        AttributeDescriptor(3, c.ENERGY, 1),
    ]

    def conversation(connection: Connection) -> Procedure[list[Data | int]]:
        return (yield from get_with_list(connection, wanted))

    *refused, name = c.converse("wrapper", 1, conversation)
    assert refused == [
        DataAccessResult.OBJECT_UNDEFINED,
        DataAccessResult.OBJECT_CLASS_INCONSISTENT,
        DataAccessResult.OBJECT_UNDEFINED,
    ]
    assert isinstance(name, Data)
    assert name.value == bytes(c.ENERGY)


def test_a_public_client_sees_little_and_writes_nothing() -> None:
    def conversation(connection: Connection) -> Procedure[object]:
        listed = yield from read_object_list(connection)
        energy = yield from get(connection, AttributeDescriptor(3, c.ENERGY, 2))
        clock = yield from set_clock(connection, c.NOW)
        return listed, energy, clock, (yield from switch(connection, False))

    listed, energy, clock, switched = c.converse("wrapper", 16, conversation)  # type: ignore[misc]
    assert {one.class_id for one in listed} == {1, 8, 15, 17}
    assert energy == clock == DataAccessResult.READ_WRITE_DENIED
    assert switched == 3


def test_a_meter_without_lists_and_selection_is_read_all_the_same() -> None:
    from polymeter.protocols.dlms.apdus import Conformance
    from polymeter.protocols.dlms.meter import CONFORMANCE

    plain = c.meter()
    plain.conformance = CONFORMANCE & ~(Conformance.MULTIPLE_REFERENCES | Conformance.SELECTIVE_ACCESS)
    start = datetime(2026, 2, 28, tzinfo=UTC)

    def conversation(connection: Connection) -> Procedure[Profile | Refusal]:
        return (yield from read_profile(connection, c.PROFILE, (start, start + timedelta(hours=2))))

    profile = c.converse("wrapper", 1, conversation, plain)
    assert isinstance(profile, Profile)
    assert [row[0] for row in profile.rows] == [start + timedelta(minutes=15 * i) for i in range(9)]


def with_objects(*objects: COSEMObject, **options: Any) -> Any:
    """A meter that has these besides its usual ones."""
    the_meter = c.meter(**options)
    the_meter.objects.update({one.name: one for one in objects})
    return the_meter


def listed(one: COSEMObject) -> ListedObject:
    return ListedObject(one.class_id, one.version, one.name)


def read_attribute_of(one: COSEMObject, attribute: int, scales: Scales | None = None) -> Any:
    def conversation(connection: Connection) -> Procedure[object]:
        descriptor = AttributeDescriptor(one.class_id, one.name, attribute)
        return (yield from read_attribute(connection, descriptor, scales or Scales()))

    return c.converse("wrapper", 1, conversation, with_objects(one))


LIMITER = COSEMObject(
    71,
    0,
    OBIS(0, 0, 17, 0, 0),
    {2: structure(Item(Tag.LONG_UNSIGNED, 3), octet_string(bytes(c.ENERGY)), Item(Tag.INTEGER, 2))},
)
VOLTAGE = register(OBIS(1, 0, 32, 7, 0), Item(Tag.LONG_UNSIGNED, 2301), -1, 35)


@pytest.mark.parametrize(
    ("one", "attribute", "expected"),
    [
        (VOLTAGE, 2, [("1-0:32.7.0*255", Decimal("230.1"), "V")]),
        (VOLTAGE, 3, [("1-0:32.7.0*255/3[1]", -1, None), ("1-0:32.7.0*255/3[2]", 35, None)]),
        (VOLTAGE, 1, [("1-0:32.7.0*255/1", bytes(VOLTAGE.name), None)]),
        (
            LIMITER,
            2,
            [
                ("0-0:17.0.0*255[1]", 3, None),
                ("0-0:17.0.0*255[2]", bytes(c.ENERGY), None),
                ("0-0:17.0.0*255[3]", 2, None),
            ],
        ),
    ],
)
def test_one_attribute_is_read_value_by_value(
    one: COSEMObject, attribute: int, expected: list[tuple[str, Any, str | None]]
) -> None:
    records = read_attribute_of(one, attribute)
    assert [(record.name, record.value, record.unit) for record in records] == expected
    assert {record.obis for record in records} == {str(one.name)}
    value = one.get(attribute, Level.MANAGEMENT, None)
    assert isinstance(value, Item)
    encoded = Data.of(value).encoded
    for record in records:
        assert encoded[record.offset : record.offset + len(record.raw)] == record.raw != b""


def test_a_scale_that_is_known_is_not_asked_for_again_and_one_that_is_refused_is_none() -> None:
    asked: list[int] = []

    def scale() -> Item:
        asked.append(1)
        return structure(Item(Tag.INTEGER, -1), Item(Tag.ENUM, 35))

    one = COSEMObject(3, 0, VOLTAGE.name, {2: Item(Tag.LONG_UNSIGNED, 2301), 3: scale})
    scales = Scales()
    for _ in range(2):
        (record,) = read_attribute_of(one, 2, scales)
        assert (record.value, record.unit) == (Decimal("230.1"), "V")
    assert asked == [1]
    bare = COSEMObject(3, 0, VOLTAGE.name, {2: Item(Tag.LONG_UNSIGNED, 2301)})
    (record,) = read_attribute_of(bare, 2)
    assert (record.value, record.unit) == (2301, None)


def test_a_refused_attribute_is_a_refusal() -> None:
    assert read_attribute_of(VOLTAGE, 9) == [
        Refusal(AttributeDescriptor(3, VOLTAGE.name, 9), DataAccessResult.OBJECT_UNDEFINED)
    ]


def test_only_what_the_list_lets_read_is_asked_for() -> None:
    """And of an object that gives no value, nothing is made up."""
    hidden = listed(VOLTAGE)._replace(attributes=((1, 1), (2, 0), (3, 1)))
    seen = listed(VOLTAGE)._replace(attributes=((1, 1), (2, 1), (3, 1)))

    def conversation(connection: Connection) -> Procedure[object]:
        none = yield from read_values(connection, [hidden], Scales())
        some = yield from read_values(connection, [seen], Scales())
        return none, some

    none, some = c.converse("wrapper", 1, conversation, with_objects(VOLTAGE))  # type: ignore[misc]
    assert none == []
    assert [record.value for record in some] == [Decimal("230.1")]


def test_a_class_that_is_not_known_gives_its_attribute_2() -> None:
    one = COSEMObject(9000, 3, OBIS(0, 128, 1, 0, 0), {2: Item(Tag.UNSIGNED, 7)})

    def conversation(connection: Connection) -> Procedure[object]:
        return (yield from read_values(connection, [listed(one)], Scales()))

    (record,) = c.converse("wrapper", 1, conversation, with_objects(one))  # type: ignore[misc]
    assert (record.name, record.value) == ("0-128:1.0.0*255", 7)


NO_CLOCK = (ENERGY, CaptureObject(1, OBIS(0, 0, 96, 10, 1), 2, 0))


class Rows:
    """A buffer of three rows that no clock stamps."""

    capacity, period_s = 3, 0
    now = staticmethod(lambda: c.NOW)

    def count(self) -> int:
        return 3

    def row(self, index: int) -> tuple[Item, ...]:
        return Item(Tag.LONG_UNSIGNED, 100 + index), Item(Tag.UNSIGNED, index)

    def between(self, start: datetime, end: datetime) -> range:
        return range(3)

    def clear(self) -> None: ...

    def capture(self) -> None: ...


def profile_of(the_meter: Any, name: OBIS = c.PROFILE, *between: datetime, **options: Any) -> Any:
    def conversation(connection: Connection) -> Procedure[object]:
        return (yield from read_profile(connection, name, between or None, **options))  # type: ignore[arg-type]

    return c.converse("wrapper", 1, conversation, the_meter)


def test_a_profile_without_a_clock_gives_all_its_rows() -> None:
    name = OBIS(1, 0, 98, 1, 0)
    the_meter = with_objects(profile_generic(name, NO_CLOCK, Rows()))
    for between in ((), (START, START)):
        profile = profile_of(the_meter, name, *between)
        assert profile.columns == NO_CLOCK
        assert profile.units == ("Wh", None)
        assert profile.rows == ((1000, 0), (1010, 1), (1020, 2))


def test_a_profile_that_is_refused_is_a_refusal() -> None:
    missing = OBIS(1, 0, 99, 9, 9)
    refused = profile_of(c.meter(), missing)
    assert refused == Refusal(AttributeDescriptor(7, missing, 3), DataAccessResult.OBJECT_UNDEFINED)
    broken = COSEMObject(7, 1, missing, {3: array(c.CLOCK.item()), 4: Item(Tag.UNSIGNED, 0)})
    refused = profile_of(with_objects(broken), missing)
    assert refused == Refusal(AttributeDescriptor(7, missing, 2), DataAccessResult.OBJECT_UNDEFINED)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({2: array(), 3: Item(Tag.UNSIGNED, 5)}, "names no capture object"),
        ({2: Item(Tag.UNSIGNED, 5), 3: array(c.CLOCK.item())}, "a profile buffer is an array"),
        ({2: array(structure()), 3: array(c.CLOCK.item())}, "row 1 has 0 columns, 1 are captured"),
    ],
)
def test_a_profile_that_makes_no_sense_is_the_meters_error(attributes: Any, words: str) -> None:
    name = OBIS(1, 0, 99, 9, 9)
    broken = COSEMObject(7, 1, name, attributes)
    with pytest.raises(RemoteProtocolError, match=words):
        profile_of(with_objects(broken), name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (octet_string(bytes(DateTime.of(c.NOW))), c.NOW),
        (Item(Tag.DATE_TIME, DateTime.of(c.NOW)), c.NOW),
        (octet_string(bytes(DateTime.of(c.NOW.replace(tzinfo=None)))), c.NOW.replace(tzinfo=None)),
        (octet_string(b"\xff" * 12), None),
        (octet_string(b"noon"), None),
        (Item(Tag.UNSIGNED, 5), None),
    ],
)
def test_a_clock_is_read_however_it_is_typed(value: Item, expected: datetime | None) -> None:
    the_meter = with_objects(COSEMObject(8, 0, OBIS(0, 0, 1, 0, 0), {2: value}))

    def conversation(connection: Connection) -> Procedure[object]:
        return (yield from read_clock(connection))

    if expected is None:
        with pytest.raises(RemoteProtocolError, match="shows no time"):
            c.converse("wrapper", 1, conversation, the_meter)
    else:
        assert c.converse("wrapper", 1, conversation, the_meter) == expected


def test_a_deviation_of_either_sign_is_understood_and_written() -> None:
    """Some meters count from UTC to local time; they are read and set with an option."""
    zone = timezone(timedelta(hours=2))
    moment = datetime(2026, 5, 1, 8, 0, tzinfo=zone)
    written: list[bytes] = []

    def set_time(value: Item) -> DataAccessResult:
        written.append(value.value)
        return DataAccessResult.SUCCESS

    one = COSEMObject(
        8, 0, OBIS(0, 0, 1, 0, 0), {2: octet_string(bytes(DateTime.of(moment, 0, True)))}, {2: set_time}
    )

    def conversation(connection: Connection) -> Procedure[object]:
        right = yield from read_clock(connection, inverted_deviation=True)
        wrong = yield from read_clock(connection)
        for inverted in (False, True):
            assert (yield from set_clock(connection, moment, inverted_deviation=inverted)) == 0
        return right, wrong

    right, wrong = c.converse("wrapper", 1, conversation, with_objects(one))  # type: ignore[misc]
    assert right == moment
    assert wrong - right == timedelta(hours=4)
    assert [octets[9:11].hex() for octets in written] == ["ff88", "0078"]


def test_an_object_list_that_is_none_is_the_meters_error() -> None:
    for value in (
        Item(Tag.UNSIGNED, 1),
        array(Item(Tag.UNSIGNED, 1)),
        array(structure(*[Item(Tag.UNSIGNED, 1)] * 3)),
    ):
        the_meter = c.meter()
        real = the_meter.session

        def session(sap: int, value: Item = value, real: Any = real) -> Session:
            made = real(sap)
            name = OBIS(0, 0, 40, 0, 0)
            made.view.objects = {**made.view.objects, name: COSEMObject(15, 1, name, {2: value})}
            return made

        the_meter.session = session  # type: ignore[method-assign]

        def conversation(connection: Connection) -> Procedure[object]:
            return (yield from read_object_list(connection))

        with pytest.raises(RemoteProtocolError, match="object list"):
            c.converse("wrapper", 1, conversation, the_meter)
