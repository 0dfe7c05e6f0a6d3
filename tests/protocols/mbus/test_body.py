"""What follows each CI field, from either end, explained byte for byte."""

from datetime import datetime
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import BAUD_RATES, Body, LongHeader, ShortHeader, read_body
from polymeter.protocols.mbus.control import CI_NAMES
from polymeter.protocols.wire import Node, RemoteProtocolError, Tree

HEADER = LongHeader("12345678", "PMX", 1, 4, 7, 0)
VOLUME = bytes.fromhex("041301000000")


def read(ci: int, data: bytes, *, master: bool = False) -> tuple[Body, Node]:
    tree = Tree(data, "data")
    body = read_body(data, 0, len(data), ci, from_master=master, tree=tree)
    root = tree.finish()
    plain = read_body(data, 0, len(data), ci, from_master=master)
    assert (plain.records, plain.problems, plain.header) == (body.records, body.problems, body.header)
    assert b"".join(leaf.raw for leaf in root.leaves()) == data
    return body, root


def told(root: Node) -> dict[str, object]:
    return {node.name: node.meaning if node.meaning is not None else node.value for node in root.walk()}


def test_a_long_header_and_records() -> None:
    body, root = read(0x72, bytes(HEADER) + VOLUME)
    assert body.header == HEADER
    assert [record.name for record in body.records] == ["volume"]
    assert "unexplained" not in told(root)


def test_a_short_header_and_none() -> None:
    body, _ = read(0x7A, bytes(ShortHeader(1, 4)) + VOLUME)
    assert body.header == ShortHeader(1, 4)
    body, _ = read(0x78, VOLUME)
    assert body.header is None
    assert len(body.records) == 1


def test_the_other_order_of_bytes_reads_the_same() -> None:
    data = bytes(HEADER)
    turned = data[3::-1] + data[5:3:-1] + data[6:10] + data[:9:-1]
    body, _ = read(0x76, turned + bytes.fromhex("041300000001" + "0dfd0c03616263"))
    usual, _ = read(0x72, data + bytes.fromhex("041301000000" + "0dfd0c03636261"))
    assert body.header == usual.header
    assert [record.value for record in body.records] == [record.value for record in usual.records]


@pytest.mark.parametrize(("ci", "size"), [(0x72, 12), (0x7A, 4), (0x76, 12), (0x6F, 12), (0x74, 4)])
def test_a_header_that_is_not_whole_is_refused(ci: int, size: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"needs {size} bytes"):
        read_body(bytes(size - 1), 0, size - 1, ci)


@pytest.mark.parametrize(("ci", "prefix"), [(0x70, b""), (0x6E, bytes(4)), (0x6F, bytes(HEADER))])
def test_an_application_error_is_a_problem_and_not_broken(ci: int, prefix: bytes) -> None:
    body, root = read(ci, prefix + b"\x08")
    assert body.problems[0].message == "the meter reports: application too busy"
    assert body.problems[0].offset == len(prefix)
    assert not body.broken
    assert told(root)["error code"] == "application too busy"


def test_an_error_without_a_code_is_unspecified() -> None:
    body, _ = read(0x70, b"")
    assert "unspecified" in body.problems[0].message


@pytest.mark.parametrize(("ci", "prefix"), [(0x71, b""), (0x74, bytes(4)), (0x75, bytes(HEADER))])
def test_an_alarm_in_words(ci: int, prefix: bytes) -> None:
    _, root = read(ci, prefix + b"\x0c")
    assert told(root)["alarm status"] == "power low, permanent error"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", None),
        ("10", "user data, telegram 0"),
        ("52", "instantaneous values, telegram 2"),
        ("70", "reserved, telegram 0"),
    ],
)
def test_a_reset_names_what_is_read_then(data: str, words: str | None) -> None:
    _, root = read(0x50, bytes.fromhex(data), master=True)
    assert told(root).get("subcode") == words


def test_a_selection_spells_its_wildcards() -> None:
    _, root = read(0x52, bytes.fromhex("78563fff" + "ffff" + "ff" + "ff"), master=True)
    assert told(root) | {"data": None} == {
        "data": None,
        "identification number": "FF3F5678",
        "manufacturer": "any",
        "version": "any",
        "device type": "any",
    }
    _, root = read(0x52, HEADER.address + bytes.fromhex("0c7878563412"), master=True)
    assert told(root)["manufacturer"] == "PMX"
    with pytest.raises(RemoteProtocolError, match="8 bytes"):
        read_body(bytes(7), 0, 7, 0x52)


TIME = bytes.fromhex("001e1d4a353411000000")


