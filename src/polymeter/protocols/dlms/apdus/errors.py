"""How meters refuse a whole APDU (IEC 62056-5-3 § 8.3, Exception-Response, ConfirmedServiceError).

These are answers, so they are values; whoever asked decides what to raise.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.fields import U32, Cursor, Enumerated, Sink, Unsigned8
from polymeter.protocols.wire import LocalProtocolError

__all__ = [
    "ConfirmedServiceError",
    "ExceptionResponse",
    "ServiceError",
    "StateError",
    "service_error_text",
]


class StateError(IntEnum):
    """Why the service is not served."""

    SERVICE_NOT_ALLOWED = 1
    SERVICE_UNKNOWN = 2


class ServiceError(IntEnum):
    """Why it could not be done."""

    OPERATION_NOT_POSSIBLE = 1
    SERVICE_NOT_SUPPORTED = 2
    OTHER_REASON = 3
    PDU_TOO_LONG = 4
    DECIPHERING_ERROR = 5
    INVOCATION_COUNTER_ERROR = 6


class _CounterKind(NamedTuple):
    """The invocation counter that an invocation-counter-error carries; otherwise nothing."""

    def read(self, cursor: Cursor, name: str) -> int | None:
        if cursor.data[cursor.pos - 1] != ServiceError.INVOCATION_COUNTER_ERROR or cursor.pos >= len(
            cursor.data
        ):
            return None
        return U32.read(cursor, name)

    def write(self, sink: Sink, value: int | None) -> None:
        if value is not None:
            if sink.out[-1] != ServiceError.INVOCATION_COUNTER_ERROR:
                raise LocalProtocolError("only an invocation counter error carries a counter")
            U32.write(sink, value)


@apdu(b"\xd8")
class ExceptionResponse(APDU):
    """The APDU could not be served at all."""

    state_error: Annotated[int, Enumerated(StateError)]
    service_error: Annotated[int, Enumerated(ServiceError)]
    invocation_counter: Annotated[int | None, _CounterKind()] = None

    def __str__(self) -> str:
        return f"{_word(StateError, self.state_error)}, {_word(ServiceError, self.service_error)}"


def _word(names: type[IntEnum], code: int) -> str:
    return names(code).name.lower().replace("_", " ") if code in names.__members__.values() else f"{code}"


_SERVICES: Final = {1: "initiate", 2: "get status", 3: "get name list", 4: "get variable attribute",
    5: "read", 6: "write", 7: "get data set attribute", 19: "terminate upload"}  # fmt: skip
_ERRORS: Final[dict[int, tuple[str, tuple[str, ...]]]] = {
    0: ("application reference", ("other", "time elapsed", "application unreachable",
        "application reference invalid", "application context unsupported", "provider communication error",
        "deciphering error")),
    1: ("hardware resource", ("other", "memory unavailable", "processor resource unavailable",
        "mass storage unavailable", "other resource unavailable")),
    2: ("VDE state", ("other", "no DLMS context", "loading data set", "status no change",
        "status inoperable")),
    3: ("service", ("other", "PDU size", "service unsupported")),
    4: ("definition", ("other", "object undefined", "object class inconsistent",
        "object attribute inconsistent")),
    5: ("access", ("other", "scope of access violated", "object access violated", "hardware fault",
        "object unavailable")),
    6: ("initiate", ("other", "DLMS version too low", "incompatible conformance", "PDU size too short",
        "refused by the VDE handler")),
    7: ("load data set", ("other", "primitive out of sequence", "not loadable", "data set size too large",
        "not awaited segment", "interpretation failure", "storage failure", "data set not ready")),
    9: ("task", ("other", "no remote control", "task invocation stopped", "task invocation running",
        "task invocation unusable")),
    10: ("other", ("other",)),
}  # fmt: skip


def service_error_text(service: int, error: int, code: int) -> str:
    """A confirmed service error in words."""
    kind, words = _ERRORS.get(error, (f"error class {error}", ()))
    word = words[code] if code < len(words) else f"code {code}"
    return f"{_SERVICES.get(service, f'service {service}')} refused: {kind}, {word}"


@apdu(b"\x0e")
class ConfirmedServiceError(APDU):
    """A confirmed service failed: which, in what way, and why."""

    service: Unsigned8
    error: Unsigned8
    code: Unsigned8

    def __str__(self) -> str:
        return service_error_text(self.service, self.error, self.code)
