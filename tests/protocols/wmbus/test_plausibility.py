"""What is taken for records where nothing else tells, and how seldom random bytes are."""

import random
from collections.abc import Callable

import pytest

from polymeter.protocols.mbus import Records, decode_records
from polymeter.protocols.wmbus.plausibility import are_records, make_sense

SEED = 20261128
RUNS = 20_000


@pytest.mark.parametrize(
    ("data", "sure", "sense"),
    [
        ("0413d2040000", True, True),
        ("2f2f0413d2040000", True, True),
        ("0c78785634120413d2040000426cbf25", True, True),
        ("02fd170000046d2a0ec62c", False, True),  # no total among them
        ("02fd1700000265340802fb1a2a0101fd0f05046d2a0ec62c", True, True),  # no total, and five good ones
        ("02fd1700000265340802fb1a2a0101fd0f05046d2a0ec62c017f07", False, True),  # and one unknown
        ("4265340802fd1700000265340802fb1a2a0101fd0f05046d2a0ec62c", False, True),  # a stored one first
        ("4413d2040000426cbf25", False, True),  # stored values only
        ("0c13d2a40000046d2a0ec62c", False, False),  # a digit that is none
        ("0413d20400000fcafe", False, False),  # one record before bytes that may be anything
        ("0413d2040000025a2200046d2a0ec62c0fcafe", True, True),
        ("0413d204", False, False),
        ("", False, False),
        ("2f2f2f", False, False),
        ("01ff0100", False, False),
        ("ca11ab1e", False, False),
        ("0f0413d2040000", False, False),
        ("0013088308930413d2040000", False, False),
    ],
)
def test_what_is_taken_for_records(data: str, sure: bool, sense: bool) -> None:
    found = decode_records(bytes.fromhex(data))
    assert (are_records(found), make_sense(found)) == (sure, sense)


@pytest.mark.parametrize(("judge", "of_thousand"), [(are_records, 1.5), (make_sense, 40)])
@pytest.mark.parametrize("size", [4, 8, 12, 24, 48])
def test_random_bytes_are_hardly_ever_taken_for_records(
    judge: Callable[[Records], bool], of_thousand: float, size: int
) -> None:
    dice = random.Random(SEED)
    taken = sum(judge(decode_records(dice.randbytes(size))) for _ in range(RUNS))
    assert taken <= of_thousand * RUNS / 1000
