"""Who sent a message: by its title, by its own numbers, by the name of its list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.identity import meter_identity
from polymeter.protocols.wire import MeterIdentity, Record

TITLE = b"XYZ\x67\0\0\0\1"


def records(*pairs: tuple[str, Any]) -> list[Record]:
    """Values under codes, or bare ones by the names that they get."""
    return [Record(name, value, obis=name if ":" in name else None) for name, value in pairs]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], MeterIdentity()),
        ([("0-0:96.1.0*255", "123")], MeterIdentity(id="123")),
        ([("0-0:96.1.0*255", 123)], MeterIdentity(id="123")),
        ([("0-0:96.1.0*255", None)], MeterIdentity()),
        # The device's own number tells more than its logical name, in whatever order they come.
        (
            [("0-0:42.0.0*255", "ABC0000000000001"), ("0-0:96.1.0*255", "123")],
            MeterIdentity(id="123", manufacturer="ABC"),
        ),
        ([("0-0:42.0.0*255", "ABC0000000000001")], MeterIdentity(id="ABC0000000000001", manufacturer="ABC")),
        ([("0-0:42.0.0*255", "4200000000000001")], MeterIdentity(id="4200000000000001")),
        # A list for customers: its name, the number, the model, under codes or bare.
        (
            [("1-1:0.2.129*255", "AIDON_V0001"), ("0-0:96.1.0*255", "735"), ("0-0:96.1.7*255", "6525")],
            MeterIdentity(id="735", identification="AIDON_V0001 6525", medium="electricity"),
        ),
        (
            [("element 1", "KFM_001"), ("element 2", "697"), ("element 3", "MA304H3E"), ("element 4", "x")],
            MeterIdentity(id="697", identification="KFM_001 MA304H3E"),
        ),
        ([("element 1", 1279)], MeterIdentity()),
        ([("0-0:96.1.7*255", "6525")], MeterIdentity()),
    ],
)
def test_a_meter_says_who_it_is(pairs: list[tuple[str, Any]], expected: MeterIdentity) -> None:
    found = meter_identity(b"", records(*pairs))
    assert found == expected


@pytest.mark.parametrize(
    ("title", "manufacturer"),
    [(TITLE, "XYZ"), (b"X1Z\0\0\0\0\1", None), (b"\xc4\xd6\xdc\0\0\0\0\1", None), (b"XYZ", None)],
)
def test_a_title_names_the_manufacturer_if_it_is_one(title: bytes, manufacturer: str | None) -> None:
    found = meter_identity(title, [])
    assert (found.manufacturer, found.system_title) == (manufacturer, title.hex())


def test_a_title_is_believed_before_a_name() -> None:
    assert meter_identity(TITLE, records(("0-0:42.0.0*255", "ABC1"))).manufacturer == "XYZ"


MEDIA = {"1": "electricity", "5": "cooling", "6": "heat", "7": "gas", "8": "water", "9": "hot water"}


@given(st.lists(st.sampled_from([*MEDIA, "0", "4", "15"]), max_size=5))
def test_the_medium_is_told_where_all_codes_agree(groups: list[str]) -> None:
    """Codes of group 0 are about the meter; those of a group without a medium leave it open."""
    found = meter_identity(b"", records(*((f"{group}-0:1.8.0*255", 1) for group in groups)))
    measured = set(groups) - {"0"}
    assert found.medium == (MEDIA.get(measured.pop()) if len(measured) == 1 else None)
