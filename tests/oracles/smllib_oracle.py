"""Runs in smllib's interpreter: captures in, the entries of each frame out, numbers with their scalers."""

import json
import sys

from smllib import SmlStreamReader
from smllib.sml import SmlGetListResponse


def read(capture):
    """For each frame that it accepts the entries of its lists; what it refuses is left out."""
    stream = SmlStreamReader()
    stream.add(capture)
    frames = []
    for _ in range(len(capture) // 16 + 1):
        try:
            frame = stream.get_frame()
            messages = [] if frame is None else frame.parse_frame()
        except Exception:  # its own errors and those of Python alike
            continue
        if frame is None:
            break
        frames.append([entry for message in messages for entry in entries(message.message_body)])
    return frames


def entries(body):
    """The entries of a list, none for another body."""
    listed = body.val_list if isinstance(body, SmlGetListResponse) else ()
    return [[entry.obis.obis_code, entry.value, entry.unit, entry.scaler] for entry in listed]


captures = json.load(sys.stdin)
json.dump([read(bytes.fromhex(capture)) for capture in captures], sys.stdout, default=str)
