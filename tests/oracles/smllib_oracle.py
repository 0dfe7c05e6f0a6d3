"""Runs in smllib's interpreter: captures in, how many frames and list entries it finds in each."""

import json
import sys

from smllib import SmlStreamReader
from smllib.sml import SmlGetListResponse


def count(capture):
    """Frames whose check sum fits, and the entries of their lists."""
    stream = SmlStreamReader()
    stream.add(capture)
    frames = entries = 0
    while (frame := stream.get_frame()) is not None:
        frames += 1
        for message in frame.parse_frame():
            if isinstance(message.message_body, SmlGetListResponse):
                entries += len(message.message_body.val_list)
    return [frames, entries]


json.dump([count(bytes.fromhex(capture)) for capture in json.load(sys.stdin)], sys.stdout)
