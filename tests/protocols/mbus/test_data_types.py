"""Types A to M, byte for byte: what the standard's annex says, and nothing that raises."""

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import data_types
from polymeter.protocols.wire import LocalProtocolError


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("12", 12),
        ("78563412", 12345678),
        ("99f9", -999),
        ("00f0", 0),
        ("0000000000f1", -(10**10)),
        ("1a", "1A"),
        ("ff", "FF"),
        ("0fff", "FF0F"),
        ("34a2", "A234"),
    ],
)
def test_type_a_decimal_digits(data: str, value: int | str) -> None:
    assert data_types.decode_bcd(bytes.fromhex(data)) == value


@given(st.integers(-(10**11) + 1, 10**12 - 1))
def test_type_a_both_ways(number: int) -> None:
    data = data_types.encode_bcd(number, 6)
    assert len(data) == 6
    assert data_types.decode_bcd(data) == number


@pytest.mark.parametrize(("value", "size"), [(100, 1), (-10, 1), (10**8, 4), ("123", 1), ("12x4", 2)])
def test_type_a_refuses_what_does_not_fit(value: int | str, size: int) -> None:
    with pytest.raises(LocalProtocolError):
        data_types.encode_bcd(value, size)


def test_a_name_in_digits_keeps_its_zeros() -> None:
    assert data_types.decode_bcd_text(bytes.fromhex("78563400")) == "00345678"
    assert data_types.encode_bcd("00345678", 4) == bytes.fromhex("78563400")
    assert data_types.encode_bcd("345678", 4) == bytes.fromhex("78563400")


@given(st.integers(-(2**47), 2**47 - 1))
def test_type_b_signed(number: int) -> None:
    assert int.from_bytes(data_types.encode_integer(number, 6), "little", signed=True) == number


def test_type_c_unsigned() -> None:
    assert data_types.encode_integer(255, 1, unsigned=True) == b"\xff"
    for number, unsigned in ((255, False), (-1, True), (256, True)):
        with pytest.raises(LocalProtocolError):
            data_types.encode_integer(number, 1, unsigned)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00000000", "0"),
        ("00000080", "-0"),
        ("0000803f", "1"),
        ("cdcccc3d", "0.1"),
        ("db0f4940", "3.14159"),
        ("ffff7f7f", "3.40282e+38"),
        ("00007f43", "255"),
    ],
)
def test_type_h_is_the_shortest_decimal(data: str, value: str) -> None:
    decoded = data_types.decode_real(bytes.fromhex(data))
    assert decoded is not None
    assert data_types.encode_real(decoded).hex() == data
    assert abs(decoded - Decimal(value)) <= abs(Decimal(value)) / 10**5


@pytest.mark.parametrize("data", ["0000c07f", "0000807f", "000080ff", "ffffffff"])
def test_type_h_that_is_no_number_is_none(data: str) -> None:
    assert data_types.decode_real(bytes.fromhex(data)) is None


@given(st.binary(min_size=4, max_size=4))
def test_type_h_gives_the_same_four_bytes_again(data: bytes) -> None:
    value = data_types.decode_real(data)
    if value is not None and value:
        assert data_types.encode_real(value) == data


def test_type_h_refuses_what_is_too_large() -> None:
    assert data_types.decode_real(data_types.encode_real(None)) is None
    with pytest.raises(LocalProtocolError):
        data_types.encode_real(10**39)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("3534", date(2025, 4, 21)),
        ("0101", date(2000, 1, 1)),
        ("1fac", date(2080, 12, 31)),
        ("21a1", date(1981, 1, 1)),
        ("7fcc", date(1999, 12, 31)),
        ("fffc", "*-12-31"),
        ("e1f1", "*-01-01"),
        ("ffff", None),
        ("0000", None),
        ("3d32", None),
        ("353d", None),
        ("81c1", None),
    ],
)
def test_type_g_dates(data: str, value: date | str | None) -> None:
    assert data_types.decode_date(bytes.fromhex(data)) == value


@given(st.dates(date(1981, 1, 1), date(2080, 12, 31)))
def test_type_g_both_ways(day: date) -> None:
    assert data_types.decode_date(data_types.encode_date(day)) == day


