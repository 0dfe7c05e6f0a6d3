"""What the messages of one input know of each other: titles, counters, what was asked, blocks.

A block transfer is gathered here from message to message. One that ends within is remembered, with
the message that brought its last block, since only that one can be blamed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from polymeter.protocols.dlms.apdus import (
    Assembly,
    GeneralBlockTransfer,
    GetResponseWithDatablock,
    SelectedAttribute,
)
from polymeter.protocols.dlms.counters import MemoryCounters
from polymeter.protocols.wire import DecodeOptions, RemoteProtocolError

__all__ = ["Conversation", "Unfinished"]

_BLOCKS_LIMIT: Final = 1 << 22


class Unfinished(NamedTuple):
    """A transfer whose last block is not there."""

    message: int
    """Which message of the input brought the last one that is."""
    blocks: int
    """How many blocks came."""


class Conversation:
    """What one message tells about the next."""

    def __init__(self, options: DecodeOptions) -> None:
        self.options = options
        self.client_title = b""
        self.server_title = b""
        self.counters = MemoryCounters()
        self.asked: tuple[SelectedAttribute, ...] = ()
        """The attributes of the GET that waits for its answer."""
        self.unfinished: list[Unfinished] = []
        self._messages = 0
        self._assembly: Assembly | None = None
        self._assembled_in = 0
        self._answer = bytearray()
        """The blocks of a long GET response, and how many they are."""
        self._answer_blocks = 0
        self._answered_in = 0

    def begin_message(self) -> None:
        """Another message of the input."""
        self._messages += 1

    def end(self) -> None:
        """Nothing more comes."""
        self._leave_transfer()
        self._leave_answer()

    def transferred(self, block: GeneralBlockTransfer) -> bytes | None:
        """What a general block transfer brought, with its last block.

        Block 1 begins another transfer, unless it comes again.

        Raises:
            RemoteProtocolError: the block contradicts others, or some are missing at the end.
        """
        if self._assembly is None or (block.block_number == 1 and not self._assembly.has(block)):
            self._leave_transfer()
            self._assembly = Assembly()
        assembly = self._assembly
        self._assembled_in = self._messages
        assembly.add(block)
        if not assembly.is_ended:
            return None
        self._assembly = None
        if not assembly.complete:
            missing = ", ".join(map(str, assembly.missing)) or "the first"
            raise RemoteProtocolError(f"blocks are missing: {missing}", 2)
        return assembly.data()

    def answered(self, block: GetResponseWithDatablock, part: bytes) -> bytes | None:
        """The whole of a long GET response, with its last block; `part` is what this block brings.

        Raises:
            RemoteProtocolError: it does not follow the last one, or all together are too much.
        """
        number = block.block_number
        if number == 1 != self._answer_blocks:
            self._leave_answer()
        self._answered_in = self._messages
        if number == self._answer_blocks and self._answer.endswith(part):
            return None  # it comes again
        if number != self._answer_blocks + 1:
            before = f"after block {self._answer_blocks}" if self._answer_blocks else "first"
            self.forget_answer()
            raise RemoteProtocolError(f"block {number} comes {before}: blocks are missing", 4)
        if len(self._answer) + len(part) > _BLOCKS_LIMIT:
            self.forget_answer()
            raise RemoteProtocolError(f"more than {_BLOCKS_LIMIT} octets in blocks", 8)
        self._answer += part
        self._answer_blocks = number
        if not block.last_block:
            return None
        whole = bytes(self._answer)
        self.forget_answer()
        return whole

    def forget_answer(self) -> None:
        """No more blocks of the present response are to come."""
        self._answer.clear()
        self._answer_blocks = 0

    def _leave_transfer(self) -> None:
        if self._assembly is not None:
            self.unfinished.append(Unfinished(self._assembled_in - 1, self._assembly.count))
        self._assembly = None

    def _leave_answer(self) -> None:
        if self._answer_blocks:
            self.unfinished.append(Unfinished(self._answered_in - 1, self._answer_blocks))
        self.forget_answer()
