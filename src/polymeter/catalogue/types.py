"""Meter types: what one make and model does in its own way, as a TOML file with its proof inside.

    protocol = "iec62056-21"
    manufacturer = "Iskraemeco"
    description = "Three-phase electricity meter"

    [match]                      # how a telegram of this type is recognised; all must fit
    manufacturer = "ISK"         # a pattern with * ? [ab], or a list of them
    identification = "MT174*"

    [driver]                     # parameters of the driver, as in an address
    argument = "1"

    quirks = ["unsigned-numbers"]  # top level: what this type gets wrong, see `quirks`
    address = "version medium id"  # top level: the order in the link address, where it is not the standard's
    source = "the maker's manual"  # top level: where the facts come from, and what proves them

    [series."P.01"]              # by the record's own name, or that of its series as it would be
    name = "load"                #   printed; what tells it apart (.t1, .s2, .max, .u1) stays
    unit = "kW"
    scale = -3
    instead_of = "W"             # the telegram's unit that `unit` replaces, because it is wrong

    [payload]                    # values in bytes of the manufacturer's own: see `payloads`

    [[history]]                  # stored values that tell no time: see `history`

    [[telegram]]                 # at least one: every type is tested with its own telegrams
    input = "2f…"
    readings = [{ series = "1-0:1.8.0*255", value = "123.456", unit = "kWh" }]

A type without ``match`` is never recognised; it holds for meters whose owner says so (a driver's
``type`` parameter), which is the place for quirks that cannot be seen in a telegram.

A type is announced by lying in `data/types/`, or in a folder named by `POLYMETER_CATALOGUE_PATH`;
its name is its file's.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from polymeter.catalogue.history import History, parse_history
from polymeter.catalogue.payloads import Payload, parse_payload
from polymeter.catalogue.quirks import QUIRKS
from polymeter.protocols.wire import LocalProtocolError

__all__ = [
    "ADDRESS_FIELDS",
    "FACTS",
    "PATH_VARIABLE",
    "KnownSeries",
    "MeterType",
    "find_type",
    "meter_types",
    "parse_type",
]

PATH_VARIABLE: Final = "POLYMETER_CATALOGUE_PATH"


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """What a type knows about a record beyond what its telegrams say."""

    name: str | None = None
    quantity: str | None = None
    unit: str | None = None
    scale: int = 0
    """Power of ten to multiply by."""
    instead_of: str | None = None
    """The unit of the telegram that `unit` stands in place of. Any other stays."""


@dataclass(frozen=True, slots=True)
class MeterType:
    """One make and model."""

    name: str
    protocol: str
    manufacturer: str
    description: str = ""
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    driver: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, KnownSeries] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    telegrams: tuple[Mapping[str, Any], ...] = ()
    payloads: tuple[Payload, ...] = ()
    """How payloads of the manufacturer's own are read: the layouts this type has."""
    history: tuple[History, ...] = ()
    """Which stored values are of which months."""
    address: str | None = None
    """The order of id, version and medium in the link address, where it is the maker's own."""
    source: str = ""
    """Where the facts come from."""

    def fits(self, protocol: str, facts: Mapping[str, str | None]) -> bool:
        """Whether a telegram with these facts comes from a meter of this type."""
        return (
            protocol == self.protocol
            and bool(self.match)
            and all(
                any(fnmatchcase(facts.get(name) or "", pattern) for pattern in patterns)
                for name, patterns in self.match.items()
            )
        )


FACTS: Final = ("manufacturer", "identification", "medium", "version", "id", "system_title", "ci")
"""What a telegram may say about its meter, and so what ``match`` may ask."""

_KEYS: Final[dict[str, type]] = {
    "protocol": str,
    "manufacturer": str,
    "description": str,
    "match": dict,
    "driver": dict,
    "series": dict,
    "telegram": list,
    "history": list,
    "address": str,
    "source": str,
}
_FOUND_MAX: Final = 4096
ADDRESS_FIELDS: Final = {"id": 4, "version": 1, "medium": 1}
"""The parts of a link address and their sizes, in the standard's order."""
_WORDS: Final[dict[type, str]] = {str: "text", dict: "table", list: "list of tables"}


