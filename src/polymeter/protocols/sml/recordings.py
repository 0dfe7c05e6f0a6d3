"""Profiles that a meter keeps, and how it answers who asks for one: a row in a message, or all in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polymeter.protocols.sml.elements import Element, integer, listing, octets, unsigned
from polymeter.protocols.sml.entries import Entry, number
from polymeter.protocols.sml.grammar import BODIES, field, structure
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.sml.readings import instant, seconds_index

__all__ = ["Column", "Recording", "RecordingRow"]


class Column(NamedTuple):
    """What a column of a profile holds."""

    name: bytes
    unit: int
    scaler: int


class RecordingRow(NamedTuple):
    """One row, as the meter keeps it."""

    second: int
    """The end of its period, counted as the meter's times are."""
    status: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A profile: its columns, and its rows, oldest first."""

    columns: tuple[Column, ...]
    rows: Callable[[], Sequence[RecordingRow]]
    period_s: int = 0

    def answer(self, asked: Message, time: Callable[[int], Element]) -> list[dict[str, Element]] | int:
        """The fields of each response, but those that all answers share, to a request for this profile.

        Or the last two octets of the attention's number. `time` makes the meter's times of its seconds.
        """
        begin, end, details, objects = (
            field(asked.body, BODIES[asked.tag], name)
            for name in ("beginTime", "endTime", "dasDetails", "object_List")
        )
        if details.value is not None:
            return 0xFE10
        if not all(_comparable(bound, time(0)) for bound in (begin, end)):
            return 0xFE0F
        first, last = _seconds(begin), _seconds(end)
        if first is not None and last is not None and last < first:
            return 0xFE12
        places = {column.name: place for place, column in enumerate(self.columns)}
        chosen = [part.value for part in objects.value or ()] or list(places)
        if any(name not in places for name in chosen):
            return 0xFE0E
        rows = self.rows()
        if not rows:
            return 0xFE11
        within = [
            row
            for row in rows
            if (first is None or first <= row.second) and (last is None or row.second <= last)
        ]
        if not within:
            return 0xFE13
        columns = [places[name] for name in chosen]
        if asked.name == "GetProfilePack.Req":
            return [self._pack(within, columns, time)]
        return [self._period(row, columns, time) for row in within]

    def _period(
        self, row: RecordingRow, columns: Sequence[int], time: Callable[[int], Element]
    ) -> dict[str, Element]:
        entries = (
            Entry(name, row.values[place], unit, scaler).element("PeriodEntry")
            for place, (name, unit, scaler) in ((place, self.columns[place]) for place in columns)
        )
        return {
            "valTime": time(row.second),
            "status": unsigned(row.status, 4),
            "period_List": listing(*entries),
        }

    def _pack(
        self, rows: Sequence[RecordingRow], columns: Sequence[int], time: Callable[[int], Element]
    ) -> dict[str, Element]:
        headings = (
            structure(
                "ProfObjHeaderEntry",
                objName=octets(name),
                unit=unsigned(unit, 1),
                scaler=integer(scaler, 1),
            )
            for name, unit, scaler in (self.columns[place] for place in columns)
        )
        periods = (
            structure(
                "ProfObjPeriodEntry",
                valTime=time(row.second),
                status=unsigned(row.status, 4),
                value_List=listing(
                    *(structure("ValueEntry", value=number(row.values[place])) for place in columns)
                ),
            )
            for row in rows
        )
        return {"header_List": listing(*headings), "period_List": listing(*periods)}


def _comparable(bound: Element, own: Element) -> bool:
    """Whether a bound is absent, or counts from where the meter's own times do."""
    return bound.value is None or (_seconds(bound) is not None and _index(bound) == _index(own))


def _index(time: Element) -> bool:
    return seconds_index(time) is not None


def _seconds(time: Element) -> int | None:
    at = instant(time)
    return int(at.timestamp()) if at is not None else seconds_index(time)
