import pytest

from polymeter.domain import canonical_series


@pytest.mark.parametrize(
    "name", ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1-0-1-8-0-255", "OBIS_1.8.0", "1.0.1.8.0.255"]
)
def test_spellings_of_one_obis_code_have_one_key(name: str) -> None:
    assert canonical_series(name) == "1-0:1.8.0*255"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("7-0-13-26-0-101", "7-0:13.26.0*101"),
        ("1.8.1*03", "1-0:1.8.1*3"),
        ("energy.t1", "energy.t1"),
        ("1.8", "1.8"),
        ("1.8.999", "1.8.999"),
        ("C.1.0", "C.1.0"),
        ("2026-01-01", "2026-01-01"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_other_names_are_their_own_key(name: str, key: str) -> None:
    assert canonical_series(name) == key
    assert canonical_series(key) == key
