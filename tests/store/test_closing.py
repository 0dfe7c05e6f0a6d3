"""Closing and shutting down, on both engines: who comes late is told so, who came in time is served."""

import asyncio

import pytest
import sqlalchemy as sa

from polymeter.store import ANY, Frame, Store, StoreUnavailable, Tx, frames, new_uid, organizations
from tests.engines import NOW

pytestmark = pytest.mark.anyio


def fails(tx: Tx) -> None:
    organizations.create(tx, "Ghost")
    raise StoreUnavailable("the disk is full")


async def test_a_closed_store_is_unavailable_to_readers_and_writers(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.read(organizations.page, ANY)
    with pytest.raises(StoreUnavailable):
        await store.write(organizations.create, "Late")
    with pytest.raises(StoreUnavailable):
        await store.spool([Frame("mbus", b"x", NOW, new_uid())])


async def test_closing_twice_is_closing_once(store: Store) -> None:
    await store.close()
    await store.close()


async def test_whoever_comes_while_the_store_closes_is_answered(store: Store) -> None:
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    late = [store.write(organizations.create, f"Late {i}") for i in range(3)]
    answers = await asyncio.wait_for(
        asyncio.gather(*late, store.read(organizations.page, ANY), return_exceptions=True), 20
    )
    await closing
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)


async def test_what_was_handed_over_before_the_end_is_on_disk(engine: str, database: str) -> None:
    if engine == "postgresql":
        pytest.skip("every writer has a connection of its own there")
    store = await Store.open(database)
    early = [asyncio.ensure_future(store.write(organizations.create, f"Early {i}")) for i in range(20)]
    await asyncio.sleep(0)
    await store.close()
    assert len({organization.id for organization in await asyncio.gather(*early)}) == 20
    async with await Store.open(database) as again:
        assert (await again.read(organizations.page, ANY)).count == 20


async def test_a_writer_that_is_cancelled_has_written_all_the_same(engine: str, database: str) -> None:
    if engine == "postgresql":
        pytest.skip("a cancelled statement is rolled back there")
    store = await Store.open(database)
    waiting = asyncio.ensure_future(store.write(organizations.create, "Handed over"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await store.close()
    async with await Store.open(database) as again:
        assert await again.read(organizations.named, "Handed over") is not None


async def test_a_full_disk_is_heard_by_the_whole_group_and_the_next_one_is_written(
    engine: str, store: Store
) -> None:
    if engine == "postgresql":
        pytest.skip("transactions are not grouped there")
    answers = await asyncio.gather(
        store.write(organizations.create, "One"),
        store.write(fails),
        store.write(organizations.create, "Two"),
        return_exceptions=True,
    )
    names = {o.name for o in (await store.read(organizations.page, ANY)).rows}
    acknowledged = {answer.name for answer in answers if not isinstance(answer, BaseException)}
    assert isinstance(answers[1], StoreUnavailable)
    assert names == acknowledged
    assert (await store.write(organizations.create, "After")).name == "After"


async def test_a_statement_of_ours_that_is_wrong_does_not_end_the_store(store: Store) -> None:
    with pytest.raises(Exception, match="no_such_table"):
        await store.write(lambda tx: tx.execute(sa.text("DELETE FROM no_such_table")))
    assert (await store.write(organizations.create, "After")).name == "After"


async def test_a_frame_of_a_closed_store_is_in_no_other(database: str) -> None:
    store = await Store.open(database)
    await store.spool([Frame("mbus", b"kept", NOW, "kept")])
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.spool([Frame("mbus", b"lost", NOW, "lost")])
    async with await Store.open(database) as again:
        assert list(await again.read(frames.ids, ["kept", "lost"])) == ["kept"]
