"""What gateways publish: a telegram in an object, whatever else the object says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wire import NeedData, RemoteProtocolError
from polymeter.protocols.wmbus import LinkHeader, PushedTelegrams, decode, unwrap
from polymeter.protocols.wmbus.meter import Sender

PLAIN = Sender(LinkHeader(0x44, "PMX", "12345678", 1, 7)).telegram(bytes.fromhex("0413d2040000426cbf25"))
HEX = PLAIN.hex()


@pytest.mark.parametrize(
    ("published", "level"),
    [
        ({"telegram": HEX, "rssi": -71}, -71),
        ({"RSSI": -71.6, "Telegram": HEX.upper()}, -72),
        ({"model": "Wireless-MBus", "data": HEX, "rssi": -3.6}, None),
        ({"codes": "aa" * 80, "data": HEX}, None),
        ({"id": "00112233445566778899", "unheard_of": HEX}, None),
        ({"uplink": {"payload": HEX, "rssi_dbm": -80}, "rssi": -90}, -80),
        ({"message": f"C1;1;1;2026-03-01 12:00:00.000;97;72;12345678;0x{HEX}"}, 97),
        ({"telegram": None, "payload": 7, "data": [1], "raw": f"0x{HEX}"}, None),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_telegram_is_found_in_an_object(
    published: dict[str, Any], level: int | None, indent: int | None
) -> None:
    data = json.dumps(published, indent=indent).encode()
    (found,) = unwrap(data)
    if "unheard_of" in published:
        # Nothing says which it is: the first is taken, and its decoding shows that it is none.
        assert found.telegram.hex() == published["id"]
        return
    assert (found.telegram, found.rssi_dbm, found.fault) == (PLAIN, level, None)
    assert bytes.fromhex(data[found.telegram_start : found.telegram_end].decode()) == PLAIN
    (decoded,) = decode(data)
    assert (decoded.valid, decoded.meter.id) == (True, "12345678")


def test_objects_follow_one_another_and_lines_follow_them() -> None:
    data = json.dumps({"data": HEX}).encode() * 2 + b"\r\n" + HEX.encode() + b"\n"
    assert [found.telegram for found in unwrap(data)] == [PLAIN] * 3
    assert [one.valid for one in decode(data)] == [True] * 3


@pytest.mark.parametrize(
    "text",
    ['{"uptime": 5}', '{"telegram": "none"}', '{"a": {"b": {"c": {"d": {"e": {"f": "' + HEX + '"}}}}}}'],
)
def test_an_object_without_a_telegram_is_refused(text: str) -> None:
    (decoded,) = decode(text.encode())
    assert not decoded.valid
    splitter = PushedTelegrams()
    splitter.receive_data(text.encode() + b"\n" + PLAIN)
    with pytest.raises(RemoteProtocolError, match="no field holds a telegram"):
        splitter.next_frame()
    assert splitter.next_frame() == PLAIN


def test_what_a_receiver_calls_damaged_is_refused_and_the_next_is_taken() -> None:
    splitter = PushedTelegrams()
    splitter.receive_data(f"TMODE\nT1;0;1;0;97;72;12345678;0x{HEX}\nthe gateway is up\n{HEX}\n".encode())
    for words in ("no receiver's line", "its CRC does not fit", "no receiver's line"):
        with pytest.raises(RemoteProtocolError, match=words):
            splitter.next_frame()
    assert splitter.next_frame() == HEX.encode() + b"\n"


@given(st.data())
def test_an_object_is_cut_out_of_any_chunks(data: st.DataObject) -> None:
    whole = json.dumps({"name": "ä" * 200, "data": HEX}, indent=1, ensure_ascii=False).encode()
    stream, splitter, found, at = whole * 3, PushedTelegrams(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, 400))
        splitter.receive_data(stream[at : at + size])
        at += size
        while not isinstance(frame := splitter.next_frame(), NeedData):
            found.append(frame)
    assert found == [whole] * 3


@given(st.text(alphabet='{}[]",:\\ntrue0123456789abcdef ', max_size=300))
def test_anything_like_an_object_ends(text: str) -> None:
    for data in (b'{"' + text.encode(), text.encode()):
        list(unwrap(data))
        splitter = PushedTelegrams()
        splitter.receive_data(data + b"\n")
        for _ in range(400):
            try:
                if isinstance(splitter.next_frame(), NeedData):
                    break
            except RemoteProtocolError:
                continue
        else:
            raise AssertionError("it goes on for ever")


def test_an_object_nested_without_end_is_noise() -> None:
    deep = b'{"a":' * 100_000
    (found,) = unwrap(deep)
    assert found.fault is not None
