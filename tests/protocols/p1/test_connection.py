"""Both ends of a P1 line."""

import pytest

from polymeter.protocols import p1
from polymeter.protocols.iec62056_21 import DataSet
from polymeter.protocols.procedure import Receive, Send, advance
from polymeter.protocols.wire import NEED_DATA, LocalProtocolError, TimedOut


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


def test_a_meter_pushes_until_nobody_listens() -> None:
    procedure = p1.serve(lambda: [b"one", b"two"], period_s=1)
    assert advance(procedure, None) == Send(b"one")
    assert advance(procedure, b"") == Send(b"two")
    assert advance(procedure, b"") == Receive(1)
    assert advance(procedure, TimedOut("silence")) == Send(b"one")
    advance(procedure, b"")
    advance(procedure, b"")
    with pytest.raises(StopIteration):
        advance(procedure, b"")
