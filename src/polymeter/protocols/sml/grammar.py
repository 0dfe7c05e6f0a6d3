"""The grammar of SML 1.03 and 1.04 (§ 5) in tables, and bodies checked against it.

The tables say for each structure which fields it has and what they hold. Whether a field may be
left out is not checked: meters leave out what they please, and an absent value says so itself.
An unknown body is kept as it is.
"""

from __future__ import annotations

from typing import Final

from polymeter.protocols.sml.elements import (
    ABSENT,
    BOOLEAN,
    END,
    INTEGER,
    LIST,
    OCTETS,
    UNSIGNED,
    Element,
    listing,
)
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = [
    "BODIES",
    "CHOICES",
    "SERVERS",
    "STRUCTURES",
    "TAGS",
    "TUPLE_PLACES",
    "UNDESCRIBED",
    "check_body",
    "field",
    "structure",
]

_REQUEST_HEAD: Final = (("serverId", "octets"), ("username", "octets"), ("password", "octets"))
_PROFILE_REQUEST: Final = (
    *_REQUEST_HEAD,
    ("withRawdata", "boolean"),
    ("beginTime", "time"),
    ("endTime", "time"),
    ("parameterTreePath", "[octets]"),
    ("object_List", "[octets]"),
    ("dasDetails", "Tree"),
)
_QUARTERS_A: Final = ("pA", "R1", "R4")
_QUARTERS_B: Final = ("mA", "R2", "R3")


def _quarter(name: str) -> tuple[tuple[str, str], ...]:
    return ((f"unit_{name}", "unit"), (f"scaler_{name}", "scaler"), (f"value_{name}", "number"))


STRUCTURES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "PublicOpen.Req": (
        ("codepage", "octets"), ("clientId", "octets"), ("reqFileId", "octets"), ("serverId", "octets"),
        ("username", "octets"), ("password", "octets"), ("smlVersion", "number"),
    ),
    "PublicOpen.Res": (
        ("codepage", "octets"), ("clientId", "octets"), ("reqFileId", "octets"), ("serverId", "octets"),
        ("refTime", "time"), ("smlVersion", "number"),
    ),
    "PublicClose.Req": (("globalSignature", "octets"),),
    "PublicClose.Res": (("globalSignature", "octets"),),
    "GetProfilePack.Req": _PROFILE_REQUEST,
    "GetProfilePack.Res": (
        ("serverId", "octets"), ("actTime", "time"), ("regPeriod", "number"),
        ("parameterTreePath", "[octets]"), ("header_List", "[ProfObjHeaderEntry]"),
        ("period_List", "[ProfObjPeriodEntry]"), ("rawdata", "octets"), ("profileSignature", "octets"),
    ),
    "GetProfileList.Req": _PROFILE_REQUEST,
    "GetProfileList.Res": (
        ("serverId", "octets"), ("actTime", "time"), ("regPeriod", "number"),
        ("parameterTreePath", "[octets]"), ("valTime", "time"), ("status", "number"),
        ("period_List", "[PeriodEntry]"), ("rawdata", "octets"), ("periodSignature", "octets"),
    ),
    "GetProcParameter.Req": (*_REQUEST_HEAD, ("parameterTreePath", "[octets]"), ("attribute", "octets")),
    "GetProcParameter.Res": (
        ("serverId", "octets"), ("parameterTreePath", "[octets]"), ("parameterTree", "Tree"),
    ),
    "SetProcParameter.Req": (*_REQUEST_HEAD, ("parameterTreePath", "[octets]"), ("parameterTree", "Tree")),
    "GetList.Req": (
        ("clientId", "octets"), ("serverId", "octets"), ("username", "octets"), ("password", "octets"),
        ("listName", "octets"),
    ),
    "GetList.Res": (
        ("clientId", "octets"), ("serverId", "octets"), ("listName", "octets"), ("actSensorTime", "time"),
        ("valList", "[ListEntry]"), ("listSignature", "octets"), ("actGatewayTime", "time"),
    ),
    "Attention.Res": (
        ("serverId", "octets"), ("attentionNo", "octets"), ("attentionMsg", "octets"),
        ("attentionDetails", "Tree"),
    ),
    "ListEntry": (
        ("objName", "octets"), ("status", "number"), ("valTime", "time"), ("unit", "unit"),
        ("scaler", "scaler"), ("value", "value"), ("valueSignature", "octets"),
    ),
    "PeriodEntry": (
        ("objName", "octets"), ("unit", "unit"), ("scaler", "scaler"), ("value", "value"),
        ("valueSignature", "octets"),
    ),
    "ProfObjHeaderEntry": (("objName", "octets"), ("unit", "unit"), ("scaler", "scaler")),
    "ProfObjPeriodEntry": (
        ("valTime", "time"), ("status", "number"), ("value_List", "[ValueEntry]"),
        ("periodSignature", "octets"),
    ),
    "ValueEntry": (("value", "value"), ("valueSignature", "octets")),
    "Tree": (("parameterName", "octets"), ("parameterValue", "ProcParValue"), ("child_List", "[Tree]")),
    "TupelEntry": (
        ("serverId", "octets"), ("secIndex", "time"), ("status", "number"),
        *(field for name in _QUARTERS_A for field in _quarter(name)), ("signature_pA_R1_R4", "octets"),
        *(field for name in _QUARTERS_B for field in _quarter(name)), ("signature_mA_R2_R3", "octets"),
    ),
    "TimestampLocal": (("timestamp", "number"), ("localOffset", "number"), ("seasonTimeOffset", "number")),
}  # fmt: skip
"""Structure to its fields and what they hold; ``[X]`` is a list of any number of X."""

