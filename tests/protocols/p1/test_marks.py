"""Where telegrams and envelopes begin and end, among noise and in a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import p1
from polymeter.protocols.p1.marks import HEAD_MAX, TELEGRAM_MAX, find_span, without_parity
from polymeter.protocols.spans import Span

HEAD = b"/PMX5SIM\r\n\r\n"
BODY = HEAD + b"1-0:1.8.0(000001.500*kWh)\r\n!"
SEALED = p1.encode(p1.encipher(BODY + b"\r\n", bytes(16), b"PMX\x00\x00\x00\x00\x01", 1))


def test_a_telegram_grows_until_its_line_ends() -> None:
    for count in range(len(BODY) + 4):
        span = find_span((BODY + b"1A2B")[:count], more=True)
        assert span is None or span.end is None
    whole = BODY + b"1A2B\r\n"
    span = find_span(whole, more=True)
    assert span is not None
    assert (span.start, span.end) == (0, len(whole))


def test_a_telegram_that_another_one_cuts_off_is_not_sound() -> None:
    span = find_span(BODY[:20] + BODY + b"\r\n")
    assert span is not None
    assert (span.start, span.end, span.sound) == (0, 20, False)


def test_a_telegram_without_end_is_given_up() -> None:
    span = find_span(HEAD + b"1-0:1.8.0(1)\r\n" * 6000, more=True)
    assert span is not None
    assert span.end is not None
    assert not span.sound


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\x00", b"\xff\xff", b"noise \r\n", b"!1234\r\n", b" "])
def test_a_telegram_begins_behind_what_may_stand_before_it(before: bytes) -> None:
    assert find_span(before + BODY + b"1A2B\r\n") == Span(len(before), len(before + BODY) + 6)


@pytest.mark.parametrize(
    "line",
    [b"/PMX", b"/", b"//PMX5SIM", b"/?!", b"/?123!", b"/ PMX5", b"/PMX5\x01SIM", b"x/PMX5SIM", b"/PM!5SIM"],
)
def test_what_is_no_first_line(line: bytes) -> None:
    assert find_span(line + b"\r\n1-0:1.8.0(1)\r\n!\r\n") is None


def test_a_first_line_within_a_line_counts_with_the_empty_line_behind_it() -> None:
    assert find_span(b"1-0:1.8.0(00" + BODY) == Span(12, 12 + len(BODY))
    assert find_span(b"1-0:1.8.0(00" + BODY.replace(b"\r\n\r\n", b"\r\n")) is None


@pytest.mark.parametrize("tail", [b"", b"1A2B", b"1a2b", b"B9F", b"  ", b"1A2B \t"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_telegram_ends_with_its_mark_checksum_and_line_end(tail: bytes, end: bytes) -> None:
    whole = BODY + tail + end
    assert find_span(whole + b"\r\n\xff") == Span(0, len(whole))
    assert find_span(whole, more=True) == Span(0, len(whole))
    open_one = find_span(whole[: -len(end)], more=True)
    assert open_one is not None
    assert open_one.end is None


def test_an_exclamation_mark_within_a_line_ends_nothing() -> None:
    data = HEAD + b"0-0:96.13.0(ab!cd)\r\n1-0:1.8.0(1)\r\n!\r\n"
    assert find_span(data) == Span(0, len(data))


def test_frames_follow_one_another() -> None:
    data = BODY + b"1A2B\r\n" + SEALED + BODY + b"\r\n"
    spans, at = [], 0
    while (span := find_span(data, at)) is not None:
        assert span.end is not None
        spans.append(data[span.start : span.end])
        at = span.end
    assert spans == [BODY + b"1A2B\r\n", SEALED, BODY + b"\r\n"]


def test_an_envelope_is_as_long_as_it_says() -> None:
    assert find_span(b"\x00" + SEALED + b"\x00") == Span(1, 1 + len(SEALED))
    for count in range(len(SEALED)):
        cut = find_span(SEALED[:count], more=True)
        assert cut is None or cut.end is None
        cut = find_span(SEALED[:count])
        assert cut is None or not cut.sound


@pytest.mark.parametrize(
    "data",
    [
        "db07" + "00" * 30,
        "db08" + "11" * 8 + "83000100" + "30",
        "db08" + "11" * 8 + "1131",
        "db08" + "11" * 8 + "0430",
    ],
)
def test_what_is_no_envelope(data: str) -> None:
    assert find_span(bytes.fromhex(data) + bytes(40)) is None


def test_an_envelope_inside_which_another_of_its_meter_begins_is_cut() -> None:
    assert find_span(SEALED[:40] + SEALED) == Span(0, 40, sound=False)
    other = p1.encode(p1.encipher(BODY, bytes(16), b"PMX\x00\x00\x00\x00\x02", 1))
    mixed = find_span(SEALED[:40] + other)
    assert mixed is not None
    assert mixed.end != 40  # it may be any bytes: only its own meter's title shows


@given(st.integers(1, len(BODY) + 7), st.integers(1, len(BODY) + 7))
def test_a_search_goes_on_where_it_stopped(first: int, second: int) -> None:
    whole = BODY + b"1A2B\r\n" + BODY
    known = None
    for count in (*sorted((first, second)), len(whole)):
        span = find_span(whole[:count], 0, known, more=True)
        assert span == find_span(whole[:count], more=True) or (span is not None and span.end is None)
        known = span if span is not None and span.end is None else None
        if span is not None and span.end is not None:
            assert span.end >= len(BODY) + 4
            return
    pytest.fail("the telegram was not found")


def test_bounds_are_in_proportion() -> None:
    assert 128 < HEAD_MAX < TELEGRAM_MAX


@given(st.binary(max_size=80))
def test_parity_bits_are_taken_off_only_where_a_telegram_has_them(noise: bytes) -> None:
    assert without_parity(noise + b"\r\n" + BODY + b"\r\n") == noise + b"\r\n" + BODY + b"\r\n"
    even = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in BODY + b"\r\n")
    assert without_parity(even) == BODY + b"\r\n"
