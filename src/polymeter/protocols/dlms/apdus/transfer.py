"""General block transfer: any APDU in numbered blocks (IEC 62056-5-3 § 6.13, 8.3).

Blocks may be streamed, several before an answer; `Assembly` puts them together again.
"""

from __future__ import annotations

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.fields import OctetString, Unsigned8, Unsigned16
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["Assembly", "GeneralBlockTransfer"]


@apdu(b"\xe0")
class GeneralBlockTransfer(APDU):
    """One block. `control` holds last block, streaming and window."""

    control: Unsigned8
    block_number: Unsigned16
    acknowledged: Unsigned16
    block_data: OctetString = b""

    @property
    def last_block(self) -> bool:
        """No more follow."""
        return bool(self.control & 0x80)

    @property
    def streaming(self) -> bool:
        """More follow without an answer."""
        return bool(self.control & 0x40)

    @property
    def window(self) -> int:
        """How many blocks the sender can take at once."""
        return self.control & 0x3F


class Assembly:
    """Blocks in any order until none is missing.

    A block that comes again is taken once; `missing` tells what to ask for. The total is bounded.
    """

    def __init__(self, limit: int = 1 << 20) -> None:
        self._blocks: dict[int, bytes] = {}
        self._last: int | None = None
        self._size = 0
        self._limit = limit

    def add(self, block: GeneralBlockTransfer) -> None:
        """Take in a block.

        Raises:
            RemoteProtocolError: it contradicts one taken before, lies beyond the last, or all
                together are too much.
        """
        number = block.block_number
        known = self._blocks.get(number)
        if known is not None:
            if known != block.block_data:
                raise RemoteProtocolError(f"block {number} came twice with different contents")
            return
        if number == 0 or (self._last is not None and number > self._last):
            raise RemoteProtocolError(f"block {number} has no place in this transfer")
        if block.last_block:
            if self._blocks and max(self._blocks) > number:
                raise RemoteProtocolError(f"block {number} says it is the last, later ones came")
            self._last = number
        self._size += len(block.block_data)
        if self._size > self._limit:
            raise RemoteProtocolError(f"more than {self._limit} octets in one block transfer")
        self._blocks[number] = block.block_data

    def has(self, block: GeneralBlockTransfer) -> bool:
        """Whether this very block was taken before."""
        return self._blocks.get(block.block_number) == block.block_data

    @property
    def count(self) -> int:
        """How many blocks are there."""
        return len(self._blocks)

    @property
    def is_ended(self) -> bool:
        """Whether the last block is there, be others missing or not."""
        return self._last is not None

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the blocks that should be there by now."""
        highest = max(self._blocks, default=0)
        if highest - len(self._blocks) > 63:  # no window is larger
            raise RemoteProtocolError("more blocks are missing than a window holds")
        return tuple(number for number in range(1, highest) if number not in self._blocks)

    @property
    def contiguous(self) -> int:
        """The last block up to which none is missing: what is to be acknowledged."""
        number = 0
        while number + 1 in self._blocks:
            number += 1
        return number

    @property
    def complete(self) -> bool:
        """Whether the last block and all before it are there."""
        return self._last is not None and len(self._blocks) == self._last

    def data(self) -> bytes:
        """The APDU that was transferred, as far as it is there."""
        return b"".join(self._blocks[number] for number in sorted(self._blocks))
