"""What every driver offers: calls, written as procedures, that both faces and the workers run.

A driver stands for one open meter of one family. It overrides the calls its family has; the rest
say that they are not there. A call that only this family knows is a method marked with `@call`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

from polymeter.catalogue import MeterType, TelegramReading, meter_types
from polymeter.protocols import obis
from polymeter.protocols.procedure import Parity, Procedure
from polymeter.protocols.wire import LocalProtocolError, Value
from polymeter.transports.urls import LINES_WITH_PATH, URL

__all__ = ["Call", "Discovered", "Driver", "Row", "argument_value", "call", "writing_call"]

T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a profile: its instant by the meter's clock, and a reading for each column."""

    timestamp: datetime | None
    readings: tuple[TelegramReading, ...]
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Discovered:
    """A meter that a scan found."""

    url: str
    """Its address, as `read` takes it."""
    id: str | None = None
    manufacturer: str | None = None
    medium: str | None = None
    version: int | None = None
    primary: int | None = None
    """Its short address on the bus, where it has one."""
    collision: bool = False
    """Whether several meters answer here that cannot be told apart."""


def _ignore(*_: Any) -> None:
    """What nobody listens to."""


@dataclass(frozen=True, slots=True)
class Call:
    """A driver's call as people see it: its name, its parameters, what it does."""

    name: str
    description: str
    parameters: Mapping[str, type]
    writes: bool


def call(method: Method) -> Method:
    """Mark a method as a call that may be named from outside."""
    method.__polymeter_call__ = {"writes": False}  # type: ignore[attr-defined]
    return method


def writing_call(method: Method) -> Method:
    """Mark a method as a call that changes something in the meter."""
    method.__polymeter_call__ = {"writes": True}  # type: ignore[attr-defined]
    return method


class Driver:
    """One meter of one family.

    Subclasses set the class variables, override `open` and `close` and the calls they have.
    """

    scheme: ClassVar[str] = ""
    description: ClassVar[str] = ""
    default_port: ClassVar[int | None] = None
    serial_line: ClassVar[tuple[int, int, Parity]] = (9600, 8, "N")
    """Baud rate, bits and parity that a serial line begins with."""
    has_path: ClassVar[bool] = False
    """Whether the address's path names the meter, as on a bus."""
    listens: bool = False
    """Whether the meter sends by itself: datagrams then come to a port of ours."""
    parameters: ClassVar[Mapping[str, str]] = {}
    """The address parameters this driver understands, with what they mean."""

    def __init__(self, url: URL) -> None:
        """Take the address apart; `type` names a meter type whose parameters fill in."""
        known = {**self.parameters, "type": "meter type of the catalogue"}
        url.refuse_unknown(known)
        self.meter_type = _named_type(url)
        defaults = self.meter_type.driver if self.meter_type is not None else {}
        self.url = URL(url.scheme, url.line, url.host, url.port, url.path, {**defaults, **url.parameters})
        self.url.refuse_unknown(known)
        self.on_found: Callable[[Discovered], None] = _ignore
        """Told by a scan of each meter as it is found."""
        self.on_progress: Callable[[str, float], None] = _ignore
        """Told by a scan what is tried now and which part of the whole is done."""
        own_path = self.has_path or url.line in LINES_WITH_PATH
        if not own_path and url.path not in ("", "/"):
            raise LocalProtocolError(f"an address of {self.scheme} has no path: leave out {url.path!r}")

    def open(self) -> Procedure[None]:
        """Whatever must happen before the first call."""
        yield from ()

    def close(self) -> Procedure[None]:
        """Leave the meter as it was found."""
        yield from ()

    @call
    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Read the named objects, or everything the meter shows by itself."""
        raise self._absent("read")

    @call
    def read_profile(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        """Read the rows of a load profile from `start` up to and including `end`."""
        raise self._absent("read_profile")

    @call
    def clock(self) -> Procedure[datetime]:
        """Read the meter's clock."""
        raise self._absent("clock")

    @writing_call
    def set_clock(self, now: datetime) -> Procedure[None]:
        """Set the meter's clock."""
        raise self._absent("set_clock")

    @call
    def objects(self) -> Procedure[list[str]]:
        """List what can be read."""
        raise self._absent("objects")

    @call
    def scan(self) -> Procedure[list[Discovered]]:
        """Find the meters on a bus."""
        raise self._absent("scan")

    def _absent(self, name: str) -> LocalProtocolError:
        return LocalProtocolError(f"{self.scheme} has no call {name!r}; there are {', '.join(self.calls())}")

    @classmethod
    def calls(cls) -> Mapping[str, Call]:
        """The calls this family really has, by name."""
        found: dict[str, Call] = {}
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            mark = getattr(method, "__polymeter_call__", None) or getattr(
                getattr(Driver, name, None), "__polymeter_call__", None
            )
            if mark is None or method is getattr(Driver, name, None):
                continue
            hints = {name: _plain(hint) for name, hint in get_type_hints(method).items() if name != "return"}
            description = (inspect.getdoc(method) or "").partition("\n")[0]
            found[name] = Call(name, description, hints, mark["writes"])
        return found

    def call(self, name: str, *positional: Any, **named: Any) -> Procedure[Any]:
        """The procedure of a call by name.

        Raises:
            LocalProtocolError: this family has no such call, or the arguments do not fit it.
        """
        if name not in self.calls():
            raise self._absent(name)
        method = getattr(self, name)
        try:
            inspect.signature(method).bind(*positional, **named)
        except TypeError as error:
            raise LocalProtocolError(f"{name}: {error}") from error
        procedure: Procedure[Any] = method(*positional, **named)
        return procedure

    def refused(self, name: str, why: str) -> TelegramReading:
        """The place of an object that the meter refused, so that the others are not lost."""
        code = obis.parse(name)
        series = name if code is None else str(code)
        return TelegramReading(series, None, obis=None if code is None else series, error=why)


def _plain(hint: Any) -> type:
    """The type of a parameter that may also be `None`; text where it is none that is known."""
    choices = [choice for choice in get_args(hint) if choice is not type(None)] or [hint]
    return choices[0] if isinstance(choices[0], type) else str


def _named_type(url: URL) -> MeterType | None:
    name = url.parameters.get("type")
    if name is None:
        return None
    known = meter_types().get(name)
    if known is None or known.protocol != url.scheme:
        raise LocalProtocolError(f"the catalogue has no {url.scheme} meter type {name!r}")
    return known


def argument_value(text: str, wanted: type) -> Value | bool:
    """An argument given as text, as the type that a call's parameter has.

    Raises:
        LocalProtocolError: the text is none of that type.
    """
    try:
        if wanted is datetime:
            return datetime.fromisoformat(text)
        if wanted is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        if wanted is int:
            return int(text, 0)
        if wanted is Decimal:
            return Decimal(text)
        if wanted is bytes:
            return bytes.fromhex(text)
    except (ValueError, KeyError, InvalidOperation) as error:
        raise LocalProtocolError(f"{text!r} is no {wanted.__name__}") from error
    return text
