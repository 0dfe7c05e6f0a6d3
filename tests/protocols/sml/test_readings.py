"""What messages say about values, times and meters."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.readings import instant, scaled
from polymeter.protocols.wire import MeterIdentity


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-128, 127))
def test_a_scaled_value_is_exact(value: int, scaler: int) -> None:
    found = Decimal(scaled(value, scaler))
    sign, digits, exponent = found.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits))) * (-1 if sign else 1)
    assert whole * 10 ** (exponent + 128) == value * 10 ** (scaler + 128)


def test_a_timestamp_is_an_instant_and_a_seconds_index_is_none() -> None:
    assert instant(sml.timestamp(1769882400)) == datetime(2026, 1, 31, 18, tzinfo=UTC)
    assert instant(sml.sec_index(1769882400)) is None
    assert instant(sml.unsigned(5, 4)) is None
    assert instant(sml.octets(None)) is None


def test_a_local_timestamp_shows_its_offset() -> None:
    local = sml.listing(sml.unsigned(1769882400, 4), sml.integer(60, 2), sml.integer(60, 2))
    found = instant(sml.listing(sml.unsigned(3, 1), local))
    assert found == datetime(2026, 1, 31, 18, tzinfo=UTC)
    assert found is not None
    assert found.utcoffset() == timedelta(hours=2)


def test_an_impossible_offset_is_no_instant() -> None:
    local = sml.listing(sml.unsigned(1, 4), sml.integer(1500, 2), sml.integer(0, 2))
    assert instant(sml.listing(sml.unsigned(3, 1), local)) is None


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("0a01504d580012345678", ("PMX", "electricity", None, "1PMX00305419896")),
        ("06504d58010271582051", ("PMX", "electricity", None, None)),
        ("01b84178563412" + "0702", ("PMX", "electricity", 7, "12345678")),
        ("3032323830383136", (None, None, None, None)),
    ],
)
def test_a_server_id_names_the_manufacturer(server: str, expected: tuple[object, ...]) -> None:
    found = sml.server_identity(bytes.fromhex(server))
    manufacturer, medium, version, identification = expected
    assert found == MeterIdentity(server, manufacturer, medium, version, identification=identification)  # type: ignore[arg-type]
