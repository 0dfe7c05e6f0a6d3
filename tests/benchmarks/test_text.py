"""The read-out that is measured is a sound one."""

from benchmarks import text
from polymeter.protocols import iec62056_21


def test_both_sides_get_sixty_good_lines() -> None:
    (frame,) = iec62056_21.decode(text.read_out(), explain=False)
    assert frame.valid
    assert len(frame.records) == text.LINES
    assert str(frame.records[10].value) == "12345.670"


def test_the_days_differ_in_digits_only() -> None:
    days = [text.read_out(day=day) for day in range(text.DAYS)]
    assert len(set(days)) == text.DAYS
    assert len({bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in day[:-1]) for day in days}) == 1
    for day in days:
        (frame,) = iec62056_21.decode(day, explain=False)
        assert (frame.valid, len(frame.records)) == (True, text.LINES)
