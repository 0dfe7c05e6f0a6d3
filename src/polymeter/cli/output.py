"""Tables for people; what programs read is JSON and CSV."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from polymeter.catalogue import TelegramReading
from polymeter.catalogue.readings import value_text

__all__ = ["columns", "json_line", "reading_table"]


def json_line(value: Any) -> str:
    """JSON on one line; escaped where the output could not write it otherwise."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return json.dumps(value, ensure_ascii=not encoding.startswith("utf"))


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows as aligned columns; the last one is left ragged."""
    table = [tuple(row) for row in rows]
    if not table:
        return ""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def reading_table(readings: Iterable[TelegramReading]) -> str:
    """Readings as a table: series, value, unit, time, quantity."""
    return columns(
        (
            reading.series,
            reading.error or value_text(reading.value) or "-",
            reading.unit or "",
            reading.timestamp.isoformat(" ") if reading.timestamp is not None else "",
            reading.quantity if reading.quantity != "unknown" else "",
        )
        for reading in readings
    )
