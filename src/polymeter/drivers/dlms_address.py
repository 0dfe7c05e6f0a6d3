"""What the address of a DLMS meter says: framing, association, keys, and whence counters come."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.associating import Proposal
from polymeter.protocols.dlms.ciphering import Security
from polymeter.protocols.dlms.counters import CounterID, Counters, MemoryCounters
from polymeter.protocols.dlms.framing import Carrier, HDLCCarrier, WrapperCarrier
from polymeter.protocols.dlms.hdlc import Address, Parameters
from polymeter.protocols.dlms.procedures import Timing
from polymeter.protocols.dlms.security import AUTHENTICATED, ENCRYPTED, Keys
from polymeter.protocols.obis import OBIS, parse
from polymeter.protocols.wire import LocalProtocolError
from polymeter.transports.urls import URL

__all__ = ["PARAMETERS", "PUBLIC_CLIENT", "ClockCounters", "MeterAddress", "code_of"]

PARAMETERS: Final = {
    "framing": "wrapper or hdlc (wrapper over TCP and UDP, hdlc on serial lines and modems)",
    "client": "client address (16, the public client)",
    "server": "address of the logical device (1)",
    "physical": "hdlc: lower address of the meter (none)",
    "address_size": "hdlc: octets of the server address, 1, 2 or 4 (1, or 4 with a lower address)",
    "auth": "none, low, md5, sha1, gmac or sha256 (none, or low with a password)",
    "password": "password or shared secret, as text or as 0x and hexadecimal digits",
    "suite": "security suite; 0 is the only one so far (0)",
    "system_title": "our system title, 16 hexadecimal digits (a made-up one)",
    "server_title": "the meter's system title; another one is refused (any)",
    "key": "global unicast encryption key, 32 hexadecimal digits; ciphers the association",
    "auth_key": "authentication key, 32 hexadecimal digits",
    "security": "both, authenticate or encrypt: how messages are protected (both, encrypt without auth_key)",
    "general": "yes to use general-glo-ciphering in place of service-specific (no)",
    "dedicated": "yes to agree on a dedicated key for each association (no)",
    "counter": "first invocation counter to use (from the clock)",
    "counter_object": "object that holds the meter's idea of our counter, read as public client first",
    "pdu": "octets that we take in one APDU (65535)",
    "max_info": "hdlc: octets of a frame's information field, both ways (128)",
    "window": "hdlc: frames in flight, both ways (1)",
    "lenient": "hdlc: yes to forgive wrong check sequences (no)",
    "list": "attributes asked for in one request, 1 for one by one (32)",
    "release": "no to leave without RLRQ (yes)",
    "deviation": "normal, or inverted for meters that count it the other way round (normal)",
    "answer_timeout": "seconds to wait for an answer (10)",
    "repeats": "how often to ask again over HDLC and UDP (2)",
}

PUBLIC_CLIENT: Final = 16
_MECHANISMS: Final = {
    "none": Mechanism.NONE,
    "low": Mechanism.LLS,
    "md5": Mechanism.HLS_MD5,
    "sha1": Mechanism.HLS_SHA1,
    "gmac": Mechanism.HLS_GMAC,
    "sha256": Mechanism.HLS_SHA256,
}
_CONTROLS: Final = {
    "both": AUTHENTICATED | ENCRYPTED,
    "authenticate": AUTHENTICATED,
    "encrypt": ENCRYPTED,
}
_SYSTEM_TITLE: Final = "504d520000000001"
"""A made-up client title, for meters that take any."""
_EPOCH_S: Final = 1_704_067_200
"""2024-01-01: what `ClockCounters` counts from."""

_reserved: dict[CounterID, int] = {}
_reserving = threading.Lock()


class ClockCounters(MemoryCounters):
    """Own counters that rise with the clock, for programs that keep nothing between two runs.

    Within a process no number is used twice. A new process begins at eight numbers for each second
    since 2024, which lasts until 2041; if the one before it was busier than that, the meter says
    which number it expects, and the driver goes on from there. Whoever can store counters gives the
    driver better ones.
    """

    def __init__(self, least: int = 0) -> None:
        super().__init__()
        self._least = max(least, int((time.time() - _EPOCH_S) * 8))

    def reserve(self, counter: CounterID, size: int) -> int:
        """See `Counters.reserve`."""
        with _reserving:
            first = max(_reserved.get(counter, 0), self._least)
            _reserved[counter] = first + size
        return first


class CountersFrom(MemoryCounters):
    """Own counters from a number on."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self._start = start

    def reserve(self, counter: CounterID, size: int) -> int:
        """See `Counters.reserve`."""
        return self._start + super().reserve(counter, size)


