"""The schema's versions."""

import pytest
import sqlalchemy as sa

from polymeter.store import SchemaOutdated, Store, Tx, organizations
from polymeter.store.tables import metadata
from tests.engines import Databases

pytestmark = pytest.mark.anyio


def pretend(tx: Tx, version: str) -> None:
    tx.execute(sa.text("UPDATE alembic_version SET version_num = :version").bindparams(version=version))


def table_names(tx: Tx) -> set[str]:
    return set(sa.inspect(tx.connection).get_table_names())


async def test_an_upgrade_from_nothing_makes_every_table(engine: str, databases: Databases) -> None:
    async with await Store.open(databases.empty(engine), upgrade=True) as store:
        assert set(metadata.tables) <= await store.read(table_names)


async def test_an_upgrade_of_a_database_in_use_leaves_its_rows(store: Store) -> None:
    made = await store.write(organizations.create, "Stadtwerke")
    await store.upgrade()
    assert await store.check() is None
    assert await store.read(organizations.named, "Stadtwerke") == made


async def test_another_versions_schema_is_named_and_refused(store: Store, database: str) -> None:
    await store.write(pretend, "0000")
    problem = await store.check()
    assert problem is not None
    assert "schema 0000" in problem
    assert "polymeter db upgrade" in problem
    with pytest.raises(SchemaOutdated, match="schema 0000"):
        await Store.open(database)


async def test_a_check_changes_nothing(engine: str, databases: Databases) -> None:
    url = databases.empty(engine)
    for _ in range(2):
        with pytest.raises(SchemaOutdated, match="schema none"):
            await Store.open(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x", "nonsense"])
async def test_a_url_that_is_no_store_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite"):
        await Store.open(url)
