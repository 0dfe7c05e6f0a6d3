"""The meter's end: telegrams in the layouts of the versions, pushed at their pace.

`write` makes a telegram of data lines; `serve` pushes what it is given for as long as somebody
listens. What the lines say is the simulator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from polymeter.protocols.iec62056_21 import DataSet, encode_data
from polymeter.protocols.p1.frames import Telegram, checksum_text, encode
from polymeter.protocols.procedure import push_frames as serve

__all__ = ["serve", "write"]


def write(identification: str, lines: Iterable[Sequence[DataSet]], *, checksum: bool = True) -> Telegram:
    """A telegram of these lines, with its checksum unless the version has none (before DSMR 4)."""
    data = "\r\n\r\n" + encode_data(tuple(tuple(line) for line in lines), end=False)
    telegram = Telegram(identification, data)
    if not checksum:
        return telegram
    covered = encode(telegram).removesuffix(telegram.end.encode("ascii"))
    return Telegram(identification, data, checksum_text(covered))