def parse_type(name: str, text: str) -> MeterType:
    """A meter type from its TOML text.

    Raises:
        LocalProtocolError: the text is no TOML, lacks a key, has one that is unknown, or one of
            the wrong kind; the message says which.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LocalProtocolError(f"meter type {name}: {error}") from error
    quirks = table.pop("quirks", [])
    if unknown := sorted(set(table) - set(_KEYS) - {"payload"}):
        raise LocalProtocolError(f"meter type {name}: unknown key {unknown[0]!r}")
    for key in ("protocol", "manufacturer"):
        if key not in table:
            raise LocalProtocolError(f"meter type {name}: {key} is missing")
    for key, wanted in _KEYS.items():
        if not isinstance(table.get(key, wanted()), wanted):
            raise LocalProtocolError(f"meter type {name}: {key} must be a {_WORDS[wanted]}")
    if not isinstance(quirks, list):
        raise LocalProtocolError(f"meter type {name}: quirks must be a list of texts")
    return MeterType(
        name,
        table["protocol"],
        table["manufacturer"],
        table.get("description", ""),
        {fact: _patterns(name, fact, given) for fact, given in table.get("match", {}).items()},
        {key: str(value) for key, value in table.get("driver", {}).items()},
        {record: _known_series(name, record, known) for record, known in table.get("series", {}).items()},
        tuple(_quirk(name, quirk) for quirk in quirks),
        tuple(_telegram(name, telegram) for telegram in table.get("telegram", ())),
        tuple(parse_payload(name, each) for each in _listed(table.get("payload", []))),
        tuple(parse_history(name, each) for each in table.get("history", ())),
        _address(name, table.get("address")),
        table.get("source", ""),
    )


def _patterns(name: str, fact: str, given: Any) -> tuple[str, ...]:
    if fact not in FACTS:
        raise LocalProtocolError(f"meter type {name}: match: there is no {fact!r}, but {', '.join(FACTS)}")
    patterns = _listed(given)
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise LocalProtocolError(f"meter type {name}: match: {fact} must be a text, or several")
    return tuple(patterns)


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _address(name: str, order: str | None) -> str | None:
    if order is not None and sorted(order.split()) != sorted(ADDRESS_FIELDS):
        raise LocalProtocolError(
            f"meter type {name}: address must name {', '.join(ADDRESS_FIELDS)} in their order"
        )
    return order


_SERIES_TEXTS: Final = ("name", "quantity", "unit", "instead_of")


def _known_series(name: str, record: str, table: Any) -> KnownSeries:
    if not isinstance(table, dict):
        raise LocalProtocolError(f"meter type {name}: series {record!r} must be a table")
    for key, value in table.items():
        wanted = int if key == "scale" else str if key in _SERIES_TEXTS else None
        if wanted is None:
            raise LocalProtocolError(f"meter type {name}: series {record!r} has no {key!r}")
        if not isinstance(value, wanted) or (isinstance(value, int) and not -99 <= value <= 99):
            what = "a text" if wanted is str else "a whole number from -99 to 99"
            raise LocalProtocolError(f"meter type {name}: series {record!r}: {key} must be {what}")
    return KnownSeries(**table)


def _quirk(name: str, quirk: Any) -> str:
    if not isinstance(quirk, str) or quirk not in QUIRKS:
        raise LocalProtocolError(f"meter type {name}: there is no quirk {quirk!r}, but {', '.join(QUIRKS)}")
    return quirk


def _telegram(name: str, table: Any) -> Mapping[str, Any]:
    if not (isinstance(table, dict) and isinstance(table.get("input"), str)):
        raise LocalProtocolError(f"meter type {name}: a telegram must have an input, in hex")
    return table


def _texts() -> Iterator[tuple[str, str]]:
    shipped = files("polymeter.catalogue") / "data" / "types"
    for entry in sorted(shipped.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield entry.name.removesuffix(".toml"), entry.read_text("utf-8")
    for folder in filter(None, os.environ.get(PATH_VARIABLE, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            raise LocalProtocolError(f"{PATH_VARIABLE} names {folder}, which is no folder")
        for path in sorted(Path(folder).glob("*.toml")):
            try:
                yield path.stem, path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise LocalProtocolError(f"cannot read {path}: {error}") from error


@cache
def meter_types() -> Mapping[str, MeterType]:
    """All meter types by name; one of your own replaces a shipped one of the same name."""
    return {name: parse_type(name, text) for name, text in _texts()}


class _Finder:
    """Which type fits, remembered by the facts that types ask for: a fleet has few that differ in them."""

    def __init__(self, types: Mapping[str, MeterType]) -> None:
        self.types = types
        self._candidates: dict[str, list[MeterType]] = {}
        for known in types.values():
            if known.match:
                self._candidates.setdefault(known.protocol, []).append(known)
        self._asked = {
            protocol: tuple(fact for fact in FACTS if any(fact in known.match for known in candidates))
            for protocol, candidates in self._candidates.items()
        }
        self._found: dict[tuple[str | None, ...], MeterType | None] = {}

    def find(self, protocol: str, facts: Mapping[str, str | None]) -> MeterType | None:
        key = (protocol, *(facts.get(fact) for fact in self._asked.get(protocol, ())))
        if key not in self._found:
            if len(self._found) >= _FOUND_MAX:
                self._found.clear()
            fitting = [known for known in self._candidates.get(protocol, ()) if known.fits(protocol, facts)]
            self._found[key] = max(fitting, key=lambda known: len(known.match), default=None)
        return self._found[key]


_finder = _Finder({})


def find_type(protocol: str, facts: Mapping[str, str | None]) -> MeterType | None:
    """The type that fits with the most rules, `None` if none does."""
    global _finder  # types are read anew where a folder of them is named later
    types = meter_types()
    if _finder.types is not types:
        _finder = _Finder(types)
    return _finder.find(protocol, facts)
