"""COSEM meters whose port wakes up as IEC 62056-21: sign on in ASCII, then the line is HDLC's (mode E).

Optical heads of DLMS meters mostly begin so. What comes after is the DLMS driver's own.
"""

from __future__ import annotations

from typing import Final

from polymeter.protocols import iec62056_21
from polymeter.protocols.procedure import Parity, Procedure, SetLine
from polymeter.protocols.wire import LocalProtocolError
from polymeter.transports.urls import URL

__all__ = ["PARAMETERS", "ModeE"]

PARAMETERS: Final = {
    "start": "hdlc, or mode_e to sign on as IEC 62056-21 first and have the meter switch to HDLC (hdlc)",
    "device_address": "mode_e: address to sign on with; needed where several meters share a line",
    "speed": "mode_e: baud rate character to choose, 0 to 6 (the meter's offer)",
    "switch_delay": "mode_e: seconds between the meter's confirmation and the switch (0)",
    "offer": "mode_e: follow, or force to choose HDLC although the meter does not offer it (follow)",
}


class ModeE:
    """What an address says about the sign-on, and the sign-on itself.

    Raises:
        LocalProtocolError: mode E is asked for, but not HDLC after it.
    """

    def __init__(self, url: URL, framing: str) -> None:
        self._wanted = url.choice("start", "hdlc", ("hdlc", "mode_e")) == "mode_e"
        if self._wanted and framing != "hdlc":
            raise LocalProtocolError("start=mode_e is followed by HDLC: give framing=hdlc as well")
        parities: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
        self._options = iec62056_21.Options(
            address=url.parameters.get("device_address", ""),
            answer_timeout_s=url.number("answer_timeout", 5.0),
            baud=url.choice("speed", "", ("", *iec62056_21.BAUD_RATES)) or None,
            switches_baud=url.line in ("serial", "rfc2217"),
            switch_delay_s=url.number("switch_delay", 0.0) or None,
            opening=SetLine(
                int(url.number("baud", 300)),
                int(url.number("bits", 7)),
                parities[url.choice("parity", "E", tuple(parities))],
            ),
            forces_mode_e=url.choice("offer", "follow", ("follow", "force")) == "force",
        )

    def start(self) -> Procedure[None]:
        """Hand the line over to HDLC, if the address asks for it; the meter's line switches, too.

        Raises:
            TimedOut: no meter answers.
            LocalProtocolError: the meter does not offer mode E.
        """
        if not self._wanted:
            return
        connection = iec62056_21.Connection("reader")
        identification = yield from iec62056_21.sign_on(connection, self._options)
        yield from iec62056_21.start_mode_e(connection, identification, self._options)
