"""Both ends of a P1 line."""

import pytest

from polymeter.protocols import p1
from polymeter.protocols.iec62056_21 import DataSet
from polymeter.protocols.procedure import Receive, advance
from polymeter.protocols.wire import NEED_DATA, LocalProtocolError, RemoteProtocolError


def test_what_the_meter_sends_the_reader_hears() -> None:
    meter, reader = p1.Connection("meter"), p1.Connection("reader")
    telegram = p1.write("PMX5SIM", [[DataSet("1-0:1.8.0", "000001.500", "kWh")]])
    envelope = p1.encipher(p1.encode(telegram), bytes(16), b"PMX00001", 1)
    reader.receive_data(meter.send(telegram) + meter.send(envelope))
    assert reader.next_event() == telegram
    assert reader.next_event() == envelope
    assert reader.next_event() is NEED_DATA


def test_a_reader_has_nothing_to_say_and_a_meter_hears_nothing() -> None:
    with pytest.raises(LocalProtocolError, match="only listens"):
        p1.Connection("reader").send(p1.Telegram("PMX5", ""))
    meter = p1.Connection("meter")
    meter.receive_data(b"/PMX5SIM\r\n\r\n!\r\n")
    assert meter.next_event() is NEED_DATA


def test_a_damaged_telegram_is_told_and_the_next_is_heard() -> None:
    meter, reader = p1.Connection("meter"), p1.Connection("reader")
    written = meter.send(p1.write("PMX5SIM", [[DataSet("1-0:1.8.0", "000001.500", "kWh")]]))
    reader.receive_data(written.replace(b"1.500", b"2.500") + written)
    with pytest.raises(RemoteProtocolError, match="checksum"):
        reader.next_event()
    assert isinstance(reader.next_event(), p1.Telegram)
    assert reader.next_event() is NEED_DATA


def test_the_next_telegram_is_waited_for() -> None:
    written = p1.encode(p1.write("PMX5SIM", []))
    procedure = p1.next_telegram(p1.PushedTelegrams())
    assert advance(procedure, None) == Receive(30.0)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, written)
    assert stop.value.value == written
