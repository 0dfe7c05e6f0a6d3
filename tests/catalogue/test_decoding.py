"""From whatever was given to frames: hex, text, bytes, keys, detection, the JSON shape."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polymeter
from polymeter.catalogue import PROTOCOLS, decode_frames, meter_types
from polymeter.catalogue.decoding import INPUT_MAX, input_bytes, key_bytes, tree_text
from polymeter.catalogue.registry import protocol_named
from polymeter.protocols.iec62056_21 import DataMessage, Identification, encode
from polymeter.protocols.wire import LocalProtocolError, Tree
from polymeter.protocols.wmbus import LinkHeader
from tests import vectors

READ_OUT = encode(Identification("PMX", "5", "SIM100")) + encode(
    DataMessage("0.0.0(42)\r\n1.8.0(7*kWh)\r\n!\r\n")
)


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ("0aff", b"\x0a\xff"),
        ("0A FF", b"\x0a\xff"),
        ("0x0A, 0xFF", b"\x0a\xff"),
        ("0a:ff-00_01;02\n", b"\x0a\xff\x00\x01\x02"),
        (b"0aff\n", b"\x0a\xff"),
        (b"\x0a\xff", b"\x0a\xff"),
        ("/PMX5\r\n", b"/PMX5\r\n"),
        ("21°C", b"21\xb0C"),
        ("€", "€".encode()),
        ("\udcff", b"\xff"),
    ],
)
def test_an_input_is_what_was_meant(given_: bytes | str, meant: bytes) -> None:
    assert input_bytes(given_) == meant


@pytest.mark.parametrize("nothing", ["", " \n", b"", b"\r\n"])
def test_no_input_is_wrong_use(nothing: bytes | str) -> None:
    with pytest.raises(LocalProtocolError, match="empty"):
        input_bytes(nothing)


def test_half_a_byte_is_wrong_use() -> None:
    with pytest.raises(LocalProtocolError, match="5 hex digits are no whole number of bytes"):
        input_bytes("0a ff 1")


def test_an_input_is_bounded() -> None:
    with pytest.raises(LocalProtocolError, match="the limit is"):
        input_bytes(b"\xff" * (INPUT_MAX + 1))


@pytest.mark.parametrize("bad", ["xyz", "0", "hunter2", "0g", "é"])
def test_errors_of_keys_do_not_repeat_them(bad: str) -> None:
    for call in (
        lambda: key_bytes(bad),
        lambda: decode_frames(READ_OUT, keys=[bad]),
        lambda: decode_frames(READ_OUT, auth_key=bad),
    ):
        with pytest.raises(LocalProtocolError, match="given in hex digits") as caught:
            call()
        assert bad not in str(caught.value).replace("hex digits", "").split()


def test_keys_may_be_bytes_or_hex() -> None:
    assert key_bytes(" 00FF ") == b"\x00\xff"
    assert len(decode_frames(READ_OUT, keys=["00ff", b"\x01"], auth_key=b"\x02")) == 1


def test_the_protocol_is_detected() -> None:
    (frame,) = decode_frames(READ_OUT)
    assert frame.decoded.protocol == "iec62056-21"
    assert "block check" in frame.decoded.why


@pytest.mark.parametrize("ci", ["7a2a000000", "8d200f01020304", "a1", "78"])
def test_a_wireless_telegram_of_any_length_is_no_message_of_another_protocol(ci: str) -> None:
    head = bytes(LinkHeader(0x44, "PMX", "12345678", 1, 7)) + bytes.fromhex(ci)
    dice = random.Random(6)
    for length in range(len(head) + 1, 256):
        sent = bytes((length,)) + head + dice.randbytes(length - len(head))
        first = next(name for name, protocol in PROTOCOLS.items() if protocol.detect(sent))
        assert first == "wmbus", f"L field {length:02X}"


@pytest.mark.parametrize("name", ["dlms", "sml", "p1", "mbus", "iec62056-21", "lis200"])
def test_no_message_of_another_protocol_is_a_wireless_telegram(name: str) -> None:
    claimed = [
        case["name"]
        for case in vectors.load_vectors(name)
        if PROTOCOLS["wmbus"].detect(vectors.telegram(case))
    ]
    assert claimed == []


def test_bytes_of_no_protocol_are_shown_and_invalid() -> None:
    (frame,) = decode_frames(b"\xde\xad\xbe\xef")
    shown = frame.as_dict()
    assert (shown["valid"], shown["protocol"]) == (False, "unknown")
    assert shown["errors"][0]["offset"] == 0
    assert shown["tree"]["raw"] == "deadbeef"


def test_an_unknown_protocol_is_refused_with_those_there_are() -> None:
    with pytest.raises(LocalProtocolError, match=r"no protocol 'morse'; there are .*iec62056-21"):
        decode_frames(READ_OUT, "morse")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_of_the_registry_decodes(name: str) -> None:
    protocol = protocol_named(name)
    assert protocol.name == name
    assert protocol.description
    assert protocol.detect(b"\x00") is None
    assert not any(frame.valid for frame in protocol.decode(b"\xfe\xff"))


def test_the_json_has_the_documented_shape() -> None:
    shown = polymeter.decode(READ_OUT)
    assert list(shown) == [
        "protocol", "valid", "encrypted", "why", "meter", "readings", "errors", "layers", "tree",
    ]  # fmt: skip
    assert shown["meter"] == {"id": "42", "manufacturer": "PMX", "identification": "SIM100"}
    assert shown["layers"] == [{"name": "input", "length": len(READ_OUT), "start": 0}]
    assert list(shown["tree"]) == ["name", "layer", "offset", "length", "raw", "value", "meaning", "children"]
    assert json.loads(json.dumps(shown)) == shown
    assert not any(isinstance(value, float) for value in _walk(shown))


def _walk(value: object) -> list[object]:
    if isinstance(value, dict):
        return [each for one in value.values() for each in _walk(one)]
    if isinstance(value, list):
        return [each for one in value for each in _walk(one)]
    return [value]


def test_without_explaining_there_is_no_tree() -> None:
    (frame,) = decode_frames(READ_OUT, explain=False)
    assert frame.as_dict()["tree"] is None
    assert len(frame.readings) == 2


def test_one_frame_is_asked_for_and_several_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="holds 2 frames: use decode_all"):
        polymeter.decode(READ_OUT * 2)
    assert [frame["layers"][0]["start"] for frame in polymeter.decode_all(READ_OUT * 2)] == [0, len(READ_OUT)]


def test_a_tree_is_readable() -> None:
    text = tree_text(decode_frames(READ_OUT)[0].decoded.tree)  # type: ignore[arg-type]
    assert "0:0001    manufacturer  PMX  [50 4d 58]" in text
    assert "(mode C, up to 9600 Bd)" in text


def test_a_deep_tree_needs_no_stack_of_calls() -> None:
    tree = Tree(b"x", "frame")
    for _ in range(3000):
        tree.open("deeper", 0)
    tree.leaf("x", 0, 1)
    tree.unwind(1, 1)
    assert tree_text(tree.finish()).count("deeper") == 3000


@given(st.text(max_size=50) | st.binary(max_size=50))
def test_any_input_is_decoded_or_refused(given_: str | bytes) -> None:
    try:
        frames = polymeter.decode_all(given_)
    except LocalProtocolError:
        return
    assert all(frame["valid"] or frame["errors"] for frame in frames)


def test_what_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        polymeter.nonsense  # noqa: B018


def test_context_is_for_protocols_whose_telegrams_teach_each_other() -> None:
    frame = "1040014116"
    assert [one.decoded.valid for one in decode_frames(frame, "mbus", context=["1040024216"])] == [True]
    with pytest.raises(LocalProtocolError):
        decode_frames("2a442d2c998734761b168d", "wmbus", context=[""])


def test_an_address_in_its_makers_own_order_is_put_right() -> None:
    known = meter_types()["hydrometer-real-data"]
    for telegram in known.telegrams:
        (frame,) = decode_frames(telegram["input"])
        sent = bytes.fromhex(telegram["input"])
        meter = frame.as_dict()["meter"]
        assert meter["id"] == sent[6:10][::-1].hex()
        assert (meter["version"], meter["medium"]) == (sent[4], {4: "heat", 7: "water"}[sent[5]])


def test_a_long_header_has_the_standards_order_whoever_sent_it() -> None:
    body = bytes.fromhex("44 2423 200412340169 72 78563412 a740 01 07 01 00 0000 041301000000")
    (frame,) = decode_frames(
        bytes((len(body),)) + body, "wmbus", meter_type=meter_types()["hydrometer-real-data"]
    )
    assert frame.as_dict()["meter"]["id"] == "12345678"
