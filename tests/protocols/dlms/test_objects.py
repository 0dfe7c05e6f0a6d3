"""The objects inside a meter: their attributes, what may be written, what methods do."""

from __future__ import annotations

from datetime import timedelta

from polymeter.protocols.dlms.apdus import (
    ActionResult,
    DataAccessResult,
)
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.objects import Level, MeterClock, clock

from . import conversations as c

NULL = Item(Tag.NULL_DATA)


def test_a_clock_is_set_shifted_and_adjusted() -> None:
    changes: list[int] = []
    meter_clock = MeterClock(lambda: c.NOW)
    one = clock(meter_clock, lambda: changes.append(1))
    assert one.act(6, Level.MANAGEMENT, Item(Tag.LONG, -40)) == ActionResult.SUCCESS
    assert meter_clock.now() == c.NOW - timedelta(seconds=40)
    assert one.act(3, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert meter_clock.now() == c.NOW.replace(second=0)
    assert one.act(1, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert meter_clock.now() == c.NOW.replace(minute=0, second=0)
    assert one.act(6, Level.MANAGEMENT, Item(Tag.LONG, 4000)) == ActionResult.TYPE_UNMATCHED
    for wrong, result in (
        (Item(Tag.UNSIGNED, 1), DataAccessResult.TYPE_UNMATCHED),
        (octet_string(b"\xff" * 12), DataAccessResult.OTHER_REASON),
    ):
        assert one.set(2, Level.MANAGEMENT, wrong) == result
    assert len(changes) == 3