BODIES: Final = {
    0x100: "PublicOpen.Req", 0x101: "PublicOpen.Res", 0x200: "PublicClose.Req", 0x201: "PublicClose.Res",
    0x300: "GetProfilePack.Req", 0x301: "GetProfilePack.Res", 0x400: "GetProfileList.Req",
    0x401: "GetProfileList.Res", 0x500: "GetProcParameter.Req", 0x501: "GetProcParameter.Res",
    0x600: "SetProcParameter.Req", 0x700: "GetList.Req", 0x701: "GetList.Res", 0xFF01: "Attention.Res",
}  # fmt: skip
"""Body tag to structure. SetProcParameter is answered by Attention."""
UNDESCRIBED: Final = {
    0x800: "GetCosem.Req", 0x801: "GetCosem.Res", 0x900: "SetCosem.Req", 0x901: "SetCosem.Res",
    0xA00: "ActionCosem.Req", 0xA01: "ActionCosem.Res",
}  # fmt: skip
"""Bodies whose tags and names many know and whose structures nobody has told: kept as they are."""
TAGS: Final = {name: tag for tag, name in BODIES.items()}

SERVERS: Final = {
    tag: place
    for tag, name in BODIES.items()
    for place, (named, _) in enumerate(STRUCTURES[name])
    if named == "serverId"
}
"""Body tag to the place of the server id among its fields."""

TUPLE_PLACES: Final = {
    name.removeprefix("unit_"): place
    for place, (name, _) in enumerate(STRUCTURES["TupelEntry"])
    if name.startswith("unit_")
}
"""The six registers of a tuple entry, each to where unit, scaler and value of it begin."""

CHOICES: Final[dict[str, dict[int, str]]] = {
    "time": {1: "number", 2: "number", 3: "TimestampLocal"},
    "ProcParValue": {1: "value", 2: "PeriodEntry", 3: "TupelEntry", 4: "time", 5: "ListEntry"},
    "value": {1: "time"},
}
"""Choices: a list of a tag and what the tag stands for."""

_KINDS: Final[dict[str, tuple[int, ...]]] = {
    "octets": (OCTETS,),
    "number": (UNSIGNED, INTEGER),
    "unit": (UNSIGNED, INTEGER),
    "scaler": (UNSIGNED, INTEGER),
    "boolean": (BOOLEAN,),
    "value": (OCTETS, BOOLEAN, INTEGER, UNSIGNED),
    # Holley DTZ541 and others send the bare number in place of the choice.
    "time": (UNSIGNED, INTEGER),
}


