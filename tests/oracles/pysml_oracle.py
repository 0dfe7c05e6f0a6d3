"""Runs in pysml's interpreter: frames in, its list entries out as (OBIS code, value, unit)."""

import json
import sys

from sml import SmlBase, SmlGetListResponse


def plain(value):
    """A value as JSON has it."""
    return value.hex() if isinstance(value, bytes) else repr(value) if isinstance(value, float) else value


def read(frame):
    """The entries of every list in a frame."""
    entries = []
    for one in SmlBase.parse_frame(frame)[1:]:
        for message in one:
            body = message.get("messageBody")
            if isinstance(body, SmlGetListResponse):
                entries += [
                    [entry.get("objName"), plain(entry.get("value")), entry.get("unit")]
                    for entry in body["valList"]
                ]
    return entries


def answer(frame):
    """The entries, or nothing where it gives up."""
    try:
        return read(frame)
    except Exception:
        return None


json.dump([answer(bytes.fromhex(frame)) for frame in json.load(sys.stdin)], sys.stdout)
