"""Who sent a telegram, and whose readings it passes on."""

import pytest

from polymeter.protocols import p1
from polymeter.protocols.p1.sub_meters import identity
from polymeter.protocols.wire import MeterIdentity, Record


def records(*lines: str) -> list[Record]:
    return p1.records("".join(f"{line}\r\n" for line in ("", "", *lines)).encode("latin-1"))


def test_sub_meters_are_told_apart_by_channel() -> None:
    found = p1.sub_meters(
        records(
            "0-0:1.0.0(260701120000S)",
            "0-2:24.1.0(007)",
            "0-1:24.1.0(003)",
            "0-1:96.1.0(504D5847303031)",
            "0-2:96.1.1(12345678)",
            "0-1:24.4.0(1)",
            "0-2:24.2.1(260701115501S)(00000.207*m3)",
            "0-1:24.2.1(260701115500S)(00000.107*m3)",
        )
    )
    assert [(one.channel, one.medium, one.id) for one in found] == [
        (1, "gas", "PMXG001"),
        (2, "water", "12345678"),
    ]
    assert [record.obis for record in found[0].records] == ["0-1:24.4.0*255", "0-1:24.2.1*255"]


def test_a_telegram_without_sub_meters_has_none() -> None:
    assert p1.sub_meters(records("1-0:1.8.0(1*kWh)")) == ()


@pytest.mark.parametrize(
    ("line", "medium"),
    [
        ("0-1:24.1.0(003)", "gas"),
        ("0-1:24.1.0(04)", "heat"),
        ("0-1:24.1.0(99)", "unknown"),
        ("0-1:24.1.0()", None),
    ],
)
def test_a_medium_is_a_device_type_of_m_bus(line: str, medium: str | None) -> None:
    (one,) = p1.sub_meters(records(line))
    assert one.medium == medium


def test_an_identity_that_is_empty_is_none() -> None:
    (one,) = p1.sub_meters(records("0-1:96.1.0()", "0-1:24.1.0(003)"))
    assert one.id is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["0-0:96.1.1(504D58)", "0-0:96.1.4(50217)"], "PMX"),
        (["0-0:96.1.0(9903218166)", "0-0:42.0.0(504D58)"], "9903218166"),
        (["0-0:42.0.0(504D58)"], "PMX"),
        (["1-0:0.0.0*255(0272)"], "0272"),
        (["0-0:96.1.1()", "0-0:96.1.0(12)"], "12"),
        (["0-1:96.1.0(504D58)"], None),
        ([], None),
    ],
)
def test_a_meter_says_who_it_is_in_several_places(lines: list[str], expected: str | None) -> None:
    assert identity("PMX5SIM", records(*lines)).id == expected


def test_the_first_line_names_the_maker() -> None:
    found = identity("PMX5\\2SIM 1", records("1-0:1.8.0(1*kWh)"))
    assert found == MeterIdentity(None, "PMX", "electricity", identification="\\2SIM 1")
    assert identity("PMX5SIM", records("0-1:24.2.1(260701115501S)(1*m3)")).medium is None
    assert identity("PM", []).manufacturer == "PM"
