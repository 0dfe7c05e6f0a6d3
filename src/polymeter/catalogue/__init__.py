"""What is known about meters, as data, and the code that applies it: Record to reading.

`registry` names the protocols, one line each. `types` loads meter types from TOML files, each
with telegrams that prove it; `names` gives OBIS codes their quantities; `decoding` is the one
function through which everybody decodes.
"""

from polymeter.catalogue.decoding import Frame, decode_frames, prove
from polymeter.catalogue.readings import TelegramReading, series_name, telegram_reading
from polymeter.catalogue.registry import PROTOCOLS, Protocol
from polymeter.catalogue.types import MeterType, meter_types
from polymeter.protocols.wire import LocalProtocolError

__all__ = [
    "PROTOCOLS",
    "Frame",
    "LocalProtocolError",
    "MeterType",
    "Protocol",
    "TelegramReading",
    "decode_frames",
    "meter_types",
    "prove",
    "series_name",
    "telegram_reading",
]
