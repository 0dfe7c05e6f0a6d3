"""Customer ports that push DSMR P1 telegrams, over TCP gateways or a serial cable."""

from __future__ import annotations

from typing import ClassVar

from polymeter.drivers.listening import ListeningDriver
from polymeter.protocols.p1 import PushedTelegrams
from polymeter.protocols.procedure import Parity

__all__ = ["P1"]


class P1(ListeningDriver):
    """A P1 port. DSMR 2 and 3 want ``baud=9600&bits=7&parity=E`` on a serial line."""

    scheme = "p1"
    description = "DSMR P1 customer ports and their relatives in other countries"
    serial_line: ClassVar[tuple[int, int, Parity]] = (115200, 8, "N")
    parameters: ClassVar = {
        **ListeningDriver.parameters,
        "key": "key of an enciphered port, 32 hex digits",
        "auth_key": "its authentication key (the public one of Luxembourg)",
    }

    def splitter(self) -> PushedTelegrams:
        """What cuts the stream."""
        return PushedTelegrams()
