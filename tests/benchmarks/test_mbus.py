"""The frames that are measured are sound ones."""

from benchmarks.mbus import frames
from polymeter.protocols import mbus


def test_every_measured_frame_has_records() -> None:
    measured = frames()
    assert len(measured) >= 20
    for data in measured:
        (frame,) = mbus.decode(data, explain=False)
        assert frame.valid
        assert frame.records
