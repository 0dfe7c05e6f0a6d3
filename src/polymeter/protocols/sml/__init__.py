"""SML, Smart Message Language: what German meters push at their optical and LMN ports."""

from polymeter.protocols.sml.decode import PROTOCOL, decode, detect

__all__ = ["PROTOCOL", "decode", "detect"]