def _bits(holds: str) -> int:
    return 0 if holds == "scaler" else sum(1 << kind for kind in _KINDS.get(holds, ()))


_ALLOWED: Final = {
    name: tuple((holds, _bits(holds)) for _, holds in fields) for name, fields in STRUCTURES.items()
}
"""Structure to what its fields hold and, as bits, the kinds of element that need no further look."""


def structure(name: str, **fields: Element) -> Element:
    """A structure by the names of its fields; those that are not given are absent.

    Raises:
        LocalProtocolError: there is no such structure, or it has no such field.
    """
    known = [field for field, _ in STRUCTURES.get(name, ())]
    for given in fields:
        if given not in known:
            raise LocalProtocolError(f"{name} has no field {given}; there are {', '.join(known)}")
    return listing(*(fields.get(field, ABSENT) for field in known))


def field(body: Element, structure: str, name: str) -> Element:
    """A field of a structure by its name.

    Raises:
        LocalProtocolError: the structure has no such field.
    """
    for index, (known, _) in enumerate(STRUCTURES[structure]):
        if known == name:
            found: Element = body.value[index]
            return found
    raise LocalProtocolError(f"{structure} has no field {name}")


def check_body(element: Element, what: str) -> None:
    """Check an element against the grammar.

    Raises:
        RemoteProtocolError: it is not `what` it should be, with the place.
    """
    waiting = [(element, what)]
    while waiting:
        found, wanted = waiting.pop()
        kind, value = found.kind, found.value
        if value is None and kind == OCTETS:
            continue
        if wanted[0] == "[":
            if kind != LIST:
                raise RemoteProtocolError(f"a list is expected, not {_shown(found)}", found.start)
            waiting.extend((child, wanted[1:-1]) for child in value)
        elif kind == LIST and wanted in CHOICES:
            waiting.append((_chosen(found, wanted), _alternative(found, wanted)))
        elif kind == LIST and wanted in STRUCTURES:
            fields = STRUCTURES[wanted]
            if len(value) != len(fields):
                raise RemoteProtocolError(f"{wanted} has {len(fields)} fields, not {len(value)}", found.start)
            for child, (holds, allowed) in zip(value, _ALLOWED[wanted], strict=True):
                kind = child[0]
                if allowed >> kind & 1 or (child[1] is None and kind == OCTETS):
                    continue
                if holds == "scaler" and kind == INTEGER and child[3] - child[2] == 2:
                    continue  # one octet is always in range
                waiting.append((child, holds))
        elif kind == LIST and not value and wanted == "octets":
            continue  # an empty list in place of an absent signature, as Holley sends it
        elif wanted == "any":
            continue
        elif kind not in _KINDS.get(wanted, ()):
            raise RemoteProtocolError(f"{wanted} is expected, not {_shown(found)}", found.start)
        elif wanted == "scaler" and not -128 <= value <= 127:
            raise RemoteProtocolError(f"a scaler of {value} is out of range", found.start)


def _chosen(found: Element, wanted: str) -> Element:
    if len(found.value) != 2 or found.value[0].kind not in (UNSIGNED, INTEGER):
        raise RemoteProtocolError(f"{wanted} is a tag and what it stands for", found.start)
    chosen: Element = found.value[1]
    return chosen


def _alternative(found: Element, wanted: str) -> str:
    """What a choice's tag stands for; anything, if SML 1.04 and its table do not know the tag."""
    return CHOICES[wanted].get(found.value[0].value, "any")


def _shown(element: Element) -> str:
    names = {
        OCTETS: "octets",
        BOOLEAN: "a boolean",
        INTEGER: "an integer",
        UNSIGNED: "an unsigned",
        END: "the end",
    }
    return names.get(element.kind) or f"a list of {len(element.value)}"
