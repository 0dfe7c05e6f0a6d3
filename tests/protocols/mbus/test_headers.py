"""Record headers: what they are made of, how long their data is, and what is remembered of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import SIZES, Header, layout
from polymeter.protocols.mbus import headers as module
from polymeter.protocols.mbus.headers import DIFE_MAX, FUNCTIONS, VIFE_MAX
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError


@given(
    st.integers(0, 14),
    st.integers(0, 2**41 - 1),
    st.integers(0, 2**20 - 1),
    st.integers(0, 2**10 - 1),
    st.sampled_from(FUNCTIONS),
)
def test_a_header_is_its_bytes(field: int, storage: int, tariff: int, subunit: int, function: str) -> None:
    data = bytes(Header(field, b"\x13", storage, tariff, subunit, function))
    found = layout(data)
    assert (found.field, found.storage, found.tariff, found.subunit, found.function) == (
        field,
        storage,
        tariff,
        subunit,
        function,
    )
    assert found.size == SIZES[field]


@pytest.mark.parametrize(
    ("header", "storage", "tariff", "subunit"),
    [
        ("0413", 0, 0, 0),
        ("4413", 1, 0, 0),
        ("840113", 2, 0, 0),
        ("c40113", 3, 0, 0),
        ("848f0113", 62, 0, 0),
        ("841013", 0, 1, 0),
        ("842013", 0, 2, 0),
        ("84801013", 0, 4, 0),
        ("844013", 0, 0, 1),
        ("84804013", 0, 0, 2),
        ("84c08040" + "13", 0, 0, 5),
        ("c4ff7f13", 1 + 2 * 255, 15, 3),
    ],
)
def test_extensions_by_hand(header: str, storage: int, tariff: int, subunit: int) -> None:
    found = layout(bytes.fromhex(header))
    assert (found.storage, found.tariff, found.subunit) == (storage, tariff, subunit)


@pytest.mark.parametrize(
    ("dif", "function"), [(0x04, "instantaneous"), (0x14, "maximum"), (0x24, "minimum"), (0x34, "error")]
)
def test_the_function_is_in_the_first_byte(dif: int, function: str) -> None:
    assert layout(bytes((dif, 0x13))).function == function


def test_ten_extensions_are_allowed_of_each_kind() -> None:
    layout(b"\x84" + b"\x80" * 9 + b"\x00\x13")
    layout(b"\x04\x93" + b"\xf4" * 9 + b"\x74")
    with pytest.raises(RemoteProtocolError, match=f"more than {DIFE_MAX} DIFEs") as caught:
        layout(b"\x84" + b"\x80" * 10 + b"\x00\x13")
    assert caught.value.offset == 11
    with pytest.raises(RemoteProtocolError, match=f"more than {VIFE_MAX} VIFEs") as caught:
        layout(b"\x04\x93" + b"\xf4" * 10 + b"\x74")
    assert caught.value.offset == 12


@pytest.mark.parametrize(
    "header",
    [
        Header(4, b""),
        Header(4, b"\x93"),
        Header(4, b"\x13", function="mean"),
        Header(4, b"\x13", storage=2**41),
        Header(4, b"\x13", tariff=2**20),
        Header(4, b"\x13", subunit=2**10),
        Header(4, b"\x13", storage=-1),
        Header(4, b"\x7c", text="€"),
    ],
)
def test_what_cannot_be_a_header_is_refused(header: Header) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(header)


def test_a_unit_in_text_stands_behind_the_block() -> None:
    assert bytes(Header(2, b"\xfc\x74", text="%RH")).hex() == "02fc7403485225"
    assert layout(b"\x02\xfc\x74", "%RH").unit == "%RH"


def test_headers_are_remembered_until_there_are_too_many() -> None:
    known = module.remembered(False)
    known.clear()
    first = layout(b"\x04\x13")
    assert known[b"\x04\x13"] is first
    for number in range(module._REMEMBERED_MAX + 10):
        layout(bytes((0x84, 0x80 | number & 0x7F, number >> 7, 0x13)))
    assert len(known) <= module._REMEMBERED_MAX
    assert layout(b"\x04\x13").name == "volume"


def test_answers_and_commands_are_remembered_apart() -> None:
    assert layout(b"\x04\x93\x01").meaning.error == "too many DIFEs"
    assert layout(b"\x04\x93\x01", command=True).meaning.action == "add"


@pytest.mark.parametrize(
    ("header", "data", "value"),
    [
        ("0013", "", None),
        ("0113", "ff", "-0.001"),
        ("0114", "05", "0.05"),
        ("0116", "05", "5"),
        ("0117", "05", "50"),
        ("010f", "05", "50"),
        ("0513", "0000803f", "0.001"),
        ("0917", "42", "420"),
        ("0978", "07", "07"),
        ("0178", "ff", "255"),
        ("01937a", "05", "0.105"),
        ("0993" + "7a", "05", "0.105"),
        ("0593" + "7b", "0000803f", "1.001"),
        ("02fb68", "0010", "1.000000000000"),
        ("09fb68", "05", "0.001220703125"),
        ("05fb68", "00008040", "0.000976562500"),
        ("04fd19", "01020304", "01020304"),
    ],
)
def test_data_to_values(header: str, data: str, value: str | None) -> None:
    found = layout(bytes.fromhex(header)).convert(bytes.fromhex(data))
    shown = found.hex() if isinstance(found, bytes) else None if found is None else f"{found}"
    if value is not None and shown is not None and "." in value:
        assert float(shown) == float(value)
    else:
        assert shown == value


@pytest.mark.parametrize(
    ("vib", "data", "value"),
    [
        ("fd0c", "0361622d", "-ba"),
        ("fd3b", "03010203", b"\1\2\3"),
        ("13", "c21200", "0.012"),
        ("13", "d21200", "-0.012"),
        ("13", "c0", "0"),
        ("13", "c1a5", b"\xa5"),
        ("13", "e2ffff", "-0.001"),
        ("fd19", "e2ffff", b"\xff\xff"),
        ("78", "c20700", "0007"),
        ("fd16", "e2ffff", b"\xff\xff"),
        ("6d", "e43b173534", "2025-04-21 23:59:00"),
        ("6d", "e5" + "00" * 5, b"\0\0\0\0\0"),
        ("fd17", "e2ffff", b"\xff\xff"),
    ],
)
def test_data_of_variable_length(vib: str, data: str, value: object) -> None:
    found = layout(b"\x0d" + bytes.fromhex(vib)).convert(bytes.fromhex(data))
    if isinstance(value, str) and not isinstance(found, str):
        assert str(found) == value or float(str(found)) == float(value)
    else:
        assert found == value
