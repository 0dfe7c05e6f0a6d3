"""The audit log: one flipped byte anywhere is found, and where."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from polymeter.store import ANY, Store, Tx, audit
from polymeter.store.tables import audit as table
from tests.fleet import make

pytestmark = pytest.mark.anyio


def chain(tx: Tx) -> None:
    for i in range(1, 6):
        audit.append(tx, None, f"actor {i}", "read", f"meter {i}", {"kind": "grün", "n": i})


def flipped(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    return chr(ord(value[0]) ^ 1) + value[1:]


CHANGES: dict[str, Callable[[Any], Any]] = {
    "actor": flipped,
    "action": flipped,
    "object": flipped,
    "detail": flipped,
    "hash": flipped,
    "at": lambda at: at.replace(microsecond=1),
    "organization": lambda _: uuid4(),
}


async def test_a_change_of_any_field_of_any_entry_is_found_at_that_entry(store: Store) -> None:
    def found_after_change(tx: Tx, number: int, column: str) -> int | None:
        where = table.c.id == number
        before = tx.scalar(sa.select(table.c[column]).where(where))
        tx.execute(sa.update(table).where(where).values({column: CHANGES[column](before)}))
        found = audit.verify(tx)
        tx.execute(sa.update(table).where(where).values({column: before}))
        return found

    await store.write(chain)
    for number in range(1, 6):
        for column in CHANGES:
            assert await store.write(found_after_change, number, column) == number, column
    assert await store.read(audit.verify) is None


async def test_entries_that_change_places_are_found(store: Store) -> None:
    def swap(tx: Tx) -> None:
        for before, after in ((2, 99), (3, 2), (99, 3)):
            tx.execute(sa.update(table).where(table.c.id == before).values(id=after))

    await store.write(chain)
    await store.write(swap)
    assert await store.read(audit.verify) == 2


async def test_text_moved_from_one_field_to_the_next_is_found(store: Store) -> None:
    def move(tx: Tx) -> None:
        tx.execute(sa.update(table).where(table.c.id == 2).values(actor="actor 2read", action=""))

    await store.write(chain)
    await store.write(move)
    assert await store.read(audit.verify) == 2


async def test_an_entry_of_work_that_failed_is_not_in_the_chain(store: Store) -> None:
    def half(tx: Tx) -> None:
        audit.append(tx, None, "ghost", "read", "")
        raise ValueError("the work failed")

    await store.write(chain)
    with pytest.raises(ValueError, match="the work failed"):
        await store.write(half)
    entry = await store.write(audit.append, None, "ada", "read", "")
    assert entry.id == 6
    assert await store.read(audit.verify) is None


async def test_an_organization_sees_its_own_entries_newest_first(store: Store) -> None:
    ours, theirs = await make(store), await make(store, "Andere")
    for i in range(3):
        await store.write(audit.append, ours.id, "ada", "read", str(i))
        await store.write(audit.append, theirs.id, "eve", "read", str(i))
    page = await store.read(audit.page, ours.id, limit=2)
    assert ([entry.object for entry in page.rows], page.count) == (["2", "1"], 3)
    assert (await store.read(audit.page, ANY)).count == 6
    assert (await store.read(audit.page, uuid4())).rows == ()
