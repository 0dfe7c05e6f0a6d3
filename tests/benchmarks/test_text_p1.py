"""What is measured are sound telegrams and a sound frame."""

from benchmarks import text_p1, text_sml
from polymeter.protocols import p1, sml


def test_every_telegram_has_thirty_eight_good_lines() -> None:
    pushed = text_p1.telegrams()
    for text in pushed[::100]:
        (frame,) = p1.decode(text.encode("ascii"), explain=False)
        assert frame.valid
        assert len(frame.records) == 38


def test_no_two_telegrams_are_the_same() -> None:
    pushed = text_p1.telegrams()
    assert len(set(pushed)) == len(pushed)


def test_the_frame_has_seven_good_values() -> None:
    (frame,) = sml.decode(text_sml.FRAME, explain=False)
    assert frame.valid
    assert len(frame.records) == 7
