"""Finding meters on a bus, by primary and by secondary address.

By secondary address meters are found like words in a dictionary: everybody is selected, and where
several answer the next digit tells them apart. The number has decimal digits; where it is the same
for several meters, their device types, versions and manufacturers are tried byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from polymeter.protocols.mbus.addresses import ANY, DIGITS, SecondaryAddress
from polymeter.protocols.mbus.body import read_body
from polymeter.protocols.mbus.connection import Connection
from polymeter.protocols.mbus.frames import ADDRESS_SELECTED, SND_NKE, Acknowledge, LongFrame, ShortFrame
from polymeter.protocols.mbus.procedures import DEFAULTS, NOISE_MAX, Answer, Options, ask
from polymeter.protocols.mbus.tpl import LongHeader, medium_name
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import RemoteProtocolError, TimedOut, TransportError

__all__ = ["Found", "Selection", "scan_primary", "scan_secondary", "select"]

Selection = Literal["none", "one", "several"]

_BYTE_ORDER: Final = (14, 12, 8, 10)
"""Where device type, version and the manufacturer's two bytes begin: few values first."""


@dataclass(frozen=True, slots=True)
class Found:
    """A meter that answered, or several that could not be told apart."""

    primary: int | None
    secondary: str | None
    manufacturer: str | None = None
    medium: str | None = None
    version: int | None = None
    collision: bool = False


Report = Callable[[Found], None]
Progress = Callable[[str, float], None]
"""Told what is tried now and which part of the whole is done, between 0 and 1."""


def _nobody(_: Found) -> None: ...


def _silently(_: str, __: float) -> None: ...


def _heard(connection: Connection, frame: ShortFrame | LongFrame, options: Options) -> Procedure[bytes]:
    """Say `frame` and give all that comes until silence; colliding answers are no frames.

    Raises:
        RemoteProtocolError: it never falls silent: everything would seem to be a collision.
    """
    connection.clear()
    yield Send(connection.send(frame))
    heard, timeout_s = b"", options.answer_timeout_s
    while len(heard) <= NOISE_MAX:
        try:
            data = yield Receive(timeout_s)
        except TimedOut:
            return heard
        if not data and heard:
            return heard
        if not data:
            raise TransportError("the line was closed")
        heard, timeout_s = heard + data, options.gap_s
    raise RemoteProtocolError(f"the line never falls silent: {len(heard)} bytes came for {frame.control:02X}")


def _acknowledged(
    connection: Connection, frame: ShortFrame | LongFrame, options: Options
) -> Procedure[Selection]:
    """Whether nobody, one or several acknowledge `frame`.

    One E5 is one meter. More bytes are several. A single other byte is noise and asked for again.
    """
    for _ in range(options.repeats + 1):
        data = yield from _heard(connection, frame, options)
        if data == b"\xe5":
            return "one"
        if len(data) > 1:
            return "several"
        if not data and not options.repeats_silence:
            break
    return "none"


def select(
    connection: Connection, address: SecondaryAddress, options: Options = DEFAULTS
) -> Procedure[Selection]:
    """Select the meters with this secondary address; they then answer to primary address 253."""
    frame = connection.send_data(ADDRESS_SELECTED, 0x52, bytes(address))
    return (yield from _acknowledged(connection, frame, options))


def _identified(
    connection: Connection, address: int, options: Options
) -> Procedure[Answer | Acknowledge | None]:
    """The first telegram of whoever answers, `None` if it is damaged every time: several answer.

    Whoever has no data acknowledges the question.

    Raises:
        TimedOut: nobody answers.
    """
    try:
        frame = yield from ask(connection, connection.request(address), options)
    except RemoteProtocolError:
        return None
    if isinstance(frame, Acknowledge):
        return frame
    if not isinstance(frame, LongFrame):
        return None
    try:
        return Answer(frame, read_body(frame.data, 0, len(frame.data), frame.ci))
    except RemoteProtocolError:
        return None


def _found(answer: Answer | None, primary: int | None, secondary: str | None) -> Found:
    if answer is None:
        return Found(primary, secondary, collision=True)
    header, fixed = answer.body.header, answer.body.fixed
    if isinstance(header, LongHeader):
        own = SecondaryAddress.of(header).digits
        if primary is None and answer.frame.address <= 250:
            primary = answer.frame.address
        return Found(primary, own, header.manufacturer, medium_name(header.device_type), header.version)
    if fixed is not None:
        # The fixed structure tells no manufacturer and no version.
        return Found(primary, f"{fixed.id}FFFFFFFF", medium=fixed.medium)
    return Found(primary, secondary)