@given(st.binary(min_size=2, max_size=2))
def test_type_g_reads_anything_and_writes_what_it_read(data: bytes) -> None:
    value = data_types.decode_date(data)
    if value is not None:
        assert data_types.decode_date(data_types.encode_date(value)) == value


@given(st.binary(min_size=4, max_size=4))
def test_type_f_reads_anything_and_writes_what_it_read(data: bytes) -> None:
    value = data_types.decode_date_time(data)
    if isinstance(value, str) and value[:4].isdigit() and not 1981 <= int(value[:4]) <= 2080:
        return  # what recurs is written without the century
    again = data_types.encode_date_time(value, summer=bool(data[1] & 0x80))
    assert data_types.decode_date_time(again) == value


@given(st.datetimes(datetime(1981, 1, 1), datetime(2299, 12, 31)))
def test_type_f_has_four_centuries(at: datetime) -> None:
    at = at.replace(second=0, microsecond=0)
    assert data_types.decode_date_time(data_types.encode_date_time(at)) == at


def test_type_f_tells_which_of_two_equal_hours_it_is() -> None:
    at = datetime(2025, 10, 26, 2, 30)
    summer = data_types.decode_date_time(data_types.encode_date_time(at, summer=True))
    winter = data_types.decode_date_time(data_types.encode_date_time(at))
    assert isinstance(summer, datetime)
    assert isinstance(winter, datetime)
    assert (summer.fold, winter.fold) == (0, 1)


@given(st.datetimes(datetime(1981, 1, 1), datetime(2080, 12, 31)), st.booleans())
def test_type_i_both_ways(at: datetime, summer: bool) -> None:
    at = at.replace(microsecond=0)
    data = data_types.encode_local_time(at, summer=summer)
    decoded = data_types.decode_local_time(data)
    assert decoded == at
    assert isinstance(decoded, datetime)
    assert decoded.fold == (not summer)
    # Day and number of the week, and whether the year has a 29 February.
    assert (data[2] >> 5, data[5] & 0x3F) == (at.isoweekday(), at.isocalendar().week)
    assert bool(data[0] & 0x80) == (at.year % 4 == 0 and (at.year % 100 != 0 or at.year % 400 == 0))


@given(st.binary(min_size=6, max_size=6))
def test_type_i_reads_anything_and_writes_what_it_read(data: bytes) -> None:
    value = data_types.decode_local_time(data)
    again = data_types.encode_local_time(value, summer=bool(data[0] & 0x40))
    assert data_types.decode_local_time(again) == value


def test_type_i_ends_with_its_century() -> None:
    with pytest.raises(LocalProtocolError, match="1981 to 2080"):
        data_types.encode_local_time(datetime(2081, 1, 1))


@given(st.times())
def test_type_j_both_ways(at: time) -> None:
    whole = at.replace(microsecond=0, fold=0)
    assert data_types.decode_time(data_types.encode_time(whole)) == whole


@pytest.mark.parametrize(
    ("data", "value"), [("1e1d0a", time(10, 29, 30)), ("3d1d0a", None), ("003c0a", None), ("3f3f1f", "*:*:*")]
)
def test_type_j(data: str, value: time | str | None) -> None:
    assert data_types.decode_time(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    "text", ["", "now", "2025-04", "25-04-21", "2025-04-21 10", "2025-04-21  10:00", "24:00"]
)
def test_what_is_no_recurring_time_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        data_types.encode_date_time(text)


def test_a_time_alone_has_no_date() -> None:
    with pytest.raises(LocalProtocolError):
        data_types.encode_date("10:30")


@given(st.text(st.characters(max_codepoint=255)))
def test_text_travels_backwards(text: str) -> None:
    data = data_types.encode_text(text)
    assert data[::-1].decode("latin-1") == text
    decoded = data_types.decode_text(data)
    assert decoded in (text, data)


def test_what_is_no_text_stays_bytes_in_the_order_of_the_frame() -> None:
    assert data_types.decode_text(b"\x01\x02") == b"\x01\x02"
    assert data_types.decode_text(b"cb\0a") == "a\0bc"
    with pytest.raises(LocalProtocolError):
        data_types.encode_text("€")


def test_scaling_never_rounds_whatever_the_callers_context_is() -> None:
    from decimal import localcontext

    with localcontext() as context:
        context.prec = 3
        assert data_types.exact.scaleb(123456789012345678, -9) == Decimal("123456789.012345678")
