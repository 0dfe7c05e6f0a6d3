"""The CI field: what follows it, and the small messages that are no records (EN 13757-7 § 7.2)."""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "APPLICATION_ERRORS",
    "BAUD_RATES",
    "CI_NAMES",
    "MSB_FIRST",
    "RESET_SUBCODES",
    "application_error",
    "ci_name",
]

Body = Literal["records", "fixed", "error", "alarm", "reset", "select", "clock", "baud", "opaque"]
HeaderKind = Literal["none", "short", "long"]

BAUD_RATES: Final[dict[int, int]] = {
    0xB8: 300,
    0xB9: 600,
    0xBA: 1200,
    0xBB: 2400,
    0xBC: 4800,
    0xBD: 9600,
    0xBE: 19200,
    0xBF: 38400,
}
"""CI field to the baud rate it switches to."""

CI_NAMES: Final[dict[int, tuple[str, HeaderKind, Body]]] = {
    0x50: ("application reset", "none", "reset"),
    0x51: ("data send", "none", "records"),
    0x52: ("selection of a slave", "none", "select"),
    0x53: ("application reset, long header", "long", "reset"),
    0x54: ("synchronise action, or request of the selected application", "none", "opaque"),
    0x55: ("data send, most significant byte first", "none", "records"),
    0x56: ("selection of a slave, most significant byte first", "none", "select"),
    0x57: ("application reset, short header", "short", "reset"),
    0x5A: ("command, short header", "short", "records"),
    0x5B: ("command, long header", "long", "records"),
    0x5C: ("synchronise action", "none", "opaque"),
    0x66: ("selected application", "none", "opaque"),
    0x67: ("selected application, short header", "short", "opaque"),
    0x68: ("selected application, long header", "long", "opaque"),
    0x69: ("format frame", "none", "opaque"),
    0x6A: ("data with records, short header", "short", "records"),
    0x6B: ("format frame, long header", "long", "opaque"),
    0x6C: ("clock synchronisation, absolute", "none", "clock"),
    0x6D: ("clock synchronisation, relative", "none", "clock"),
    0x6E: ("application error, short header", "short", "error"),
    0x6F: ("application error, long header", "long", "error"),
    0x70: ("application error", "none", "error"),
    0x71: ("alarm", "none", "alarm"),
    0x72: ("response, long header", "long", "records"),
    0x73: ("response, fixed structure", "none", "fixed"),
    0x74: ("alarm, short header", "short", "alarm"),
    0x75: ("alarm, long header", "long", "alarm"),
    0x76: ("response, most significant byte first", "long", "records"),
    0x77: ("response, fixed structure, most significant byte first", "none", "fixed"),
    0x78: ("response, no header", "none", "records"),
    0x79: ("compact frame", "none", "opaque"),
    0x7A: ("response, short header", "short", "records"),
    0x7B: ("compact frame, short header", "short", "opaque"),
    0x90: ("authentication and fragmentation layer", "none", "opaque"),
    0xC0: ("image transfer to the meter, long header", "long", "opaque"),
    0xC2: ("image transfer from the meter, long header", "long", "opaque"),
    0xC3: ("security information to the meter, long header", "long", "opaque"),
    0xC5: ("security information from the meter, long header", "long", "opaque"),
    **{ci: (f"switch to {baud} Bd", "none", "baud") for ci, baud in BAUD_RATES.items()},
}
"""What a CI field announces on wire, which header comes first and what comes then."""

MSB_FIRST: Final = frozenset((0x55, 0x56, 0x76, 0x77))

APPLICATION_ERRORS: Final = (
    "unspecified error",
    "unimplemented CI field",
    "buffer too long",
    "too many records",
    "premature end of record",
    "more than 10 DIFEs",
    "more than 10 VIFEs",
    "reserved",
    "application too busy",
    "too many readouts",
)
_LATER_ERRORS: Final = {
    0x10: "access denied",
    0x11: "application or command unknown",
    0x12: "parameter is missing or wrong",
    0x13: "unknown receiver",
    0x14: "decryption failed",
    0x15: "encryption method not supported",
    0x16: "signature method not supported",
    0xF0: "dynamic application error",
}

RESET_SUBCODES: Final = {
    0x0: "all",
    0x1: "user data",
    0x2: "simple billing",
    0x3: "enhanced billing",
    0x4: "multi tariff billing",
    0x5: "instantaneous values",
    0x6: "load management values",
    0x8: "installation and start-up",
    0x9: "testing",
    0xA: "calibration",
    0xB: "manufacturing",
    0xC: "development",
    0xD: "self-test",
}
"""High four bits of the subcode of an application reset (§ 7.6.2); the low four number telegrams."""


def ci_name(ci: int) -> str:
    """A CI field in words."""
    if ci in CI_NAMES:
        return CI_NAMES[ci][0]
    return "manufacturer's own" if 0xA0 <= ci <= 0xB7 else "unknown"


def application_error(code: int) -> str:
    """An application error in words (§ 10)."""
    if code < len(APPLICATION_ERRORS):
        return APPLICATION_ERRORS[code]
    return _LATER_ERRORS.get(code, f"error {code:02X}")
