"""Keys come in from a table, whole or not at all, and no message repeats one."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from polymeter.app import secret_key
from polymeter.cli import app
from polymeter.protocols.wire import LocalProtocolError, ProtocolError
from polymeter.settings import Settings
from polymeter.store import ANY, SecretKey, Store, Tx, meter_types, meters, secrets, series
from tests.fleet import make

KEY = "000102030405060708090a0b0c0d0e0f"


@pytest.fixture
def meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[UUID, UUID]:
    """An organization with meter M1, in the data folder that the command will use."""
    monkeypatch.setenv("POLYMETER_DATA_DIR", str(tmp_path))

    async def prepare() -> tuple[UUID, UUID]:
        async with await Store.open(f"sqlite:///{tmp_path / 'polymeter.db'}", upgrade=True) as store:
            fleet = await make(store)
            return fleet.id, fleet.meter.id

    return asyncio.run(prepare())


def run(tmp_path: Path, *lines: str) -> tuple[BaseException | None, str]:
    table = tmp_path / "keys.csv"
    table.write_text("\n".join(("meter,kind,value", *lines)) + "\n")
    result = CliRunner().invoke(app, ["import", "keys", str(table), "--organization", "Stadtwerke"])
    return result.exception, result.output


def stored(tmp_path: Path, meter: tuple[UUID, UUID], kind: str) -> bytes | None:
    async def read() -> bytes | None:
        settings = Settings.load({}, data_dir=tmp_path)
        async with await Store.open(settings.database) as store:
            return await store.read(secrets.get, SecretKey(secret_key(settings)), meter[0], meter[1], kind)

    return asyncio.run(read())


def test_keys_and_passwords_are_stored_sealed(tmp_path: Path, meter: tuple[UUID, UUID]) -> None:
    error, said = run(
        tmp_path, f"M1,dlms_global_unicast_encryption_key,{KEY}", "M1,iec62056_21_password,0000"
    )
    assert error is None, said
    assert stored(tmp_path, meter, "dlms_global_unicast_encryption_key") == bytes.fromhex(KEY)
    assert stored(tmp_path, meter, "iec62056_21_password") == b"0000"
    assert bytes.fromhex(KEY) not in (tmp_path / "polymeter.db").read_bytes()


def test_an_unknown_meter_stores_nothing_of_the_table(tmp_path: Path, meter: tuple[UUID, UUID]) -> None:
    error, _ = run(tmp_path, "M1,iec62056_21_password,0000", "M9,iec62056_21_password,0000")
    assert isinstance(error, ProtocolError)
    assert "has no meter M9" in str(error)
    assert stored(tmp_path, meter, "iec62056_21_password") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("M1,master,secretsecret", "line 2: there is no kind 'master'"),
        ("M1,dlms_global_authentication_key,secretsecret", "line 2: a key is given in hex digits"),
        ("M1,dlms_global_authentication_key,5ec7e7", "32 or 64 hex digits, not 6"),
        ("M1,iec62056_21_password", "line 2: 2 columns, 3 are expected"),
        ("M1,iec62056_21_password,", "line 2: the value is empty"),
    ],
)
def test_a_wrong_row_is_named_and_its_secret_is_not(
    tmp_path: Path, meter: tuple[UUID, UUID], line: str, said: str
) -> None:
    error, _ = run(tmp_path, line)
    assert isinstance(error, LocalProtocolError)
    assert said in str(error)
    assert "secretsecret" not in str(error)
    assert "5ec7e7" not in str(error)


METERS = [
    "Kitchen,wmbus,00000002,water,volume m3; volume_flow m3/h",
    "Garden,wmbus,00000004B8410107,water,",
    "House,dlms,,,",
]


def add(tmp_path: Path, *lines: str, header: str = "meter,protocol,serial,type,series") -> tuple[Any, str]:
    table = tmp_path / "meters.csv"
    table.write_text("\n".join(("# whose these are", header, *lines)) + "\n")
    result = CliRunner().invoke(app, ["import", "meters", str(table), "--organization", "Stadtwerke"])
    return result.exception, result.output


def fleet_of(tmp_path: Path) -> dict[str, tuple[Any, ...]]:
    async def read() -> dict[str, tuple[Any, ...]]:
        settings = Settings.load({}, data_dir=tmp_path)
        async with await Store.open(settings.database) as store:
            return await store.read(described)

    return asyncio.run(read())


def described(tx: Tx) -> dict[str, tuple[Any, ...]]:
    """Every meter with its protocol, serial number, type, zone and series."""
    found = {}
    for meter in meters.page(tx, ANY).rows:
        kind = meter_types.get(tx, ANY, meter.type) if meter.type is not None else None
        config = meter_types.get_config(tx, ANY, kind.config) if kind is not None and kind.config else None
        known = [series.get(tx, ANY, id) for id in config.series] if config is not None else []
        names = {(one.name, one.unit) for one in known if one is not None}
        zone = config.timezone if config is not None else None
        found[meter.name] = (meter.protocol, meter.manufacturer_serial, kind and kind.name, zone, names)
    return found


def test_meters_come_in_with_their_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYMETER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("POLYMETER_DEFAULT_METER_TIMEZONE", "Europe/Vienna")
    error, said = add(tmp_path, *METERS)
    assert error is None, said
    water = {("volume", "m3"), ("volume_flow", "m3/h")}
    assert fleet_of(tmp_path) == {
        "Kitchen": ("wmbus", "00000002", "water", "Europe/Vienna", water),
        "Garden": ("wmbus", "00000004B8410107", "water", "Europe/Vienna", water),
        "House": ("dlms-cosem", None, None, None, set()),
    }
    header = "meter,protocol,type,series,timezone"
    assert add(tmp_path, "Cellar,wmbus,heat,volume m3; energy kWh,Asia/Tokyo", header=header)[0] is None
    assert fleet_of(tmp_path)["Cellar"] == (
        "wmbus", None, "heat", "Asia/Tokyo", {("volume", "m3"), ("energy", "kWh")},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Kitchen,wmbus,,water,volume m3", "line 6: there is a meter Kitchen already"),
        ("Attic,wmbus,,smoke,", "line 6: there is no type smoke, and no series to make it with"),
        ("Attic,smoke,,,", "line 6: there is no protocol 'smoke'"),
        ("Attic,wmbus,,,volume m3", "line 6: series are a type's"),
        ("Attic,wmbus,,x,volume", "line 6: 'volume' is no series and its unit"),
        (",wmbus,,,", "line 6: a meter's name has 1 to 50 characters"),
        ("Attic,wmbus", "line 6: 2 columns, 5 are expected"),
    ],
)
def test_a_wrong_row_stores_no_meter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    monkeypatch.setenv("POLYMETER_DATA_DIR", str(tmp_path))
    error, _ = add(tmp_path, *METERS, line)
    assert isinstance(error, ProtocolError)
    assert said in str(error)
    if (tmp_path / "polymeter.db").exists():
        assert fleet_of(tmp_path) == {}


@pytest.mark.parametrize("header", ["", "meter,serial", "meter,protocol,colour", "meter,protocol,meter"])
def test_a_wrong_header_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    monkeypatch.setenv("POLYMETER_DATA_DIR", str(tmp_path))
    error, _ = add(tmp_path, header=header)
    assert isinstance(error, LocalProtocolError)
    assert "the first line must" in str(error)
