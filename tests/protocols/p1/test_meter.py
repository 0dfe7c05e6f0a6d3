"""The meter's end: what is written is read."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import p1
from polymeter.protocols.iec62056_21 import DataSet

texts = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="()*/!"), min_size=1, max_size=20
)
codes = st.integers(1, 98).map(lambda c: f"1-0:{c}.7.0")
numbers = st.decimals(0, 10**6, places=3).map(lambda value: f"{value:010.3f}")


def test_a_telegram_is_written_as_meters_write_it() -> None:
    telegram = p1.write(
        "PMX5\\2SIM", [[DataSet("1-0:1.8.0", "000001.500", "kWh")], [DataSet("0-0:96.13.0", "")]]
    )
    written = p1.encode(telegram)
    body = b"/PMX5\\2SIM\r\n\r\n1-0:1.8.0(000001.500*kWh)\r\n0-0:96.13.0()\r\n!"
    assert written == body + p1.checksum_text(body).encode("ascii") + b"\r\n"


def test_versions_before_four_have_no_checksum() -> None:
    assert p1.encode(p1.write("PMX5SIM", [], checksum=False)) == b"/PMX5SIM\r\n\r\n!\r\n"


@given(
    st.dictionaries(codes, st.tuples(numbers, st.sampled_from(["kW", "A", "V"])), max_size=20), st.booleans()
)
def test_what_is_written_is_read(values: dict[str, tuple[str, str]], checked: bool) -> None:
    lines = [[DataSet(code, value, unit)] for code, (value, unit) in values.items()]
    (found,) = p1.decode(p1.encode(p1.write("PMX5SIM", lines, checksum=checked)))
    assert found.valid
    assert [(one.name, one.value, one.unit) for one in found.records] == [
        (code, Decimal(value), unit) for code, (value, unit) in values.items()
    ]