def scan_primary(
    connection: Connection,
    addresses: Iterable[int] = range(251),
    options: Options = DEFAULTS,
    report: Report = _nobody,
    progress: Progress = _silently,
) -> Procedure[list[Found]]:
    """Ask every primary address whether somebody is there."""
    found: list[Found] = []
    wanted = list(addresses)
    for index, address in enumerate(wanted):
        progress(f"address {address}", index / len(wanted))
        heard = yield from _acknowledged(connection, ShortFrame(SND_NKE, address), options)
        if heard == "none":
            continue
        try:
            answer = yield from _identified(connection, address, options)
        except TimedOut:
            answer = Acknowledge()
        if isinstance(answer, Acknowledge):
            # It acknowledges and has no data: a meter all the same.
            one = Found(address, None, collision=heard == "several")
        else:
            one = _found(answer, address, None)
        found.append(one)
        report(one)
    progress("done", 1.0)
    return found


def scan_secondary(
    connection: Connection,
    mask: SecondaryAddress = ANY,
    options: Options = DEFAULTS,
    report: Report = _nobody,
    progress: Progress = _silently,
    *,
    hexadecimal: bool = False,
) -> Procedure[list[Found]]:
    """Find every meter that `mask` allows; its digits that are not F stay as they are.

    Args:
        hexadecimal: whether numbers may have the digits A to E, as few meters do.
    """
    search = _Search(
        connection, options, report, progress, "0123456789ABCDE" if hexadecimal else "0123456789"
    )
    yield from search.run(mask)
    return search.found


class _Search:
    def __init__(
        self, connection: Connection, options: Options, report: Report, progress: Progress, digits: str
    ) -> None:
        self.connection = connection
        self.options = options
        self.report = report
        self.progress = progress
        self.digits = digits
        self.found: list[Found] = []
        self._selected = True
        """Whether somebody may be selected and must be told that he no longer is."""

    def run(self, mask: SecondaryAddress) -> Procedure[None]:
        """Depth first, without recursion: what is left to try, and its share of the whole."""
        todo: list[tuple[SecondaryAddress, float]] = [(mask, 1.0)]
        done = 0.0
        while todo:
            address, share = todo.pop()
            self.progress(f"{address}", done)
            several = yield from self._try(address)
            narrower = _narrowed(address, self.digits) if several else []
            if several and not narrower:
                self._add(Found(None, str(address), collision=True))
            if not narrower:
                done += share
            todo += [(one, share / len(narrower)) for one in reversed(narrower)]
        self.progress("done", 1.0)

    def _try(self, address: SecondaryAddress) -> Procedure[bool]:
        """Whether several meters have this address; a single one is noted."""
        if self._selected:
            # Whatever comes, a late answer for instance, ends no search.
            yield from _heard(self.connection, ShortFrame(SND_NKE, ADDRESS_SELECTED), self.options)
        answered = yield from select(self.connection, address, self.options)
        self._selected = answered != "none"
        if answered != "one":
            return answered == "several"
        try:
            answer = yield from _identified(self.connection, ADDRESS_SELECTED, self.options)
        except TimedOut:
            self._add(Found(None, str(address)))
            return False
        if answer is None:
            # Acknowledgements that overlap exactly look like one; the data behind them does not.
            return True
        if isinstance(answer, Acknowledge):
            # One or several without data: who answers to the whole address is the meter that has it.
            if not address.wild:
                self._add(Found(None, str(address)))
            return address.wild
        found = _found(answer, None, str(address))
        if address.wild and not (yield from self._confirmed(address, answer, found)):
            return True
        self._add(found)
        return False

    def _confirmed(self, asked: SecondaryAddress, answer: Answer, found: Found) -> Procedure[bool]:
        """Whether the meter that answered exists: of data that overlaps, one in 256 has a good checksum."""
        header = answer.body.header
        if isinstance(header, LongHeader) and not asked.matches(header):
            return False
        if found.secondary is None or found.secondary == asked.digits:
            return True
        own = SecondaryAddress.parse(found.secondary)
        return (yield from select(self.connection, own, self.options)) == "one"

    def _add(self, found: Found) -> None:
        if found not in self.found:
            self.found.append(found)
            self.report(found)


def _narrowed(address: SecondaryAddress, digits: str) -> list[SecondaryAddress]:
    """The addresses that follow if the first wildcard takes each of its values; none without one."""
    for at in range(DIGITS):
        if address.digits[at] == "F":
            return [address.replaced(at, digit) for digit in digits]
    for at in _BYTE_ORDER:
        if address.byte(at) == "FF":
            return [address.replaced(at, f"{value:02X}") for value in range(255)]
    return []
