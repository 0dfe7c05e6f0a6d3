"""What OBIS codes measure, in words, from `data/obis.toml`."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from importlib.resources import files

from polymeter.protocols import obis

__all__ = ["quantity_of"]


@cache
def _table() -> dict[str, str]:
    text = (files("polymeter.catalogue") / "data" / "obis.toml").read_text("utf-8")
    table: dict[str, str] = {}
    for medium, quantities in tomllib.loads(text).items():
        for code, quantity in quantities.items():
            table[f"{medium}:{code}"] = quantity
    return table


@lru_cache(maxsize=4096)
def quantity_of(code: str) -> str:
    """The quantity of an OBIS code, ``unknown`` where the table has none."""
    parsed = obis.parse(code)
    if parsed is None:
        return "unknown"
    table = _table()
    a, _, c, d, e, _ = parsed
    return table.get(f"{a}:{c}.{d}.{e}") or table.get(f"{a}:{c}.{d}") or table.get(f"{a}:{c}") or "unknown"
