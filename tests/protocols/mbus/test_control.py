"""The CI field and the small tables around it."""

import pytest

from polymeter.protocols import mbus
from polymeter.protocols.mbus import control


def test_every_field_has_a_name_a_header_and_a_body() -> None:
    for ci, (name, header, body) in control.CI_NAMES.items():
        assert 0 <= ci <= 0xFF
        assert name == name.strip()
        assert header in ("none", "short", "long")
        assert ("long header" in name) <= (header == "long")
        assert ("short header" in name) <= (header == "short")
        assert body


@pytest.mark.parametrize(
    ("ci", "words"),
    [
        (0x72, "response, long header"),
        (0x73, "response, fixed structure"),
        (0xBB, "switch to 2400 Bd"),
        (0xA5, "manufacturer's own"),
        (0x40, "unknown"),
        (0xC3, "security information to the meter, long header"),
    ],
)
def test_a_field_in_words(ci: int, words: str) -> None:
    assert mbus.ci_name(ci) == words


def test_rates_double_from_300() -> None:
    assert [mbus.BAUD_RATES[0xB8 + step] for step in range(8)] == [300 << step for step in range(8)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "unspecified error"),
        (1, "unimplemented CI field"),
        (8, "application too busy"),
        (9, "too many readouts"),
        (0x10, "access denied"),
        (0x14, "decryption failed"),
        (0xF0, "dynamic application error"),
        (0x55, "error 55"),
    ],
)
def test_an_application_error_in_words(code: int, words: str) -> None:
    assert mbus.application_error(code) == words


def test_all_that_is_most_significant_first_has_a_twin() -> None:
    twins = {0x55: 0x51, 0x56: 0x52, 0x76: 0x72, 0x77: 0x73}
    assert set(twins) == control.MSB_FIRST
    for ci, twin in twins.items():
        assert control.CI_NAMES[ci][1:] == control.CI_NAMES[twin][1:]


def test_resets_name_what_is_read_afterwards() -> None:
    assert control.RESET_SUBCODES[0] == "all"
    assert control.RESET_SUBCODES[0xD] == "self-test"
    assert 0x7 not in control.RESET_SUBCODES
