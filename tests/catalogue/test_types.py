"""Every meter type is proven by its telegrams; every mistake in one is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from polymeter.catalogue import PROTOCOLS, decode_frames, meter_types, prove
from polymeter.catalogue.types import FACTS, PATH_VARIABLE, find_type, parse_type
from polymeter.protocols.iec62056_21 import DataMessage, Identification, encode
from polymeter.protocols.wire import LocalProtocolError

TELEGRAM = (
    encode(Identification("PMX", "5", "SIM100")) + encode(DataMessage("1.8.0(7*kWh)\r\nX.1(12345)\r\n!\r\n"))
).hex()
GOOD = f"""
protocol = "iec62056-21"
manufacturer = "Made up"
description = "for tests"
[match]
manufacturer = "PMX"
identification = "SIM*"
[driver]
argument = 1
[series."X.1"]
name = "load"
quantity = "power"
unit = "kW"
scale = -3
[[telegram]]
input = "{TELEGRAM}"
readings = [{{ series = "load", value = "12.345", unit = "kW", quantity = "power" }}]
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    meter_types.cache_clear()
    yield
    meter_types.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PATH_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", meter_types())
def test_a_shipped_type_is_proven_by_its_telegrams(name: str) -> None:
    known = meter_types()[name]
    assert prove(known) == []
    assert known.telegrams
    assert known.protocol in PROTOCOLS
    assert all(telegram.get("readings") for telegram in known.telegrams)


def test_a_type_of_ones_own_is_found_and_applied(folder: Path) -> None:
    (folder / "made-up.toml").write_text(GOOD)
    known = meter_types()["made-up"]
    assert prove(known) == []
    (frame,) = decode_frames(TELEGRAM)
    assert frame.meter_type is known
    assert frame.as_dict()["meter"]["type"] == "made-up"
    assert known.driver == {"argument": "1"}


def test_several_folders_are_searched_and_ours_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        place.mkdir()
    (one / "a.toml").write_text(GOOD)
    (other / "iskraemeco-mt174.toml").write_text(GOOD)
    monkeypatch.setenv(PATH_VARIABLE, f"{one}:{other}")
    assert {"a", "iskraemeco-mt174"} <= meter_types().keys()
    assert meter_types()["iskraemeco-mt174"].manufacturer == "Made up"


def test_a_folder_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "/no/such/folder")
    with pytest.raises(LocalProtocolError, match="POLYMETER_CATALOGUE_PATH names /no/such/folder"):
        meter_types()


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "latin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(LocalProtocolError, match=r"cannot read .*latin\.toml"):
        meter_types()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("protocol =", "protocol "), "made-up: Expected"),
        (('protocol = "iec62056-21"', ""), "protocol is missing"),
        (('manufacturer = "Made up"', ""), "manufacturer is missing"),
        (('manufacturer = "Made up"', "manufacturer = 5"), "manufacturer must be a text"),
        (("description =", "comment ="), "unknown key 'comment'"),
        (("[match]", "[match.more]"), "match: more must be a text|there is no 'more'"),
        (('manufacturer = "PMX"', "manufacturer = 5"), "match: manufacturer must be a text"),
        (
            ('identification = "SIM*"', 'identifcation = "SIM*"'),
            "there is no 'identifcation', but manufacturer",
        ),
        (("[driver]", "[[driver]]"), "driver must be a table"),
        (('[series."X.1"]', "[[series]]"), "series must be a table"),
        (('[series."X.1"]', "[series]"), "series 'name' must be a table"),
        (("scale = -3", 'scale = "x"'), "scale must be a whole number"),
        (("scale = -3", "scale = 1000"), "scale must be a whole number from -99 to 99"),
        (("scale = -3", "factor = 3"), "series 'X.1' has no 'factor'"),
        (('name = "load"', "name = 5"), "name must be a text"),
        (("[[telegram]]", "[telegram]"), "telegram must be a list of tables"),
        (('manufacturer = "PMX"', "manufacturer = []"), "match: manufacturer must be a text, or several"),
        (('manufacturer = "PMX"', 'manufacturer = ["PMX", 5]'), "match: manufacturer must be a text"),
        (("scale = -3", "instead_of = 3"), "instead_of must be a text"),
        (("[driver]", "[payload]\nci = 5\n[driver]"), "payload: "),
        (("[driver]", "[[history]]\nstorage = 5\n[driver]"), "history: one of first and before"),
        (('description = "for tests"', 'address = "version id"'), "address must name id, version, medium"),
        (('description = "for tests"', "source = 5"), "source must be a text"),
        (("input =", "output ="), "a telegram must have an input"),
    ],
)
def test_every_mistake_is_named(change: tuple[str, str], said: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(LocalProtocolError, match=said) as caught:
        parse_type("made-up", GOOD.replace(*change))
    assert "meter type made-up" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("12.345", "12.346"), "no reading is"),
        (('"PMX"', '"XYZ"'), "recognised as nothing"),
        ((TELEGRAM, TELEGRAM[:-2] + "00"), "block check"),
        (("[[telegram]]\ninput", "[[telegram]]\nkeys = []\ninput"), None),
    ],
)
def test_a_type_that_its_telegram_disproves_is_told(
    folder: Path, change: tuple[str, str], said: str | None
) -> None:
    (folder / "made-up.toml").write_text(GOOD.replace(*change))
    problems = prove(meter_types()["made-up"])
    assert problems == [] if said is None else any(said in problem for problem in problems)


def test_a_type_without_a_telegram_is_told() -> None:
    assert prove(parse_type("bare", 'protocol = "iec62056-21"\nmanufacturer = "x"')) == [
        "bare carries no telegram"
    ]


def test_a_rule_may_have_several_patterns(folder: Path) -> None:
    (folder / "a.toml").write_text(GOOD.replace('"PMX"', '["XYZ", "PM?"]'))
    facts = {"manufacturer": "PMX", "identification": "SIM1"}
    assert find_type("iec62056-21", facts) is meter_types()["a"]
    assert find_type("iec62056-21", facts | {"manufacturer": "ABC"}) is None


def test_what_was_found_is_forgotten_with_the_types(folder: Path) -> None:
    facts = {"manufacturer": "PMX", "identification": "SIM1"}
    assert find_type("iec62056-21", facts) is None
    (folder / "a.toml").write_text(GOOD)
    assert find_type("iec62056-21", facts) is None
    meter_types.cache_clear()
    assert find_type("iec62056-21", facts) is meter_types()["a"]


def test_the_type_with_most_rules_wins(folder: Path) -> None:
    (folder / "a.toml").write_text(GOOD)
    (folder / "b.toml").write_text(GOOD.replace('identification = "SIM*"', ""))
    facts = {"manufacturer": "PMX", "identification": "SIM1"}
    found = find_type("iec62056-21", facts)
    assert found is not None
    assert found.name == "a"
    assert find_type("mbus", facts) is None
    assert find_type("iec62056-21", dict.fromkeys(FACTS)) is None
