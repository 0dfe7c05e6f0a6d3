"""DSMR P1: what smart meters of the Netherlands and of many other countries push at their customers."""

from polymeter.protocols.p1.ciphering import PUBLIC_AUTHENTICATION_KEY, decipher, encipher
from polymeter.protocols.p1.connection import Connection, End
from polymeter.protocols.p1.decode import PROTOCOL, decode, detect
from polymeter.protocols.p1.frames import (
    Ciphered,
    Telegram,
    checksum_text,
    decode_ciphered,
    decode_telegram,
    encode,
)
from polymeter.protocols.p1.meter import serve, write
from polymeter.protocols.p1.procedures import next_telegram
from polymeter.protocols.p1.pushes import PushedTelegrams
from polymeter.protocols.p1.readings import records
from polymeter.protocols.p1.sub_meters import DEVICE_TYPES, SubMeter, sub_meters
from polymeter.protocols.p1.values import parse_time

__all__ = [
    "DEVICE_TYPES",
    "PROTOCOL",
    "PUBLIC_AUTHENTICATION_KEY",
    "Ciphered",
    "Connection",
    "End",
    "PushedTelegrams",
    "SubMeter",
    "Telegram",
    "checksum_text",
    "decipher",
    "decode",
    "decode_ciphered",
    "decode_telegram",
    "detect",
    "encipher",
    "encode",
    "next_telegram",
    "parse_time",
    "records",
    "serve",
    "sub_meters",
    "write",
]
