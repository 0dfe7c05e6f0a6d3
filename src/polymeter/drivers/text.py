"""What the drivers of all IEC 62056-21 meters share: options from the address, sign-on, sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from polymeter.catalogue.types import find_type
from polymeter.drivers.driver import Driver
from polymeter.protocols import iec62056_21
from polymeter.protocols.iec62056_21 import Identification
from polymeter.protocols.procedure import Parity, Procedure, SetLine
from polymeter.protocols.wire import AccessDenied, LocalProtocolError
from polymeter.transports.urls import URL

__all__ = ["TextDriver"]

_QUIET_S: Final = 0.2
"""Meters on RS-485 want at least 0.1 s; who shares a line with others had better wait for them."""
_NUL_S: Final = 2.2
"""How long NUL characters are sent to a sleeping meter: 2.1 to 2.3 s (§ 6.3.1)."""


class TextDriver(Driver):
    """A meter that signs on as IEC 62056-21 has it; subclasses say what is then spoken."""

    serial_line: ClassVar[tuple[int, int, Parity]] = (300, 7, "E")
    parameters: ClassVar[Mapping[str, str]] = {
        "address": "device address; needed where several meters share a line",
        "password": "password of programming mode",
        "algorithm": "name of the function that answers the meter's operand (P2), see TextDriver.algorithms",
        "argument": "what stands between the brackets of a read command (nothing)",
        "speed": "baud rate character to choose, 0 to 6 (the meter's offer)",
        "offer": "follow the rate that is chosen, stay at the old one, or ignore the offer (follow)",
        "switch_delay": "seconds between option and baud switch on a serial line",
        "answer_timeout": "seconds to wait for an answer (5)",
        "block_timeout": "seconds of silence that end the wait for the rest of a message (10)",
        "repeats": "how often to ask again after silence or damage (2)",
        "quiet": "seconds of silence before signing on (0.2 on a serial line, else 0)",
        "wake_up": "no, nul, or hex digits of what the maker wants, sent before signing on (no)",
        "wake_up_time": "seconds to send it (2.2 for nul, else once)",
        "wake_up_pause": "seconds between waking and signing on (1.6)",
        "zone": "time zone of the meter's clock, such as Europe/Berlin; without it times stay naive",
    }

    algorithms: ClassVar[dict[str, Callable[[str], str]]] = {}
    """Functions that answer the operand of meters whose password is computed: yours to add."""

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self._connection = iec62056_21.Connection("reader")
        self._configure()

    def _configure(self) -> None:
        """Read the parameters; done again when sign-on has found the meter's type."""
        given = self.url.parameters
        serial = self.url.line in ("serial", "rfc2217")
        offer = self.url.choice("offer", "follow", ("follow", "stay", "ignore"))
        self._options = iec62056_21.Options(
            address=given.get("address", ""),
            password=given.get("password"),
            answer_timeout_s=self.url.number("answer_timeout", 5.0),
            block_timeout_s=self.url.number("block_timeout", 10.0),
            repeats=int(self.url.number("repeats", 2)),
            baud=self.url.choice("speed", "", ("", *iec62056_21.BAUD_RATES)) or None,
            switches_baud=serial,
            switch_delay_s=self.url.number("switch_delay", -1.0) if "switch_delay" in given else None,
            opening=self._opening(),
            acknowledges=serial,
            answers_offer=offer != "ignore",
            follows_offer=offer == "follow",
            quiet_s=self.url.number("quiet", _QUIET_S if serial else 0.0),
            wake_up=self._wake_up(),
            wake_up_s=self.url.number("wake_up_time", _NUL_S if given.get("wake_up") == "nul" else 0.0),
            wake_up_pause_s=self.url.number("wake_up_pause", 1.6),
            answer_operand=self._algorithm(),
        )
        self._argument = given.get("argument", "")
        self._zone = self._zone_of(given.get("zone"))

    def _opening(self) -> SetLine:
        """What the line is switched to before signing on: the address's own settings, if it has any."""
        baud, bits, parity = self.serial_line
        parities: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
        chosen = parities[self.url.choice("parity", parity, tuple(parities))]
        return SetLine(int(self.url.number("baud", baud)), int(self.url.number("bits", bits)), chosen)

    def _wake_up(self) -> bytes:
        text = self.url.parameters.get("wake_up", "no")
        if text in ("no", "nul"):
            return b"" if text == "no" else b"\0"
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise LocalProtocolError(
                f"parameter wake_up must be no, nul or hex digits, not {text!r}"
            ) from error

    def _algorithm(self) -> Callable[[str], str] | None:
        name = self.url.parameters.get("algorithm")
        if name is None:
            return None
        if name not in self.algorithms:
            known = ", ".join(self.algorithms) or "none"
            raise LocalProtocolError(f"no algorithm {name!r} was registered; there are: {known}")
        return self.algorithms[name]

    def _zone_of(self, name: str | None) -> tzinfo | None:
        try:
            return ZoneInfo(name) if name is not None else None
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise LocalProtocolError(f"parameter zone: there is no time zone {name!r}") from error

    def close(self) -> Procedure[None]:
        """End the session, if one is open."""
        yield from iec62056_21.break_session(self._connection)

    def _sign_on(self) -> Procedure[Identification]:
        identification = yield from iec62056_21.sign_on(self._connection, self._options)
        if self.meter_type is None:
            facts = {
                "manufacturer": identification.manufacturer,
                "identification": identification.identification,
            }
            self.meter_type = find_type(self.scheme, facts)
            if self.meter_type is not None:
                given = {**self.meter_type.driver, **self.url.parameters}
                self.url = URL(
                    self.url.scheme, self.url.line, self.url.host, self.url.port, self.url.path, given
                )
                self._configure()
        return identification

    def _enter_programming(self) -> Procedure[None]:
        """Sign on and enter programming mode, unless we are there already; log in where we can."""
        if self._connection.state == "programming":
            return
        yield from self.close()
        identification = yield from self._sign_on()
        operand = yield from iec62056_21.start_programming(self._connection, identification, self._options)
        yield from self._log_in(operand)

    def _log_in(self, operand: str) -> Procedure[None]:
        if self._options.password is not None or self._options.answer_operand is not None:
            yield from iec62056_21.log_in(self._connection, self._options, operand)

    def _accepted(self, refused: object) -> None:
        """Raise for an order that the meter refused: whoever writes must hear of it."""
        if isinstance(refused, str):
            raise AccessDenied(refused)

    def _local(self, at: datetime) -> datetime:
        """A given time as the meter's clock has it; as it is where the meter's zone is not known."""
        return at.astimezone(self._zone) if self._zone is not None and at.tzinfo is not None else at

    def _zoned(self, at: datetime) -> datetime:
        """A time of the meter with its zone, where that is known."""
        return at.replace(tzinfo=self._zone) if self._zone is not None and at.tzinfo is None else at

    def _within(self, at: datetime | None, start: datetime, end: datetime) -> bool:
        """Whether a row belongs to a range; wall clocks are compared where a zone is missing."""
        if at is None:
            return True
        bounds = (start, end)
        if any((at.tzinfo is None) != (bound.tzinfo is None) for bound in bounds):
            at, start, end = (moment.replace(tzinfo=None) for moment in (at, *bounds))
        return start <= at <= end
