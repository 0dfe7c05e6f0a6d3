"""The read-out that is measured is a sound one."""

from benchmarks import text
from polymeter.protocols import iec62056_21


def test_both_sides_get_sixty_good_lines() -> None:
    (frame,) = iec62056_21.decode(text.read_out(), explain=False)
    assert frame.valid
    assert len(frame.records) == text.LINES
    assert str(frame.records[10].value) == "12345.670"
