"""Hostile inputs made from good ones: what transmission, truncation and malice do to a frame.

Everything is drawn from the generator that is handed in, so the same generator gives the same input. Binary
and text frames are treated alike; the operations that suit only one of them do no harm to the other.
"""

import random
from collections.abc import Callable, Sequence

__all__ = ["INPUT_MAX", "MUTATIONS", "mutate"]

INPUT_MAX = 1 << 16
EDGES = (0x00, 0x01, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFE, 0xFF)

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One input: a seed with one to a few mutations, seldom pure noise."""
    if not seeds or rng.random() < 0.02:
        return rng.randbytes(rng.randrange(300))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        rng.choice(MUTATIONS)(rng, data, seeds)
    return bytes(data[:INPUT_MAX])


def _place(rng: random.Random, data: bytearray) -> int:
    """A position, with a liking for the front, where lengths and types are."""
    last = max(len(data) - 1, 0)
    return rng.randint(0, min(last, 24)) if rng.random() < 0.4 else rng.randint(0, last)


def _span(rng: random.Random, data: bytearray) -> slice:
    start = _place(rng, data)
    return slice(start, start + rng.choice((1, 2, 3, 4, 8, 16, 64)))


def flip_bit(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """What a disturbed line does."""
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def set_byte(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Any byte, often one at the edge of a coding."""
    if data:
        data[_place(rng, data)] = rng.choice(EDGES) if rng.random() < 0.5 else rng.randrange(256)


def truncate(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """What a broken connection does."""
    del data[_place(rng, data) :]


def cut_front(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """What listening too late does."""
    del data[: _place(rng, data)]


def delete(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Bytes lost on the way."""
    del data[_span(rng, data)]


def duplicate(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """A part twice, at times many times: element counts and nesting grow."""
    part = data[_span(rng, data)]
    copies = rng.choice((1, 1, 1, 2, 10, 200))
    place = _place(rng, data)
    data[place:place] = part * copies


def insert(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Noise in between."""
    place = _place(rng, data)
    data[place:place] = rng.randbytes(rng.choice((1, 1, 2, 4, 16)))


def play_with_length(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """A byte that may be a length or a count is made a bit, or much, too small or large."""
    if not data:
        return
    place = _place(rng, data)
    kind = rng.randrange(4)
    if kind == 0:
        data[place] = (data[place] + rng.choice((-2, -1, 1, 2))) & 0xFF
    elif kind == 1:
        data[place] = len(data) & 0xFF
    elif kind == 2:  # a length of lengths, as in BER and A-XDR
        size = rng.choice((1, 2, 4, 8))
        data[place : place + 1] = bytes([0x80 | size]) + rng.choice((b"\xff", b"\x00", b"\x7f")) * size
    else:
        size = min(rng.choice((2, 4)), len(data) - place)
        data[place : place + size] = rng.choice((b"\xff", b"\x00")) * size


def play_with_digits(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """A decimal digit becomes many, another character, or one of the separators around it."""
    digits = [index for index, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    if not digits:
        return
    place = rng.choice(digits)
    replacement = rng.choice(
        (b"9" * rng.choice((2, 20, 400)), b"", b"-", b".", b"(", b")", b"*", b"e9", b":")
    )
    data[place : place + 1] = replacement


def splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """The front of one frame and the back of another."""
    other = rng.choice(seeds)
    place = _place(rng, data)
    data[place:] = other[rng.randint(0, len(other)) :]


def swap(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Two parts in the wrong order."""
    first, second = sorted((_place(rng, data), _place(rng, data)))
    size = rng.choice((1, 2, 4))
    part = data[first : first + size]
    data[first : first + size] = data[second : second + size]
    data[second : second + size] = part


MUTATIONS: tuple[Mutation, ...] = (
    flip_bit,
    flip_bit,
    set_byte,
    set_byte,
    truncate,
    cut_front,
    delete,
    duplicate,
    insert,
    play_with_length,
    play_with_length,
    play_with_digits,
    splice,
    swap,
)
