"""The tree of records says of each byte what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import decode_records, explain_records
from polymeter.protocols.wire import Node, Tree

HEAT = 0x04


def explained(data: str | bytes, device_type: int | None = None) -> Node:
    raw = bytes.fromhex(data) if isinstance(data, str) else data
    found = decode_records(raw, spans=True)
    tree = Tree(raw, "records")
    explain_records(tree, raw, found, device_type)
    return tree.finish()


def shape(root: Node) -> list[tuple[str, str]]:
    return [(leaf.name, leaf.raw.hex()) for leaf in root.leaves()]


def test_a_record_is_its_header_and_its_data() -> None:
    root = explained("c48101932213000000")
    assert shape(root) == [
        ("DIF", "c4"),
        ("DIFE", "81"),
        ("DIFE", "01"),
        ("VIF", "93"),
        ("VIFE", "22"),
        ("data", "13000000"),
    ]
    (record,) = root.children
    assert record.name == "record"
    assert record.meaning == "volume.per_hour, m3/h"
    assert record.children[0].meaning == "32 bit integer, instantaneous"


def test_data_of_variable_length_has_its_length() -> None:
    assert shape(explained("0dfd0c0361626300"[:14])) == [
        ("DIF", "0d"),
        ("VIF", "fd"),
        ("VIFE", "0c"),
        ("length", "03"),
        ("data", "616263"),
    ]


def test_a_unit_in_text_stands_where_the_meter_put_it() -> None:
    behind = shape(explained("02fc74034852251902"))
    old = shape(explained("02fc03485225741902"))
    assert [name for name, _ in behind] == ["DIF", "VIF", "VIFE", "unit text", "data"]
    assert [name for name, _ in old] == ["DIF", "VIF", "unit text", "VIFE", "data"]


def test_a_record_without_data_ends_with_its_header() -> None:
    assert shape(explained("0013")) == [("DIF", "00"), ("VIF", "13")]


def test_what_is_no_record_has_a_name_of_its_own() -> None:
    root = explained("2f2f0013" + "7f" + "0fcafe")
    assert [child.name for child in root.children] == [
        "filler",
        "record",
        "readout request",
        "manufacturer data",
    ]
    assert shape(root)[-2:] == [("DIF", "0f"), ("data", "cafe")]
    more = explained("1f")
    assert next(leaf.meaning for leaf in more.leaves()) == "more records follow in the next telegram"


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    root = explained("00130413")
    assert [child.name for child in root.children] == ["record", "unreadable"]


def test_with_the_kind_of_meter_the_names_of_oms_are_shown() -> None:
    assert "OBIS 6-0:1.0.0*255" in (explained("040600000000", HEAT).children[0].meaning or "")
    assert "OBIS" not in (explained("040600000000").children[0].meaning or "")


def test_what_a_meter_says_of_a_record_is_shown() -> None:
    assert explained("009315").children[0].meaning == "volume, m3, no data available"


@given(st.binary(max_size=60))
def test_every_byte_is_explained_once(data: bytes) -> None:
    root = explained(data)
    leaves = [leaf for leaf in root.leaves() if leaf.length]
    assert b"".join(leaf.raw for leaf in leaves) == data


@pytest.mark.parametrize(
    "data", ["0413010000000c13eeeeeeee0413020000000c1301", "8b" + "84" * 12 + "04371802"]
)
def test_problems_do_not_leave_holes(data: str) -> None:
    root = explained(data)
    assert b"".join(leaf.raw for leaf in root.leaves()).hex() == data
