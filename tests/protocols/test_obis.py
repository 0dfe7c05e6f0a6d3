"""All written forms of an OBIS code mean the same code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import obis
from polymeter.protocols.obis import OBIS

groups = st.integers(0, 255)
codes = st.builds(OBIS, groups, groups, groups, groups, groups, groups)


@pytest.mark.parametrize(
    "text", ["1.8.0", "1-0:1.8.0", "1-0-1-8-0-255", "OBIS_1.8.0", "1-0:1.8.0*255", "0:1.8.0", "1.8"]
)
def test_the_forms_of_active_energy_are_aliases(text: str) -> None:
    assert str(obis.parse(text)) == "1-0:1.8.0*255"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("C.1.0", "0-0:96.1.0*255"),
        ("F.F", "0-0:97.97.0*255"),
        ("F.F.1", "0-0:97.97.1*255"),
        ("P.01", "1-0:99.1.0*255"),
        ("L.1", "1-0:98.1.0*255"),
        ("0.9.1", "1-0:0.9.1*255"),
        ("1.8.0*01", "1-0:1.8.0*1"),
        ("1.8.0&05", "1-0:1.8.0*5"),
        ("7-0:3.0.0", "7-0:3.0.0*255"),
        ("1-1:32.7.0", "1-1:32.7.0*255"),
        ("255-255:255.255.255*255", "255-255:255.255.255*255"),
    ],
)
def test_other_forms_are_read(text: str, meant: str) -> None:
    assert str(obis.parse(text)) == meant


@pytest.mark.parametrize(
    "text",
    ["", "1", "3:14", "1.8.0.5", "1-0:1.8.0*", "256.1.0", "1-0:1.999.0", "A.1", "1-0-1-8-0-256", "١.٨.٠"],
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert obis.parse(text) is None


@given(codes)
def test_a_code_reads_back_from_text_and_octets(code: OBIS) -> None:
    assert obis.parse(str(code)) == code
    assert obis.parse("-".join(map(str, code))) == code
    assert obis.from_bytes(bytes(code)) == code


@given(st.text(max_size=30))
def test_no_text_raises(text: str) -> None:
    code = obis.parse(text)
    assert code is None or max(code) < 256


def test_a_text_that_is_too_long_is_no_code_and_not_remembered() -> None:
    assert obis.parse("OBIS_255-255:255.255.255*255") is not None
    remembered = obis._parse.cache_info().currsize
    assert [obis.parse(f"{number}" * 5000) for number in range(9)] == [None] * 9
    assert obis._parse.cache_info().currsize == remembered
