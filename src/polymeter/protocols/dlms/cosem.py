"""COSEM interface classes by class id and version: what attributes and methods are called.

The table is data, ``cosem.toml``; it is read when the first class is asked for. A class or version
that the table lacks is no error anywhere: attributes then have their numbers for names.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

__all__ = [
    "CLASS_IDS",
    "VALUE_CLASSES",
    "InterfaceClass",
    "Member",
    "Values",
    "class_name",
    "interface_class",
    "interface_classes",
    "values_of",
]


class Member(NamedTuple):
    """An attribute or a method: its number within the class, its name, the type of its value."""

    number: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class InterfaceClass:
    """One version of one class (IEC 62056-6-2)."""

    id: int
    version: int
    name: str
    attributes: tuple[Member, ...]
    methods: tuple[Member, ...] = ()

    def attribute(self, number: int) -> Member:
        """The attribute of that number; one without a name where the class has none."""
        return _member(self.attributes, number, "attribute")

    def method(self, number: int) -> Member:
        """The method of that number; one without a name where the class has none."""
        return _member(self.methods, number, "method")

    def attribute_named(self, name: str) -> int | None:
        """The number of the attribute of that name."""
        return next((member.number for member in self.attributes if member.name == name), None)

    def method_named(self, name: str) -> int | None:
        """The number of the method of that name."""
        return next((member.number for member in self.methods if member.name == name), None)


def _member(members: tuple[Member, ...], number: int, what: str) -> Member:
    for member in members:
        if member.number == number:
            return member
    return Member(number, f"{what} {number}", "any")


def _members(entries: list[str]) -> tuple[Member, ...]:
    members = []
    for number, entry in enumerate(entries, 1):
        name, _, kind = entry.partition(": ")
        if name != "-":
            members.append(Member(number, name, kind))
    return tuple(members)


@cache
def interface_classes() -> dict[tuple[int, int], InterfaceClass]:
    """All classes of the table by id and version."""
    table = tomllib.loads((files("polymeter.protocols.dlms") / "cosem.toml").read_text("utf-8"))
    return {
        (entry["id"], entry["version"]): InterfaceClass(
            entry["id"],
            entry["version"],
            entry["name"],
            _members(entry["attributes"]),
            _members(entry.get("methods", [])),
        )
        for entry in table["class"]
    }


@cache
def interface_class(id: int, version: int | None = None) -> InterfaceClass:
    """The class of that id: that version, else the latest older one, else whatever is known.

    Without a version (a capture object names none) the first one, whose members later ones keep.
    """
    known = sorted(key[1] for key in interface_classes() if key[0] == id)
    if not known:
        return InterfaceClass(id, version or 0, f"class {id}", ())
    wanted = known[0] if version is None else max((v for v in known if v <= version), default=known[0])
    return interface_classes()[id, wanted]


class Values(NamedTuple):
    """Where a class keeps values, their scaler and unit, and when they were captured."""

    attributes: tuple[int, ...] = (2,)
    scale: int | None = None
    time: int | None = None


VALUE_CLASSES: Final[dict[int, Values]] = {
    1: Values(),
    3: Values(scale=3),
    4: Values(scale=3, time=5),
    5: Values((2, 3), scale=4, time=6),
    8: Values(),
    70: Values((3,)),
}
"""The classes whose objects hold a value to be read."""


def values_of(class_id: int | None) -> Values:
    """Where a class keeps its values; attribute 2 for one that is not known."""
    return VALUE_CLASSES.get(class_id, Values()) if class_id is not None else Values()


def class_name(id: int) -> str:
    """What a class is called."""
    return interface_class(id).name


CLASS_IDS: Final = {
    "data": 1,
    "register": 3,
    "extended register": 4,
    "demand register": 5,
    "profile generic": 7,
    "clock": 8,
    "script table": 9,
    "special days table": 11,
    "association SN": 12,
    "association LN": 15,
    "SAP assignment": 17,
    "image transfer": 18,
    "activity calendar": 20,
    "IEC HDLC setup": 23,
    "push setup": 40,
    "TCP-UDP setup": 41,
    "security setup": 64,
    "disconnect control": 70,
    "limiter": 71,
    "M-Bus client": 72,
}
"""The classes that procedures and meters name."""
