"""Who sent a message, as far as it says: by its system title, and by what meters push about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from polymeter.protocols.wire import MeterIdentity, Record

__all__ = ["meter_identity"]

_DEVICE_IDS: Final = (
    "0-0:96.1.0*255",
    "0-0:96.1.1*255",
    "0-0:42.0.0*255",
    "1-1:0.0.5*255",
    "1-0:0.0.0*255",
)
"""Where meters keep their own number, the most telling first."""
_LIST_ID: Final = "1-1:0.2.129*255"
_MODELS: Final = ("0-0:96.1.7*255", "1-1:96.1.1*255")
_LOGICAL_DEVICE_NAME: Final = "0-0:42.0.0*255"
_MEDIA: Final = {"1": "electricity", "5": "cooling", "6": "heat", "7": "gas", "8": "water", "9": "hot water"}


def meter_identity(title: bytes, records: Sequence[Record]) -> MeterIdentity:
    """The meter with this system title (empty: untold) that pushed these records."""
    found: dict[str, str] = {}
    for record in records:
        if record.obis in _DEVICE_IDS and isinstance(record.value, str | int):
            found.setdefault(record.obis, str(record.value))
    number = next((found[code] for code in _DEVICE_IDS if code in found), None)
    listed, own_number, model = _listed(records)
    letters = title[:3].decode("latin-1") if len(title) == 8 else found.get(_LOGICAL_DEVICE_NAME, "")[:3]
    return MeterIdentity(
        id=number or own_number,
        manufacturer=letters if letters.isalpha() and letters.isascii() else None,
        medium=_medium(records),
        system_title=title.hex() if title else None,
        identification=" ".join(part for part in (listed, model) if part) or None,
    )


def _medium(records: Sequence[Record]) -> str | None:
    """What is measured, if all codes that are not about the meter itself agree."""
    groups = {record.obis.partition("-")[0] for record in records if record.obis}
    media = groups - {"0"}
    return _MEDIA.get(media.pop()) if len(media) == 1 else None


def _listed(records: Sequence[Record]) -> tuple[str | None, str | None, str | None]:
    """Name of the list, number and model of the meter: what lists for customers begin with.

    A list names itself under a code of its own or, as bare values have no codes, in its first
    element; then the meter's number and model follow.
    """
    texts = {record.obis or record.name: record.value for record in records if isinstance(record.value, str)}
    bare = texts.get("element 1")
    listed = texts.get(_LIST_ID, bare)
    if listed is None:
        return None, None, None
    model = next((texts[code] for code in _MODELS if code in texts), None)
    if bare is not None and model is None:
        return listed, texts.get("element 2"), texts.get("element 3")
    return listed, None, model