@pytest.mark.parametrize("prefix", [b"", HEADER.address + bytes(4)])
def test_a_clock_command_with_and_without_a_header(prefix: bytes) -> None:
    body, root = read(0x6C, prefix + TIME, master=True)
    assert (body.header is not None) == bool(prefix)
    assert next(node.value for node in root.walk() if node.name == "time") == datetime(
        2025, 4, 21, 10, 29, 30
    )
    _, root = read(0x6D, prefix + b"\0" + (-5).to_bytes(6, "little", signed=True), master=True)
    assert next(node.value for node in root.walk() if node.name == "seconds") == -5
    with pytest.raises(RemoteProtocolError, match="clock command"):
        read_body(bytes(6), 0, 6, 0x6C)


@pytest.mark.parametrize("ci", BAUD_RATES)
def test_a_switch_of_rate_has_no_data(ci: int) -> None:
    body, _ = read(ci, b"", master=True)
    assert body.records == ()


def test_in_a_command_low_extensions_are_actions() -> None:
    data = bytes.fromhex("04930101000000")
    command, _ = read(0x51, data, master=True)
    answer, _ = read(0x78, data)
    assert command.problems == []
    assert "too many DIFEs" in answer.problems[0].message


def test_encryption_is_told_and_nothing_is_invented() -> None:
    sealed = LongHeader("12345678", "PMX", 1, 4, 7, 0, 0x0510)
    body, root = read(0x72, bytes(sealed) + bytes(range(16)))
    assert body.encrypted
    assert body.records == ()
    assert "the key is missing" in body.problems[0].message
    assert "encrypted data" in told(root)


KEY, OTHER = bytes(range(16)), bytes(16)


def sealed_body(records: bytes, tail: bytes = b"", access: int = 7) -> bytes:
    plain = b"\x2f\x2f" + records
    plain += b"\x2f" * (-len(plain) % 16)
    header = LongHeader("12345678", "PMX", 1, 4, access, 0, 0x0500 | len(plain) // 16 << 4)
    vector = bytes.fromhex("b841" + "78563412" + "0104") + bytes((access,)) * 8
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(vector)).encryptor()
    return bytes(header) + encryptor.update(plain) + encryptor.finalize() + tail


@pytest.mark.parametrize("tail", [b"", VOLUME])
@pytest.mark.parametrize("explained", [True, False])
def test_mode_5_is_opened_by_its_key(tail: bytes, explained: bool) -> None:
    data = sealed_body(VOLUME, tail)
    tree = Tree(data, "data") if explained else None
    body = read_body(data, 0, len(data), 0x72, tree=tree, keys=(OTHER, b"short", KEY))
    assert not body.encrypted
    assert [record.value for record in body.records] == [Decimal("0.001")] * (2 if tail else 1)
    assert all(record.layer == 1 for record in body.records)
    if tree is not None:
        root = tree.finish()
        assert b"".join(leaf.raw for leaf in root.leaves() if not leaf.layer) == data
        assert [layer.name for layer in tree.layers] == ["input", "decrypted"]


def test_a_wrong_key_is_called_so_and_makes_no_values() -> None:
    data = sealed_body(VOLUME)
    body = read_body(data, 0, len(data), 0x72, keys=(OTHER,))
    assert (body.encrypted, body.records) == (True, ())
    assert "wrong key" in body.problems[0].message


def test_other_modes_are_told() -> None:
    header = LongHeader("12345678", "PMX", 1, 4, 7, 0, 0x0710)
    data = bytes(header) + bytes(range(16))
    body = read_body(data, 0, len(data), 0x72, keys=(KEY,))
    assert body.encrypted
    assert "mode 7" in body.problems[0].message


@pytest.mark.parametrize(
    ("configuration", "data"),
    [(0x0510, b"\x2f\x2f" + VOLUME + bytes(8)), (0x0500, VOLUME), (0x0520, VOLUME), (0x1234, VOLUME)],
)
def test_a_signature_of_old_meters_is_no_encryption(configuration: int, data: bytes) -> None:
    header = LongHeader("12345678", "PMX", 1, 4, 7, 0, configuration)
    body, _ = read(0x72, bytes(header) + data)
    assert not body.encrypted
    assert body.records[0].name == "volume"


@pytest.mark.parametrize("ci", [0x54, 0x5C, 0x66, 0xC3, 0xA5, 0x40])
def test_what_is_not_ours_to_read_is_kept(ci: int) -> None:
    prefix = bytes(HEADER) if CI_NAMES.get(ci, ("", "none", ""))[1] == "long" else b""
    body, _ = read(ci, prefix + b"\xca\xfe")
    assert body.records[-1].value == b"\xca\xfe"
    assert (body.header is not None) == bool(prefix)


def test_more_records_are_announced() -> None:
    body, _ = read(0x78, VOLUME + b"\x1f")
    assert body.more
    body, _ = read(0x78, VOLUME)
    assert not body.more


@given(st.integers(0, 255), st.binary(max_size=40), st.booleans())
def test_any_field_reads_any_bytes(ci: int, data: bytes, master: bool) -> None:
    try:
        read(ci, data, master=master)
    except RemoteProtocolError as error:
        assert 0 <= error.offset <= len(data)
