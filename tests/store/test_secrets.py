"""Sealed secrets: they open for one organization, meter and kind, under one key, unaltered."""

import asyncio
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from polymeter.store import Conflict, InvalidSecret, SecretKey, Store, Tx, meters, secrets
from tests.fleet import Fleet, make

KEY = SecretKey("a made-up key for tests")
NEW = SecretKey("another made-up key, newer")
GUEK = "dlms_global_unicast_encryption_key"
HERE = (UUID(int=1), UUID(int=2), GUEK)


@given(st.binary(max_size=200))
def test_a_secret_opens_where_it_was_sealed(plain: bytes) -> None:
    sealed = KEY.seal(plain, *HERE)
    assert KEY.open(sealed, *HERE) == plain
    assert len(plain) < 4 or plain not in sealed
    assert KEY.seal(plain, *HERE) != sealed


@pytest.mark.parametrize(
    "elsewhere",
    [
        (UUID(int=3), UUID(int=2), GUEK),
        (UUID(int=1), UUID(int=3), GUEK),
        (UUID(int=1), UUID(int=2), "dlms_authentication_key"),
        (UUID(int=2), UUID(int=1), GUEK),
    ],
)
def test_it_opens_for_no_other_organization_meter_or_kind(elsewhere: tuple[UUID, UUID, str]) -> None:
    with pytest.raises(InvalidSecret, match="altered or belongs to another row"):
        KEY.open(KEY.seal(b"key", *HERE), *elsewhere)


def test_no_byte_of_it_can_be_changed_or_left_out() -> None:
    sealed = KEY.seal(b"0123456789abcdef", *HERE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(InvalidSecret):
            KEY.open(bytes(changed), *HERE)
        with pytest.raises(InvalidSecret):
            KEY.open(sealed[:position], *HERE)


@given(st.binary(max_size=80))
def test_what_was_never_sealed_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(InvalidSecret):
        KEY.open(data, *HERE)
    with pytest.raises(InvalidSecret):
        KEY.open(KEY.seal(b"", *HERE)[:5] + data, *HERE)


def test_a_key_shows_no_part_of_itself_and_a_short_one_is_refused() -> None:
    assert "made-up" not in repr(KEY)
    assert repr(KEY) != repr(NEW)
    with pytest.raises(ValueError, match="shorter than 16"):
        SecretKey("fifteen letters")


@pytest.fixture
async def fleet(store: Store) -> Fleet:
    return await make(store)


def states(tx: Tx) -> list[tuple[int, str]]:
    secret = sa.table("secret", sa.column("version"), sa.column("state"))
    return [(row[0], row[1]) for row in tx.rows(sa.select(secret).order_by(secret.c.version))]


@pytest.mark.anyio
async def test_many_puts_at_once_are_versions_after_each_other_with_one_active(
    store: Store, fleet: Fleet
) -> None:
    made = await asyncio.gather(
        *(store.write(secrets.put, KEY, fleet.id, fleet.meter.id, GUEK, b"%d" % i) for i in range(6))
    )
    assert sorted(made) == [1, 2, 3, 4, 5, 6]
    assert await store.read(states) == [(n, "old") for n in range(1, 6)] + [(6, "active")]
    newest = b"%d" % made.index(6)
    assert await store.read(secrets.get, KEY, fleet.id, fleet.meter.id, GUEK) == newest


@pytest.mark.anyio
async def test_another_organization_sees_keeps_and_deletes_nothing(store: Store, fleet: Fleet) -> None:
    theirs = await make(store, "Andere")
    await store.write(secrets.put, KEY, fleet.id, fleet.meter.id, GUEK, b"ours")
    assert await store.read(secrets.get, KEY, theirs.id, fleet.meter.id, GUEK) is None
    assert await store.read(secrets.kinds, theirs.id, fleet.meter.id) == ()
    assert await store.write(secrets.delete, theirs.id, fleet.meter.id) == 0
    with pytest.raises(Conflict, match="has no meter"):
        await store.write(secrets.put, KEY, theirs.id, fleet.meter.id, GUEK, b"theirs")
    assert await store.read(secrets.get, KEY, fleet.id, fleet.meter.id, GUEK) == b"ours"


@pytest.mark.anyio
async def test_deleting_one_kind_leaves_the_others(store: Store, fleet: Fleet) -> None:
    for kind in ("a", "b", "a"):
        await store.write(secrets.put, KEY, fleet.id, fleet.meter.id, kind, b"x")
    assert await store.write(secrets.delete, fleet.id, fleet.meter.id, "a") == 2
    assert await store.read(secrets.kinds, fleet.id, fleet.meter.id) == ("b",)
    assert await store.read(secrets.get, KEY, fleet.id, uuid4(), "b") is None


@pytest.mark.anyio
async def test_a_rotation_that_meets_a_secret_it_cannot_open_changes_none(store: Store, fleet: Fleet) -> None:
    other = await store.write(meters.create, fleet.id, "M2")
    await store.write(secrets.put, KEY, fleet.id, fleet.meter.id, GUEK, b"one")
    await store.write(secrets.put, NEW, fleet.id, other.id, GUEK, b"two")
    with pytest.raises(InvalidSecret):
        await store.write(secrets.reseal, KEY, NEW)
    assert await store.read(secrets.get, KEY, fleet.id, fleet.meter.id, GUEK) == b"one"


@pytest.mark.anyio
async def test_old_versions_are_rotated_too(store: Store, fleet: Fleet) -> None:
    for value in (b"one", b"two"):
        await store.write(secrets.put, KEY, fleet.id, fleet.meter.id, GUEK, value)
    assert await store.write(secrets.reseal, KEY, NEW) == 2
    assert await store.write(secrets.reseal, NEW, KEY) == 2


@pytest.mark.anyio
async def test_the_secrets_go_with_their_meter(store: Store, fleet: Fleet) -> None:
    await store.write(secrets.put, KEY, fleet.id, fleet.meter.id, GUEK, b"x")
    assert await store.write(meters.remove, fleet.id, fleet.meter.id)
    assert await store.read(states) == []
