"""Meters that push SML at an optical head or an LMN gateway."""

from __future__ import annotations

from typing import ClassVar

from polymeter.drivers.listening import ListeningDriver
from polymeter.protocols.procedure import Parity
from polymeter.protocols.sml import PushedFrames

__all__ = ["SML"]


class SML(ListeningDriver):
    """A push meter. ``type`` names a meter type whose quirks are to be mended."""

    scheme = "sml"
    description = "SML push meters: EDL21, FNN basic meters"
    serial_line: ClassVar[tuple[int, int, Parity]] = (9600, 8, "N")

    def splitter(self) -> PushedFrames:
        """What cuts the stream."""
        return PushedFrames()
