"""ACSE: the APDUs that open and close associations (IEC 62056-5-3 § 7.2, 8.2), in BER.

Fields keep their octets; what they mean is told by properties. Meters err here more than anywhere,
so decoding takes what can be understood and says in `notes` what was wrong. Octets that differ from
what the fields alone would give are kept in `received`, so that all that was decoded is restored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, ClassVar, Final, Self

from polymeter.protocols.dlms.ber import Element, decode_element, encode_element
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

__all__ = [
    "AARE",
    "AARQ",
    "ACSE",
    "RLRE",
    "RLRQ",
    "Context",
    "Mechanism",
    "Result",
    "decode_acse",
    "diagnostic_text",
    "encode_acse",
]

_CONTEXT: Final = bytes.fromhex("608574050801")
_MECHANISM: Final = bytes.fromhex("608574050802")
_REQUIREMENTS: Final = b"\x07\x80"  # one functional unit, authentication


class Context(IntEnum):
    """The application context: how objects are named, and whether APDUs are ciphered."""

    LN = 1
    SN = 2
    LN_CIPHERED = 3
    SN_CIPHERED = 4


class Mechanism(IntEnum):
    """How the ends authenticate each other. HLS 2 is each manufacturer's own."""

    NONE = 0
    LLS = 1
    HLS = 2
    HLS_MD5 = 3
    HLS_SHA1 = 4
    HLS_GMAC = 5
    HLS_SHA256 = 6
    HLS_ECDSA = 7


class Result(IntEnum):
    """The meter's answer to an AARQ."""

    ACCEPTED = 0
    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


_USER_DIAGNOSTICS: Final = {
    0: "null", 1: "no reason given", 2: "application context name not supported",
    3: "calling AP title not recognized", 4: "calling AP invocation identifier not recognized",
    5: "calling AE qualifier not recognized", 6: "calling AE invocation identifier not recognized",
    7: "called AP title not recognized", 8: "called AP invocation identifier not recognized",
    9: "called AE qualifier not recognized", 10: "called AE invocation identifier not recognized",
    11: "authentication mechanism name not recognized",
    12: "authentication mechanism name required", 13: "authentication failure",
    14: "authentication required",
}  # fmt: skip
_PROVIDER_DIAGNOSTICS: Final = {0: "null", 1: "no reason given", 2: "no common ACSE version"}


