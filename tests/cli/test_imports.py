"""Keys come in from a table, whole or not at all, and no message repeats one."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from polymeter.app import secret_key
from polymeter.cli import app
from polymeter.protocols.wire import LocalProtocolError, ProtocolError
from polymeter.settings import Settings
from polymeter.store import SecretKey, Store, secrets
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
