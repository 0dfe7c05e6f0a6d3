"""The tree: every byte of a telegram by name."""

from polymeter.protocols import p1
from polymeter.protocols.wire import DecodeOptions, Node


def explained(*lines: str, key: bytes = b"") -> Node:
    covered = "".join(f"{line}\r\n" for line in ("/PMX5\\2SIM", "", *lines)) + "!"
    data = (covered + p1.checksum_text(covered.encode("latin-1")) + "\r\n").encode("latin-1")
    if key:
        data = p1.encode(p1.encipher(data, key, b"PMX00001", 7))
    (found,) = p1.decode(data, DecodeOptions((key,) if key else ()))
    assert found.tree is not None
    return found.tree


def shown(node: Node) -> list[tuple[str, object, str | None]]:
    return [(leaf.name, leaf.value, leaf.meaning) for leaf in node.leaves()]


def test_the_identification_line_is_taken_apart() -> None:
    first = explained().children[0]
    assert first.name == "identification line"
    assert [(leaf.name, leaf.value) for leaf in first.leaves()] == [
        ("/", None),
        ("manufacturer", "PMX"),
        ("baud rate", "5"),
        ("identification", "\\2SIM"),
    ]


def test_a_data_line_shows_address_value_and_unit() -> None:
    lines = [node for node in explained("1-0:1.8.0(000001.500*kWh)").children if node.name == "data line"]
    assert [node.value for node in lines] == ["1-0:1.8.0*255"]
    assert [(name, str(value)) for name, value, _ in shown(lines[0])] == [
        ("address", "1-0:1.8.0"), ("(", "None"), ("value", "1.500"), ("*", "None"), ("unit", "kWh"),
        (")", "None"), ("end of line", "None"),
    ]  # fmt: skip


def test_a_time_shows_which_half_of_the_year_it_says_it_is_in() -> None:
    times = [
        (leaf.value, leaf.meaning)
        for leaf in explained("0-0:1.0.0(260701120000S)", "0-1:24.2.1(260101120000W)(1*m3)").leaves()
        if leaf.name == "time"
    ]
    assert [meaning for _, meaning in times] == ["summer time", "winter time"]


def test_a_device_type_is_named() -> None:
    meanings = [
        leaf.meaning
        for leaf in explained("0-1:24.1.0(003)", "0-2:24.1.0(200)").leaves()
        if leaf.name == "value"
    ]
    assert meanings == ["gas", "unknown device type"]


def test_what_is_no_data_set_is_a_text() -> None:
    names = [leaf.name for leaf in explained("free text", "1-0:1.8.0(1)more").leaves()]
    assert names.count("text") == 2


def test_the_checksum_is_judged() -> None:
    assert ("checksum", "good") in [(leaf.name, leaf.meaning) for leaf in explained().leaves()]
    (found,) = p1.decode(b"/PMX5SIM\r\n\r\n!1234\r\n")
    assert found.tree is not None
    assert ("checksum", "does not fit") in [(leaf.name, leaf.meaning) for leaf in found.tree.leaves()]


def test_an_envelope_is_taken_apart_and_its_content_hangs_below() -> None:
    tree = explained("1-0:1.8.0(1)", key=bytes(16))
    own = [(leaf.name, leaf.meaning) for leaf in tree.leaves() if leaf.layer == 0]
    assert own == [
        ("general-glo-ciphering", "DLMS APDU"),
        ("length of the system title", None),
        ("system title", None),
        ("length", None),
        ("security control", "suite 0, authenticated and enciphered"),
        ("invocation counter", None),
        ("ciphertext", None),
        ("authentication tag", None),
    ]
    assert any(node.layer == 1 and node.name == "data line" for node in tree.walk())
