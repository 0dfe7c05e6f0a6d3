"""The protocols that can be decoded: one line announces each.

A protocol's package is imported when it is first used. It offers `decode` and `detect`, as
`polymeter.protocols.iec62056_21` does; where telegrams can only be read together, as in
`polymeter.protocols.wmbus`, also the `Memory` that `decode` then takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast
from typing import Protocol as TypingProtocol

from polymeter.protocols.wire import Decoded, DecodeOptions, LocalProtocolError

__all__ = ["PROTOCOLS", "Protocol", "protocol_named"]


class _Decode(TypingProtocol):
    def __call__(
        self, data: bytes, options: DecodeOptions = ..., *, explain: bool = True, memory: Any = ...
    ) -> list[Decoded]: ...


class _Detect(TypingProtocol):
    def __call__(self, data: bytes) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol's name, package, and what it is for."""

    name: str
    package: str
    description: str

    @property
    def decode(self) -> _Decode:
        """The package's `decode`."""
        return cast(_Decode, import_module(self.package).decode)

    @property
    def memory(self) -> Callable[[], object] | None:
        """What makes a memory for `decode`, where telegrams of this protocol teach those after them."""
        return getattr(import_module(self.package), "Memory", None)

    @property
    def detect(self) -> _Detect:
        """The package's `detect`: why bytes look like this protocol, or `None`."""
        return cast(_Detect, import_module(self.package).detect)


PROTOCOLS: Final = {
    protocol.name: protocol
    for protocol in (
        Protocol("wmbus", "polymeter.protocols.wmbus", "wireless M-Bus and OMS, as receivers give it"),
        Protocol("dlms", "polymeter.protocols.dlms", "DLMS/COSEM: HDLC, wrapper, pushes, ciphered or not"),
        Protocol("sml", "polymeter.protocols.sml", "optical and LMN ports of German meters"),
        Protocol("p1", "polymeter.protocols.p1", "customer ports of smart meters: DSMR and its relatives"),
        Protocol("mbus", "polymeter.protocols.mbus", "M-Bus on two wires: heat, water, gas, electricity"),
        Protocol("lis200", "polymeter.protocols.lis200", "gas volume correctors and data loggers, ASCII"),
        Protocol("iec62056-21", "polymeter.protocols.iec62056_21", "optical heads and current loops, ASCII"),
    )
}
"""In the order in which detection asks them: those with strong checks first.

Wireless M-Bus goes before DLMS, whose lone APDUs are known by little more than a tag: any telegram of 70
bytes is one by its L field, and one of a hundred others.
"""


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        LocalProtocolError: there is none; the message lists those there are.
    """
    if name not in PROTOCOLS:
        raise LocalProtocolError(f"there is no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
