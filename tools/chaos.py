"""``dev.py chaos NAME``: fault rounds against the running platform.

A round is a function of a seed and a number of rounds; it returns the problems it found. It registers in
`ROUNDS` when the part of the platform that it disturbs is written; services come from `tools.supervisor`.
"""

import argparse
import random
import sys
from collections.abc import Callable, Mapping

__all__ = ["ROUNDS", "main"]

Round = Callable[[int, int | None], list[str]]

ROUNDS: dict[str, Round] = {}


def main(argv: list[str], rounds: Mapping[str, Round] = ROUNDS) -> int:
    """Run one kind of round; 1 where something was lost or crashed, 2 where there is no such kind."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py chaos", description="fault rounds against the platform"
    )
    parser.add_argument("name", nargs="?", help=f"one of: {', '.join(rounds) or 'none exists yet'}")
    parser.add_argument("--seed", type=int, help="repeats a run; printed by every run")
    parser.add_argument("--rounds", type=int, help="how many; each kind has its own default")
    options = parser.parse_args(argv)
    if options.name not in rounds:
        wanted = f"no chaos round {options.name!r}" if options.name else "name a chaos round"
        print(f"chaos: {wanted}; there are: {', '.join(sorted(rounds)) or 'none yet'}", file=sys.stderr)
        return 2
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"chaos {options.name}: seed {seed}", flush=True)
    problems = rounds[options.name](seed, options.rounds)
    for problem in problems:
        print(f"chaos {options.name}: {problem}")
    print(f"chaos {options.name}: {'failed' if problems else 'held'}, repeat with --seed {seed}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
