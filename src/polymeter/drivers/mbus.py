"""Meters on an M-Bus, by primary or secondary address, and the search for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from polymeter.catalogue import Frame, TelegramReading, decode_frames
from polymeter.catalogue.decoding import key_bytes
from polymeter.drivers.driver import Discovered, Driver, call, writing_call
from polymeter.protocols import mbus, obis
from polymeter.protocols.mbus import SecondaryAddress
from polymeter.protocols.procedure import Parity, Procedure
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
)
from polymeter.transports.urls import URL

__all__ = ["MBus"]

_SELECTED = 253


class MBus(Driver):
    """A meter on a bus.

    The address's path is a primary number (0 to 250) or a secondary address of up to sixteen
    digits, in which F stands for any digit. On a serial line, whose path is the device, the
    parameter ``address`` says it.
    """

    scheme = "mbus"
    description = "M-Bus (EN 13757): heat, water, gas and electricity meters on two wires"
    default_port = 10001
    serial_line: ClassVar[tuple[int, int, Parity]] = (2400, 8, "E")
    has_path = True
    parameters: ClassVar = {
        "address": "primary number or secondary address, in place of the path",
        "answer_timeout": "seconds to wait for an answer (2; on a serial line from its baud rate)",
        "gap": "seconds of silence that end a frame (0.5; on a serial line from its baud rate)",
        "scan_timeout": "seconds to wait for an answer while scanning (0.25, or as on a serial line)",
        "repeats": "how often to ask again after silence or damage (2)",
        "initialise": "no to leave out SND_NKE before reading (yes)",
        "key": "AES key in hex of a meter that encrypts (security modes 5, 7 and 10)",
    }

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        given = self.url
        serial = given.line in ("serial", "rfc2217")
        usual = mbus.Options.at_baud(self._baud()) if serial else mbus.Options()
        repeats = int(given.number("repeats", usual.repeats))
        if not 0 <= repeats <= 20:
            raise LocalProtocolError(f"repeats must be 0 to 20, not {repeats}")
        gap_s = given.number("gap", usual.gap_s)
        self._options = mbus.Options(
            given.number("answer_timeout", usual.answer_timeout_s),
            gap_s,
            repeats,
            initialises=given.choice("initialise", "yes", ("yes", "no")) == "yes",
        )
        scan_s = given.number("scan_timeout", usual.answer_timeout_s if serial else 0.25)
        self._scanning = mbus.Options(scan_s, min(gap_s, scan_s), repeats, repeats_silence=False)
        self._keys = [key_bytes(given.parameters["key"])] if "key" in given.parameters else []
        self._connection = mbus.Connection("master")
        self._address = self._parsed_address()

    def _baud(self) -> int:
        return max(300, int(self.url.number("baud", self.serial_line[0])))

    def _parsed_address(self) -> int | SecondaryAddress | None:
        path = "" if self.url.line == "serial" else self.url.path.strip("/")
        text = self.url.parameters.get("address", "") or path
        if text and path and text != path:
            raise LocalProtocolError(f"two addresses are given: {path} and {text}")
        if not text:
            return None
        if len(text) <= 3 and text.isdigit():
            if int(text) > 254:
                raise LocalProtocolError(f"a primary address is 0 to 250, 253 or 254, not {text}")
            return int(text)
        return SecondaryAddress.parse(text)

    def close(self) -> Procedure[None]:
        """Deselect a meter that was selected."""
        if isinstance(self._address, SecondaryAddress) and self._connection.state != "idle":
            self._connection.reset()
        yield from ()

    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Read all telegrams of the meter, or what is named of them: a series or an OBIS code."""
        frames = yield from self._frames()
        if not objects:
            return [reading for frame in frames for reading in frame.readings]
        named = list(_named(frames))
        readings: list[TelegramReading] = []
        for wanted in objects:
            code = str(obis.parse(wanted) or wanted)
            found = [reading for reading, names in named if wanted in names or code in names]
            readings += found or [self.refused(wanted, f"the meter shows no {wanted}")]
        return readings

    def objects(self) -> Procedure[list[str]]:
        """List what the meter shows."""
        frames = yield from self._frames()
        return list(dict.fromkeys(reading.series for frame in frames for reading in frame.readings))

    def clock(self) -> Procedure[datetime]:
        """Read the meter's clock, in its own local time."""
        frames = yield from self._frames()
        for frame in frames:
            for reading in frame.readings:
                if reading.series == "time" and isinstance(reading.value, datetime):
                    return reading.value
        raise RemoteProtocolError("the meter shows no time")

    def set_clock(self, now: datetime) -> Procedure[None]:
        """Set the meter's clock, which runs in its own local time, by writing a time point."""
        address = yield from self._reached()
        yield from mbus.set_clock(self._connection, address, now.replace(tzinfo=None), self._options)

    @writing_call
    def adjust_clock(self, seconds: int) -> Procedure[None]:
        """Move the meter's clock by some seconds, forward or back."""
        address = yield from self._reached()
        answers = yield from mbus.read(self._connection, address, self._options)
        header = answers[0].body.header
        named = header if isinstance(header, mbus.LongHeader) else None
        yield from mbus.adjust_clock(self._connection, address, seconds, self._options, named)

    @writing_call
    def reset(self, subcode: int | None = None) -> Procedure[None]:
        """Reset the meter's application; a subcode chooses what it sends afterwards."""
        address = yield from self._reached()
        yield from mbus.reset_application(self._connection, address, subcode, self._options)

    @writing_call
    def set_address(self, primary: int) -> Procedure[None]:
        """Give the meter another primary address."""
        address = yield from self._reached()
        yield from mbus.set_primary(self._connection, address, primary, self._options)

    @writing_call
    def set_id(self, id: str) -> Procedure[None]:
        """Give the meter another identification number, or a whole secondary address."""
        address = yield from self._reached()
        new = SecondaryAddress.parse(id)
        yield from mbus.set_secondary(self._connection, address, new, self._options)

    @writing_call
    def set_baud(self, baud: int) -> Procedure[bool]:
        """Switch the meter and the line to another baud rate; says whether it answers at it."""
        address = yield from self._reached()
        return (yield from mbus.set_baud(self._connection, address, baud, self._options, before=self._baud()))

    @call
    def read_alarm(self) -> Procedure[str]:
        """Ask whether the meter has an alarm to tell."""
        address = yield from self._reached()
        status = yield from mbus.read_alarm(self._connection, address, self._options)
        return "no alarm" if status is None else mbus.status_text(status)

    def scan(self, by: str = "both", first: int = 0, last: int = 250) -> Procedure[list[Discovered]]:
        """Find the meters of the bus: by secondary address, by primary address, or by both."""
        if by not in ("both", "primary", "secondary"):
            raise LocalProtocolError(f"by must be both, primary or secondary, not {by!r}")
        if not 0 <= first <= last <= 250:
            raise LocalProtocolError("first and last are primary addresses from 0 to 250")
        found: list[Discovered] = []
        secondaries: set[str] = set()

        def report(one: mbus.Found) -> None:
            if one.secondary is not None and not one.collision:
                # By both ways the same meter is found twice.
                if one.secondary in secondaries:
                    return
                secondaries.add(one.secondary)
            found.append(self._discovered(one))
            self.on_found(found[-1])

        if by != "primary":
            mask = self._address if isinstance(self._address, SecondaryAddress) else mbus.ANY
            yield from mbus.scan_secondary(self._connection, mask, self._scanning, report, self.on_progress)
        if by != "secondary":
            addresses = range(first, last + 1)
            yield from mbus.scan_primary(
                self._connection, addresses, self._scanning, report, self.on_progress
            )
        return found

    def _discovered(self, found: mbus.Found) -> Discovered:
        host = f"[{self.url.host}]" if ":" in self.url.host else self.url.host
        address = found.secondary if found.secondary is not None else str(found.primary)
        if self.url.line == "serial":
            url = f"{self.scheme}+serial://{self.url.path}?address={address}"
        else:
            line = "" if self.url.line == "tcp" else f"+{self.url.line}"
            url = f"{self.scheme}{line}://{host}:{self.url.port}/{address}"
        return Discovered(
            url,
            found.secondary[:8] if found.secondary is not None else None,
            found.manufacturer,
            found.medium,
            found.version,
            found.primary,
            found.collision,
        )

    def _reached(self) -> Procedure[int]:
        """The address to speak to: the meter's own, or that of whoever is selected."""
        if self._address is None:
            raise LocalProtocolError(
                f"which meter? write {self.scheme}://{self.url.host}:{self.url.port}/ADDRESS, or scan"
            )
        if isinstance(self._address, int):
            return self._address
        yield from mbus.initialise(self._connection, _SELECTED, self._quickly())
        selected = yield from mbus.select(self._connection, self._address, self._options)
        if selected == "none":
            seconds = self._options.answer_timeout_s
            raise TimedOut(f"no meter has the address {self._address}: silence for {seconds:g} s")
        if selected == "several":
            raise RemoteProtocolError(f"several meters have the address {self._address}: give more digits")
        return _SELECTED

    def _quickly(self) -> mbus.Options:
        """For SND_NKE to whoever is selected: mostly nobody is, and nobody answers."""
        return mbus.Options(self._scanning.answer_timeout_s, self._scanning.gap_s, 0)

    def _frames(self) -> Procedure[list[Frame]]:
        address = yield from self._reached()
        answers = yield from mbus.read(self._connection, address, self._options, self._keys)
        frames: list[Frame] = []
        for answer in answers:
            frames += decode_frames(mbus.encode(answer.frame), self.scheme, keys=self._keys, explain=False)
        for frame in frames:
            words = "; ".join(problem.message for problem in frame.decoded.errors)
            if frame.decoded.encrypted and words:
                raise AccessDenied(words)
            if words and not frame.readings:
                raise RemoteProtocolError(words)
            self.meter_type = self.meter_type or frame.meter_type
        return frames


def _named(frames: list[Frame]) -> Iterator[tuple[TelegramReading, tuple[str, ...]]]:
    """Every reading with the names it answers to: its series, and the OBIS code by OMS."""
    for frame in frames:
        telegram = frame.decoded.frame
        header = telegram.header if isinstance(telegram, mbus.Telegram) else None
        device_type = header.device_type if isinstance(header, mbus.LongHeader) else None
        for record, reading in zip(frame.decoded.records, frame.readings, strict=False):
            code = mbus.obis_name(record, device_type) if device_type is not None else None
            yield reading, (reading.series,) if code is None else (reading.series, code)
