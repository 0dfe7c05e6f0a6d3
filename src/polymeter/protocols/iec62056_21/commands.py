"""Programming mode's commands beyond reading one value: write, execute, profiles, the clock.

What the meter refuses is an answer in words and no exception. A write or an execute is said again
only where the meter asks for it (NAK): after silence nobody knows whether it was carried out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from polymeter.protocols.iec62056_21.connection import Connection
from polymeter.protocols.iec62056_21.frames import (
    Acknowledge,
    Break,
    Command,
    DataLine,
    DataMessage,
    Event,
    Repeat,
    decode_data,
)
from polymeter.protocols.iec62056_21.procedures import Options, ask, read_data, read_value, receive
from polymeter.protocols.iec62056_21.profiles import profile_request
from polymeter.protocols.iec62056_21.times import combine, parse_time
from polymeter.protocols.iec62056_21.values import is_refusal, refusal_text
from polymeter.protocols.procedure import Procedure, Send
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut

__all__ = [
    "CLOCK_FORMS",
    "Refusal",
    "clock_commands",
    "execute",
    "once",
    "read_clock",
    "read_profile",
    "set_clock",
    "write",
]

Refusal = str
"""Why the meter did not do it, in words."""

CLOCK_FORMS: Final = "W1 0.9.2(%y%m%d);W1 0.9.1(%H%M%S)"
"""How a clock is set where the meter's type says nothing: the date, then the time of day."""

_FORM: Final = re.compile(r"([WE]\d) ([^()]+\(.*\))", re.ASCII)


def write(
    connection: Connection, command: str, data: str | Sequence[str], options: Options = Options()
) -> Procedure[Refusal | None]:
    """Write by W1 to W5: `None` if the meter acknowledges.

    `data` is ``address(value)``; several of them go as partial blocks (W3, W4), each of which the
    meter acknowledges.

    Raises:
        TimedOut: no answer; whether it was written is not known.
    """
    answer = yield from execute(connection, command, data, options)
    if isinstance(answer, tuple):
        raise RemoteProtocolError(f"ACK is expected, {answer} came")
    return answer


def execute(
    connection: Connection, command: str, data: str | Sequence[str], options: Options = Options()
) -> Procedure[tuple[DataLine, ...] | Refusal | None]:
    """Write or execute (E2): `None` for ACK, else the data lines that the meter answers."""
    if command[:1] not in ("W", "E"):
        raise LocalProtocolError(f"{command!r} neither writes nor executes")
    blocks = [data] if isinstance(data, str) else list(data)
    if not blocks:
        raise LocalProtocolError(f"{command} needs data")
    for number, block in enumerate(blocks, 1):
        said = Command(command, block, more=number < len(blocks))
        answer = yield from once(connection, said, options)
        match answer:
            case Acknowledge():
                continue
            case DataMessage(text):
                lines = decode_data(text, strict=False)
                refused = [data_set for line in lines for data_set in line if is_refusal(data_set)]
                return refusal_text(refused[0]) if refused else lines
            case Repeat():
                return f"the meter does not accept {command} {block.partition('(')[0]}"
            case Break():
                return f"the meter ends the session on {command} {block.partition('(')[0]}"
            case _:
                raise RemoteProtocolError(f"ACK is expected, {answer} came")
    return None


def once(connection: Connection, command: Command, options: Options) -> Procedure[Event]:
    """Say a command that changes something; again only if the meter did not understand it."""
    answer: Event = Repeat()
    for _ in range(options.repeats + 1):
        yield Send(connection.send(command))
        try:
            answer = yield from receive(connection, options)
        except RemoteProtocolError:
            answer = yield from ask(connection, options, Repeat(), Repeat())
        if answer != Repeat():
            break
    return answer


def read_profile(
    connection: Connection,
    profile: str,
    start: datetime | None,
    end: datetime | None,
    options: Options = Options(),
    command: str = "R5",
    season: bool = True,
    seconds: bool = False,
) -> Procedure[tuple[DataLine, ...] | Refusal]:
    """The lines of a load profile or log from `start` to `end`; `profiles.rows` reads them.

    `command` is R5, or R6 where the meter sends partial blocks; `season` and `seconds` say whether
    the meter wants its times with a season flag and with seconds.
    """
    data = profile_request(profile, start, end, season, seconds)
    return (yield from read_data(connection, command, data, options))


def read_clock(
    connection: Connection, argument: str = "", options: Options = Options()
) -> Procedure[datetime | Refusal]:
    """The meter's clock from 0.9.2 and 0.9.1, or from 0.9.4 or 1.0.0 where these are refused.

    The date is read again after the time of day, so that midnight cannot fall between the two.
    """
    for _ in range(3):
        before = yield from _text(connection, "0.9.2", argument, options)
        if before is None:
            break
        of_day = yield from _text(connection, "0.9.1", argument, options)
        after = yield from _text(connection, "0.9.2", argument, options)
        if of_day is None:
            break
        if before == after:
            clock = combine(before, of_day)
            return clock if clock is not None else f"the meter's clock reads {before} {of_day}"
    for address in ("0.9.4", "1.0.0"):
        text = yield from _text(connection, address, argument, options)
        if text is not None and (clock := parse_time(text)) is not None:
            return clock
    return "the meter shows no clock at 0.9.1 and 0.9.2, 0.9.4 or 1.0.0"


def _text(connection: Connection, address: str, argument: str, options: Options) -> Procedure[str | None]:
    """The value at an address as it is written, `None` if the meter refuses it."""
    try:
        answer = yield from read_value(connection, address, argument, options)
    except TimedOut:
        return None
    return answer[0][0].value if not isinstance(answer, str) and answer else None


def clock_commands(forms: str, now: datetime, password: str | None = None) -> list[tuple[str, str]]:
    """What to say to set a clock: pairs of command and data.

    `forms` are commands separated by semicolons, with the codes of `datetime.strftime`, and
    ``{season}`` and ``{password}`` where the meter wants those: ``W5 0.9.1({season}%H%M%S)({password})``.

    Raises:
        LocalProtocolError: a form is no command, or needs a password that was not given.
    """
    if "{password}" in forms and password is None:
        raise LocalProtocolError("this meter wants its password to set the clock")
    season = "2" if now.tzinfo is UTC else "1" if now.dst() else "0"
    found: list[tuple[str, str]] = []
    for form in re.split(r";\s*(?=[WE]\d )", forms):
        match = _FORM.fullmatch(form.strip())
        if match is None:
            raise LocalProtocolError(f"{form!r} is no way to set a clock, such as {CLOCK_FORMS!r}")
        command, data = match.groups()
        written = now.strftime(data).replace("{season}", season).replace("{password}", password or "")
        found.append((command, written))
    return found


def set_clock(
    connection: Connection, now: datetime, forms: str = CLOCK_FORMS, options: Options = Options()
) -> Procedure[Refusal | None]:
    """Set the meter's clock to `now`, written as it is: the meter's own zone is the caller's care.

    Raises:
        LocalProtocolError: a form is none; or date and time are set one after the other and
            midnight is so close that it could fall between the two. Try again a minute later.
    """
    commands = clock_commands(forms, now, options.password)
    if len(commands) > 1 and (now + timedelta(seconds=30)).date() != now.date():
        raise LocalProtocolError("not within 30 s of midnight: date and time are set one after the other")
    for command, data in commands:
        refused = yield from write(connection, command, data, options)
        if refused is not None:
            return refused
    return None
