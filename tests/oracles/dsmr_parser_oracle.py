"""Runs in dsmr-parser's interpreter: telegrams in, its values out, with the OBIS code of their line."""

import json
import re
import sys
from datetime import datetime

from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.parsers import TelegramParser

SPECIFICATIONS = (
    "V5", "V4", "V3", "V2_2", "BELGIUM_FLUVIUS", "LUXEMBOURG_SMARTY", "SWEDEN", "Q3D", "SAGEMCOM_T210_D_R",
    "EON_HUNGARY", "ISKRA_IE",
)  # fmt: skip


def plain(value):
    """A value as JSON has it; times as the meter's local ones, which is how they are written."""
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else str(value)


def read(telegram):
    """Everything that any specification finds, line by line: (line's code, values)."""
    lines = {}
    for name in SPECIFICATIONS:
        specification = getattr(specifications, name)
        for description in specification["objects"]:
            for match in re.finditer(description["obis_reference"], telegram, re.MULTILINE):
                try:
                    parsed = description["value_parser"].parse(match.group(0))
                except Exception:
                    continue
                if type(parsed).__name__ in ("CosemObject", "MBusObject"):
                    code = match.group(0).strip().partition("(")[0]
                    values = [[plain(each.get("value")), each.get("unit")] for each in parsed.values]
                    lines.setdefault(code, values)
    return lines


def entries(telegram):
    """The failures of a log and the peaks of a history: by the line's code, (time, value, unit) of each."""
    found = {}
    for name in SPECIFICATIONS:
        for description in getattr(specifications, name)["objects"]:
            for match in re.finditer(description["obis_reference"], telegram, re.MULTILINE):
                try:
                    parsed = description["value_parser"].parse(match.group(0))
                except Exception:
                    continue
                listed = parsed.buffer if type(parsed).__name__ == "ProfileGenericObject" else parsed
                if isinstance(listed, list):
                    code = match.group(0).strip().partition("(")[0]
                    found[code] = [
                        [plain(getattr(each, "occurred", each.datetime)), plain(each.value), each.unit]
                        for each in listed
                    ]
    return found


def accepted(telegram):
    """Whether it lets the checksum pass."""
    try:
        TelegramParser.validate_checksum(telegram)
    except Exception:
        return False
    return True


telegrams = json.load(sys.stdin)
json.dump(
    [{"lines": read(text), "entries": entries(text), "accepted": accepted(text)} for text in telegrams],
    sys.stdout,
)