class MeterAddress:
    """The parameters of an address, checked, as what the protocol wants of them.

    Raises:
        LocalProtocolError: a parameter makes no sense, or another one is missing beside it.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        given = url.parameters
        own = "wrapper" if url.line in ("tcp", "udp") else "hdlc"
        self.framing = url.choice("framing", own, ("wrapper", "hdlc"))
        self.client = self._integer("client", PUBLIC_CLIENT, 0xFFFF if self.framing == "wrapper" else 0x7F)
        self._server = self._integer("server", 1, 0xFFFF if self.framing == "wrapper" else 0x3FFF)
        self._physical = self._integer("physical", 0, 0x3FFF)
        self._size = self._integer("address_size", 4 if self._physical else 1, 4)
        info, window = self._integer("max_info", 128, 2030), self._integer("window", 1, 7)
        self._parameters = Parameters(info, info, window, window)
        self._lenient = self._yes("lenient", "no")
        self.timing = Timing(url.number("answer_timeout", 10.0), self._integer("repeats", 2, 100))
        self.list_max = self._integer("list", 32, 255)
        self.inverted = url.choice("deviation", "normal", ("normal", "inverted")) == "inverted"
        auth = url.choice("auth", "low" if "password" in given else "none", (*_MECHANISMS, "ecdsa"))
        if auth == "ecdsa" or self._integer("suite", 0, 15):
            raise LocalProtocolError("only security suite 0 is supported so far, without ecdsa")
        self._mechanism = _MECHANISMS[auth]
        if self._mechanism not in (Mechanism.NONE, Mechanism.HLS_GMAC) and "password" not in given:
            raise LocalProtocolError(f"auth={auth} needs a password")
        self._secret = _secret(given.get("password", ""))
        self._apdu_max = self._integer("pdu", 0xFFFF, 0xFFFF)
        self._releases = self._yes("release", "yes")
        self._read_security()
        if self._mechanism is Mechanism.HLS_GMAC and (self.keys is None or self.keys.authentication is None):
            raise LocalProtocolError("auth=gmac needs key and auth_key")
        self.counter = self._integer("counter", 0, 0xFFFFFFFF) if "counter" in given else None
        self.counter_object = code_of(given["counter_object"]) if "counter_object" in given else None

    def _read_security(self) -> None:
        key, auth_key = self._hex("key", 16), self._hex("auth_key", 16)
        if key is None and auth_key is not None:
            raise LocalProtocolError("auth_key without key")
        self.keys = Keys(key, auth_key) if key is not None else None
        control = self._url.choice("security", "both" if auth_key else "encrypt", tuple(_CONTROLS))
        self._control = _CONTROLS[control]
        if key is not None and auth_key is None and self._control & AUTHENTICATED:
            raise LocalProtocolError(f"security={control} needs auth_key")
        self._title = self._hex("system_title", 8, _SYSTEM_TITLE) or b""
        self._server_title = self._hex("server_title", 8)
        self._general = self._yes("general", "no")
        self._dedicated = self._yes("dedicated", "no")

    def _integer(self, name: str, default: int, largest: int) -> int:
        text = self._url.parameters.get(name, str(default))
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
        if not 0 <= number <= largest:
            raise LocalProtocolError(f"parameter {name} must be a whole number up to {largest}")
        return number

    def _yes(self, name: str, default: str) -> bool:
        return self._url.choice(name, default, ("yes", "no", "1", "0")) in ("yes", "1")

    def _hex(self, name: str, size: int, default: str | None = None) -> bytes | None:
        text = self._url.parameters.get(name, default)
        if text is None:
            return None
        try:
            octets = bytes.fromhex(text)
        except ValueError as error:
            raise LocalProtocolError(f"parameter {name} must be hexadecimal digits") from error
        if len(octets) != size:
            raise LocalProtocolError(f"parameter {name} must have {2 * size} hexadecimal digits")
        return octets

    def carrier(self, client: int) -> Carrier:
        """The framing towards the meter, for a client address."""
        if self.framing == "wrapper":
            return WrapperCarrier("client", client, self._server, self._url.line == "udp")
        server = Address(self._server, self._physical, self._size)
        bytes(server)  # so that an address that does not fit is told before the line is opened
        return HDLCCarrier("client", Address(client), server, self._parameters, self._lenient)

    def proposal(self) -> Proposal:
        """What to ask for; with a new challenge each time."""
        challenge = os.urandom(16) if self._mechanism > Mechanism.LLS else b""
        return Proposal(
            self._mechanism, self._secret, challenge, apdu_max=self._apdu_max, releases=self._releases
        )

    def security(self, counters: Counters) -> Security | None:
        """How to protect, `None` if nothing is to be ciphered; with a new dedicated key each time."""
        if self.keys is None:
            return None
        dedicated = os.urandom(16) if self._dedicated else None
        return Security(
            self.keys, self._title, self._server_title, self._control, self._general, dedicated, counters
        )


def code_of(text: str) -> OBIS:
    """The OBIS code that a name is.

    Raises:
        LocalProtocolError: it is none.
    """
    code = parse(text)
    if code is None:
        raise LocalProtocolError(f"{text!r} is no OBIS code such as 1-0:1.8.0*255")
    return code


def _secret(text: str) -> bytes:
    if text.startswith("0x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError as error:
            raise LocalProtocolError("a password that begins with 0x must be hexadecimal") from error
    return text.encode("utf-8")