def diagnostic_text(source: int, code: int) -> str:
    """A result-source-diagnostic in words; `source` is 1 for the user, 2 for the provider."""
    names = _USER_DIAGNOSTICS if source == 1 else _PROVIDER_DIAGNOSTICS
    return names.get(code, f"diagnostic {code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ACSE:
    """What all four have: user information, and what decoding noticed."""

    TAG: ClassVar[int] = 0
    TITLE: ClassVar[str] = ""
    user_information: bytes | None = None
    """The xDLMS APDU inside, plain or ciphered."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    received: bytes | None = field(default=None, compare=False, repr=False)

    def __bytes__(self) -> bytes:
        return encode_acse(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Associate(ACSE):
    """What AARQ and AARE share. `None` is a field left out; names are object identifiers' contents."""

    context_name: bytes = _CONTEXT + b"\x01"
    protocol_version: bytes | None = None
    ap_title: bytes | None = None
    """The sender's system title."""
    ae_qualifier: bytes | None = None  # for suites 1 and 2 the sender's certificate
    ap_invocation_id: int | None = None
    ae_invocation_id: int | None = None
    requirements: bytes | None = None
    mechanism_name: bytes | None = None
    authentication_value: bytes | None = field(default=None, repr=False)
    """A password or a challenge."""
    authentication_kind: int = 0x80  # characters; 81 is bits, 82 and 83 are others
    implementation_information: bytes | None = None

    @classmethod
    def of(
        cls,
        context: Context,
        mechanism: Mechanism = Mechanism.NONE,
        authentication_value: bytes | None = None,
        system_title: bytes | None = None,
        user_information: bytes | None = None,
        **more: Any,
    ) -> Self:
        """The APDU as it is usually made; `more` are fields of the meter's answer (result, diagnostic)."""
        named = mechanism is not Mechanism.NONE
        return cls(
            context_name=_CONTEXT + bytes((context,)),
            ap_title=system_title,
            requirements=_REQUIREMENTS if named else None,
            mechanism_name=_MECHANISM + bytes((mechanism,)) if named else None,
            authentication_value=authentication_value,
            user_information=user_information,
            **more,
        )

    @property
    def context(self) -> Context | None:
        """The application context, `None` for one that is not of COSEM."""
        known = self.context_name[:-1] == _CONTEXT and self.context_name[-1] in Context.__members__.values()
        return Context(self.context_name[-1]) if known else None

    @property
    def mechanism(self) -> Mechanism | None:
        """The authentication mechanism, `None` for one that is not of COSEM."""
        name = self.mechanism_name
        if name is None:
            return Mechanism.NONE
        known = name[:-1] == _MECHANISM and name[-1] in Mechanism.__members__.values()
        return Mechanism(name[-1]) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AARQ(_Associate):
    """The client wants to associate."""

    TAG: ClassVar[int] = 0x60
    TITLE: ClassVar[str] = "AARQ"
    called_ap_title: bytes | None = None
    called_ae_qualifier: bytes | None = None
    called_ap_invocation_id: int | None = None
    called_ae_invocation_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AARE(_Associate):
    """The meter's answer."""

    TAG: ClassVar[int] = 0x61
    TITLE: ClassVar[str] = "AARE"
    result: int = Result.ACCEPTED
    diagnostic_source: int = 1
    diagnostic: int = 0

    @property
    def refusal(self) -> str | None:
        """Why the association is refused, `None` if it is not."""
        if self.result == Result.ACCEPTED:
            return None
        kind = {1: "permanently", 2: "for now"}.get(self.result, f"with result {self.result}")
        return f"refused {kind}: {diagnostic_text(self.diagnostic_source, self.diagnostic)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RLRQ(ACSE):
    """The client wants to release the association."""

    TAG: ClassVar[int] = 0x62
    TITLE: ClassVar[str] = "RLRQ"
    reason: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RLRE(ACSE):
    """The meter releases it."""

    TAG: ClassVar[int] = 0x63
    TITLE: ClassVar[str] = "RLRE"
    reason: int | None = 0


# How each field is written: its tag, its name, and what its contents are.
_CALLING: Final = (
    (0x80, "protocol_version", "octets"),
    (0xA1, "context_name", "oid"),
    (0xA2, "called_ap_title", "string"),
    (0xA3, "called_ae_qualifier", "string"),
    (0xA4, "called_ap_invocation_id", "integer"),
    (0xA5, "called_ae_invocation_id", "integer"),
    (0xA6, "ap_title", "string"),
    (0xA7, "ae_qualifier", "string"),
    (0xA8, "ap_invocation_id", "integer"),
    (0xA9, "ae_invocation_id", "integer"),
    (0x8A, "requirements", "octets"),
    (0x8B, "mechanism_name", "octets"),
    (0xAC, "authentication_value", "choice"),
    (0x9D, "implementation_information", "octets"),
    (0xBE, "user_information", "string"),
)
_RESPONDING: Final = (
    (0x80, "protocol_version", "octets"),
    (0xA1, "context_name", "oid"),
    (0xA2, "result", "integer"),
    (0xA3, "diagnostic", "diagnostic"),
    (0xA4, "ap_title", "string"),
    (0xA5, "ae_qualifier", "string"),
    (0xA6, "ap_invocation_id", "integer"),
    (0xA7, "ae_invocation_id", "integer"),
    (0x88, "requirements", "octets"),
    (0x89, "mechanism_name", "octets"),
    (0xAA, "authentication_value", "choice"),
    (0x9D, "implementation_information", "octets"),
    (0xBE, "user_information", "string"),
)
_RELEASE: Final = ((0x80, "reason", "number"), (0xBE, "user_information", "string"))
_FORMS: Final[dict[int, tuple[type[ACSE], tuple[tuple[int, str, str], ...]]]] = {
    0x60: (AARQ, _CALLING),
    0x61: (AARE, _RESPONDING),
    0x62: (RLRQ, _RELEASE),
    0x63: (RLRE, _RELEASE),
}
_INNER: Final = {"oid": 0x06, "string": 0x04, "integer": 0x02}


def encode_acse(value: ACSE) -> bytes:
    """The octets of an ACSE APDU.

    Raises:
        LocalProtocolError: a field does not fit.
    """
    if value.received is not None:
        return value.received
    content = b"".join(
        encode_element(tag, _content(value, kind, found))
        for tag, name, kind in _FORMS[value.TAG][1]
        if (found := getattr(value, name)) is not None
    )
    return encode_element(value.TAG, content)


def _content(value: ACSE, kind: str, found: bytes | int) -> bytes:
    if isinstance(found, bytes):
        if kind == "octets":
            return found
        if kind == "choice" and isinstance(value, _Associate):
            return encode_element(value.authentication_kind, found)
        return encode_element(_INNER[kind], found)
    if kind == "number":
        return _number(found)
    number = encode_element(0x02, _number(found))
    if kind == "diagnostic" and isinstance(value, AARE):
        if value.diagnostic_source not in (1, 2):
            raise LocalProtocolError(f"a diagnostic comes from user (1) or provider (2), not {kind}")
        return encode_element(0xA0 | value.diagnostic_source, number)
    return number


def _number(value: int) -> bytes:
    if value < 0:
        raise LocalProtocolError(f"{value} is negative")
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def decode_acse(data: bytes, tree: Tree | None = None) -> ACSE:
    """Decode one whole ACSE APDU.

    Raises:
        RemoteProtocolError: it is none, is cut, or a field makes no sense. An RLRQ or RLRE whose
            length is wrong is taken with a note, since meters are known to send such.
    """
    if not data or data[0] not in _FORMS:
        raise RemoteProtocolError("no ACSE APDU", 0)
    cls, table = _FORMS[data[0]]
    notes: list[str] = []
    start, end = _extent(data, cls, notes)
    if tree is not None:
        tree.leaf("APDU", 0, 1, None, cls.TITLE)
        tree.leaf("length", 1, start, end - start, notes[0] if notes else None)
    found: dict[str, bytes | int] = {}
    kinds = {tag: (name, kind) for tag, name, kind in table}
    pos = start
    while pos < end:
        element = decode_element(data, pos, end)
        name, kind = kinds.get(element.tag, ("", ""))
        if tree is not None:
            tree.open(name.replace("_", " ") or f"unknown field {element.tag:02x}", pos)
            tree.leaf("tag and length", pos, element.content_start)
            if element.content:
                tree.leaf("contents", element.content_start, element.end)
            tree.close(element.end)
        if not name:
            notes.append(f"unknown field {element.tag:02x} at {pos}")
        elif name in found:
            notes.append(f"{name.replace('_', ' ')} came twice")
        else:
            _take(element, name, kind, found)
        pos = element.end
    if cls in (RLRQ, RLRE):
        found.setdefault("reason", None)  # type: ignore[arg-type]
    elif "context_name" not in found:
        raise RemoteProtocolError(f"{cls.TITLE} without an application context", end)
    value = cls(**found, notes=tuple(notes))  # type: ignore[arg-type]
    return value if encode_acse(value) == data else replace(value, received=data)


def _extent(data: bytes, cls: type[ACSE], notes: list[str]) -> tuple[int, int]:
    """Where the fields begin and end."""
    try:
        outer = decode_element(data, 0)
    except RemoteProtocolError:
        if cls not in (RLRQ, RLRE) or len(data) < 2:
            raise
        notes.append(f"length {data[1]} is wrong, {len(data) - 2} octets came")
        return 2, len(data)
    if outer.end < len(data):
        if cls not in (RLRQ, RLRE):
            raise RemoteProtocolError(f"{len(data) - outer.end} octets after {cls.TITLE}", outer.end)
        notes.append(f"length {len(outer.content)} is wrong, {len(data) - outer.content_start} octets came")
    return outer.content_start, len(data)


def _take(element: Element, name: str, kind: str, found: dict[str, bytes | int]) -> None:
    """Put a field's value under its name."""
    content, start = element.content, element.content_start
    if kind == "octets":
        found[name] = content
        return
    if kind == "number":
        found[name] = int.from_bytes(content, "big")
        return
    try:
        inner = decode_element(content, 0)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(str(error), start + error.offset) from error
    if kind == "choice":
        found["authentication_kind"] = inner.tag
        found[name] = inner.content
        return
    if kind == "diagnostic":
        if inner.tag not in (0xA1, 0xA2):
            raise RemoteProtocolError(f"no diagnostic has the source {inner.tag:02x}", start)
        found["diagnostic_source"] = inner.tag & 0x0F
        start += inner.content_start
        inner = decode_element(inner.content, 0)
    if inner.tag != _INNER.get(kind, 0x02):
        raise RemoteProtocolError(f"{name.replace('_', ' ')} has the type {inner.tag:02x}", start)
    if kind in ("integer", "diagnostic"):
        if not 1 <= len(inner.content) <= 8:
            raise RemoteProtocolError(f"{name.replace('_', ' ')} has {len(inner.content)} octets", start)
        found[name] = int.from_bytes(inner.content, "big")
    elif name == "context_name" and not inner.content:
        raise RemoteProtocolError("an application context without a name", start)
    else:
        found[name] = inner.content
