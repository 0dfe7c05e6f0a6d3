"""What is measured is a sound telegram and a sound frame."""

from benchmarks import text_p1, text_sml
from polymeter.protocols import p1, sml


def test_the_telegram_has_thirty_eight_good_lines() -> None:
    (frame,) = p1.decode(text_p1.telegram().encode("ascii"), explain=False)
    assert frame.valid
    assert len(frame.records) == 38


def test_the_frame_has_seven_good_values() -> None:
    (frame,) = sml.decode(text_sml.FRAME, explain=False)
    assert frame.valid
    assert len(frame.records) == 7
