"""The table of interface classes."""

from __future__ import annotations

import pytest

from polymeter.protocols.dlms.cosem import (
    CLASS_IDS,
    VALUE_CLASSES,
    Values,
    class_name,
    interface_class,
    interface_classes,
    values_of,
)


def test_every_class_begins_with_its_logical_name() -> None:
    for known in interface_classes().values():
        assert known.attributes[0] == (1, "logical_name", "octet-string"), known


def test_names_are_unique_within_a_class() -> None:
    for known in interface_classes().values():
        for members in (known.attributes, known.methods):
            assert len({member.name for member in members}) == len(members), known


@pytest.mark.parametrize(
    ("id", "version", "attribute", "number"),
    [
        (3, 0, "scaler_unit", 3),
        (4, 0, "capture_time", 5),
        (5, 0, "number_of_periods", 9),
        (7, 1, "profile_entries", 8),
        (8, 0, "clock_base", 9),
        (15, 2, "current_user", 11),
        (40, 1, "push_protection_parameters", 10),
        (64, 1, "certificates", 6),
        (70, 0, "control_mode", 4),
        (71, 0, "actions", 11),
        (72, 1, "encryption_key_status", 14),
        (111, 0, "max_provision_period", 19),
    ],
)
def test_attributes_have_their_numbers(id: int, version: int, attribute: str, number: int) -> None:
    known = interface_class(id, version)
    assert known.attribute_named(attribute) == number
    assert known.attribute(number).name == attribute


def test_methods_have_their_numbers() -> None:
    assert interface_class(70).method_named("remote_reconnect") == 2
    assert interface_class(12, 4).method_named("reply_to_HLS_authentication") == 8
    assert interface_class(15, 0).method(1).name == "reply_to_HLS_authentication"
    assert interface_class(7, 1).method(3).name == "method 3"


def test_classes_have_their_numbers() -> None:
    """Where two independent tables agree: 82 was once taken for the physical layer's counters."""
    assert class_name(81) == "PRIME NB OFDM PLC physical layer counters"
    assert class_name(82) == "PRIME NB OFDM PLC MAC setup"
    assert len(interface_class(90, 1).attributes) == 10
    assert len(interface_class(90, 0).attributes) == 8


def test_classes_that_hold_values_keep_them_where_the_table_says() -> None:
    for id, layout in VALUE_CLASSES.items():
        known = interface_class(id)
        for attribute in layout.attributes:
            assert "value" in known.attribute(attribute).name or id in (8, 70)
        assert layout.scale is None or known.attribute(layout.scale).name == "scaler_unit"
        assert layout.time is None or known.attribute(layout.time).name == "capture_time"
    assert values_of(None) == values_of(9999) == Values()


def test_an_unknown_version_is_read_like_the_one_before_it() -> None:
    assert interface_class(15, 9).version == 3
    assert interface_class(28, 1).version == 0
    assert interface_class(73, 0).version == 1


def test_an_unknown_class_has_numbers_for_names() -> None:
    unknown = interface_class(9999, 3)
    assert unknown.name == "class 9999"
    assert unknown.attribute(4).name == "attribute 4"
    assert unknown.attribute_named("value") is None


def test_the_classes_that_procedures_name_are_in_the_table() -> None:
    for name, id in CLASS_IDS.items():
        assert class_name(id).lower() == name.lower()
