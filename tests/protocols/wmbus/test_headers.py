"""The layers between the link and the data, bit by bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wire import RemoteProtocolError
from polymeter.protocols.wmbus import AFL, ELL, Configuration, LinkHeader, control_name, headers
from polymeter.protocols.wmbus.headers import decode_afl, decode_configuration, decode_ell, decode_link

BYTE = st.integers(0, 255)


def fixed(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def maybe(size: int) -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(b""), fixed(size))


@pytest.mark.parametrize(
    ("control", "name"),
    [
        (0x44, "SND-NR"),
        (0x46, "SND-IR"),
        (0x47, "ACC-NR"),
        (0x48, "ACC-DMD"),
        (0x08, "RSP-UD"),
        (0x18, "RSP-UD"),
        (0x38, "RSP-UD"),
        (0x40, "SND-NKE"),
        (0x43, "SND-UD2"),
        (0x45, "SND-UD3"),
        (0x53, "SND-UD"),
        (0x73, "SND-UD"),
        (0x5B, "REQ-UD2"),
        (0x7B, "REQ-UD2"),
        (0x5A, "REQ-UD1"),
        (0x06, "CNF-IR"),
        (0x00, "ACK"),
        (0x01, "NACK"),
        (0x82, None),
        (0xFF, None),
    ],
)
def test_functions_of_the_link_layer(control: int, name: str | None) -> None:
    found = control_name(control)
    assert (found or "").split(",")[0] == (name or "")


@given(BYTE, st.text("ABCXYZ", min_size=3, max_size=3), st.integers(0, 10**8 - 1), BYTE, BYTE)
def test_a_link_header_is_its_bytes(control: int, maker: str, number: int, version: int, device: int) -> None:
    header = LinkHeader(control, maker, f"{number:08d}", version, device)
    again = decode_link(b"\x09" + bytes(header))
    assert (again.control, again.manufacturer, again.id, again.version, again.device_type) == (
        control,
        maker,
        f"{number:08d}",
        version,
        device,
    )
    assert bytes(again) == bytes(header)
    assert again.address == bytes(header)[1:]


@pytest.mark.parametrize(
    ("data", "address", "session", "crc"),
    [
        ("8c2007", "", "", None),
        ("8d20070a000020cafe", "", "0a000020", 0xFECA),
        ("8e2007a1a2a3a4a5a6a7a8", "a1a2a3a4a5a6a7a8", "", None),
        ("8f2007a1a2a3a4a5a6a7a80a000020cafe", "a1a2a3a4a5a6a7a8", "0a000020", 0xFECA),
    ],
)
def test_an_extended_link_layer_by_its_ci_field(
    data: str, address: str, session: str, crc: int | None
) -> None:
    raw = bytes.fromhex(data)
    ell = decode_ell(b"x" + raw + b"yz", 1)
    assert (ell.control, ell.access_number) == (0x20, 7)
    assert (ell.address.hex(), ell.session.hex(), ell.crc) == (address, session, crc)
    assert (ell.start, ell.end) == (1, 1 + len(raw))
    assert bytes(ell) == raw
    assert ell.payload == ell.end - (2 if crc is not None else 0)
    assert ell.encryption == (1 if session else 0)
    with pytest.raises(RemoteProtocolError) as caught:
        decode_ell(raw[:-1], 0, layer=2)
    assert (caught.value.offset, caught.value.layer) == (0, 2)


@pytest.mark.parametrize(
    ("data", "size"),
    [("86200700", 4), ("86200701" + "00" * 8, 12), ("86200710" + "00" * 6, 10), ("8620070600" + "0000", 7)],
)
def test_the_variable_extended_link_layer_tells_its_fields(data: str, size: int) -> None:
    assert decode_ell(bytes.fromhex(data), 0).end == size
    with pytest.raises(RemoteProtocolError):
        decode_ell(bytes.fromhex(data)[:-1], 0)


def test_reserved_fields_of_the_variable_layer_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="do not fit"):
        decode_ell(bytes.fromhex("862007e0") + bytes(40), 0)


def test_the_counter_block_of_a_session() -> None:
    ell = ELL(0x8D, 0x20, 7, session=bytes.fromhex("0a000020"), crc=0)
    assert ell.counter_block(bytes(range(8))).hex() == "0001020304050607" + "20" + "0a000020" + "000000"


@given(
    st.integers(0, 255),
    st.booleans(),
    st.sampled_from([None, 0x20, 0x65, 0x76]),
    maybe(2),
    maybe(4),
    st.booleans(),
    maybe(2),
)
def test_an_afl_is_its_bytes(
    fragment: int, more: bool, control: int | None, key: bytes, counter: bytes, coded: bool, length: bytes
) -> None:
    size = {0x65: 8, 0x76: 12}.get(control or 0, 0 if control is not None else 8)
    afl = AFL(fragment, more, control, key, counter, bytes(range(size)) if coded else b"", length)
    raw = bytes(afl)
    again = decode_afl(b"xx" + raw + b"message", 2)
    assert bytes(again) == raw
    assert again.end == 2 + len(raw)
    assert (again.fragment, again.more, again.mac, again.message_length) == (fragment, more, afl.mac, length)
    assert again.fragmented == (more or fragment > 1)


def test_what_a_code_covers_stands_in_the_order_of_the_standard() -> None:
    afl = AFL(0, False, 0x75, b"\x11\x12", b"\x21\x22\x23\x24", bytes(8), b"\x31\x32")
    assert afl.authenticated.hex() == "75" + "1112" + "21222324" + "3132"


@pytest.mark.parametrize(
    ("kind", "size", "checkable"),
    [(3, 2, True), (4, 4, True), (5, 8, True), (6, 12, True), (7, 16, True), (8, 12, False), (9, 16, False)],
)
def test_a_code_is_as_long_as_its_type_says(kind: int, size: int, checkable: bool) -> None:
    raw = bytes(AFL(0, False, kind, mac=bytes(size)))
    afl = decode_afl(raw, 0)
    assert len(afl.mac) == size
    assert afl.checkable is checkable


@pytest.mark.parametrize(
    "data",
    [
        "90",
        "900200",
        "90020000",  # nothing is announced, two bytes are counted: that is right
        "9003000000",
        "900f002c25b30a000021924d4f2fb66e",
        "9007013d4d00000000",  # a type of code that leaves less than nothing
    ],
)
def test_an_afl_whose_fields_do_not_fill_it_is_refused(data: str) -> None:
    raw = bytes.fromhex(data)
    if data == "90020000":
        assert decode_afl(raw, 0).end == 4
        return
    with pytest.raises(RemoteProtocolError):
        decode_afl(raw, 0)


@given(st.binary(min_size=1, max_size=30))
def test_any_afl_is_read_or_refused(data: bytes) -> None:
    raw = b"\x90" + data
    try:
        afl = decode_afl(raw, 0)
    except RemoteProtocolError:
        return
    assert bytes(afl)[4:] == raw[4 : afl.end]


@pytest.mark.parametrize(
    ("field", "mode", "blocks"),
    [
        ("0000", 0, 0),
        ("1005", 5, 1),
        ("f025", 5, 15),
        ("0020", 0, 0),
        ("2007", 7, 2),
        ("ff0a", 10, 15),
        ("000d", 13, 0),
    ],
)
def test_a_configuration_names_its_mode(field: str, mode: int, blocks: int) -> None:
    found = decode_configuration(bytes.fromhex(field) + bytes(12), 0)
    assert (found.mode, found.blocks) == (mode, blocks)


@pytest.mark.parametrize(
    ("data", "extension", "counter", "version"),
    [
        ("1005", "", "", None),
        ("200710", "10", "", None),
        ("200750" + "07", "50", "", 7),
        ("202710" + "01020304", "10", "01020304", None),
        ("202750" + "01020304" + "07", "50", "01020304", 7),
        ("000810", "10", "", None),
        ("ff0a1001" + "01020304", "1001", "01020304", None),
        ("ff0a5001" + "07" + "01020304", "5001", "01020304", 7),
    ],
)
def test_extensions_of_a_configuration(data: str, extension: str, counter: str, version: int | None) -> None:
    raw = bytes.fromhex(data)
    found = decode_configuration(b"xy" + raw + b"z", 2)
    assert (found.extension.hex(), found.counter.hex(), found.key_version) == (extension, counter, version)
    assert found.end == 2 + len(raw)
    assert bytes(found) == raw
    with pytest.raises(RemoteProtocolError):
        decode_configuration(raw[:-1], 0)


def test_bits_of_the_extension() -> None:
    assert Configuration(0x0720, b"\x10").derivation == 1
    assert Configuration(0x0720, b"\x00").derivation == 0
    assert [Configuration(0x0A00, bytes((0x10, low))).tag_size for low in range(4)] == [4, 8, 12, 16]
    assert Configuration(0x0518).content == 2
    assert Configuration(0x8710).content == 2


@given(st.binary(max_size=20))
def test_any_configuration_is_read_or_refused(data: bytes) -> None:
    try:
        found = decode_configuration(data, 0)
    except RemoteProtocolError:
        assert len(data) < 9
        return
    assert bytes(found) == data[: found.end]


def test_sizes_of_extended_link_layers_are_those_of_their_fields() -> None:
    assert headers.ELL_SIZES == {0x8C: 2, 0x8D: 8, 0x8E: 10, 0x8F: 16}
