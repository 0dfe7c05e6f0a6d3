"""The store's nouns, on both engines."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from polymeter.domain import Role, Scheme, SimulatedClock
from polymeter.store import (
    ANY,
    Conflict,
    Frame,
    FrameStatus,
    InvalidSecret,
    RunStatus,
    SchemaOutdated,
    SecretKey,
    Store,
    StoreUnavailable,
    Tx,
    audit,
    events,
    frames,
    leases,
    meter_types,
    meters,
    new_uid,
    organizations,
    outbox,
    secrets,
    series,
    task_runs,
    tasks,
    users,
)
from polymeter.store.events import Event
from polymeter.store.tables import metadata
from tests.engines import NOW, Databases
from tests.fleet import make

pytestmark = pytest.mark.anyio


async def test_the_migrations_make_the_schema_the_code_speaks_of(engine: str, databases: Databases) -> None:
    store = await Store.open(await databases.fresh(engine))

    def differences(tx: Tx) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(tx.connection), metadata))

    # A partition is a table of its own, of which the metadata knows nothing.
    found = await store.read(differences)
    await store.close()
    assert [d for d in found if "reading_" not in str(d) or "reading_revision" in str(d)] == []


async def test_a_database_without_schema_is_refused_until_upgraded(engine: str, databases: Databases) -> None:
    url = databases.empty(engine)
    with pytest.raises(SchemaOutdated, match="run `polymeter db upgrade`"):
        await Store.open(url)
    for _ in range(2):
        store = await Store.open(url, upgrade=True)
        assert await store.check() is None
        await store.close()


async def test_a_failed_unit_of_work_leaves_nothing_and_its_neighbours_alone(store: Store) -> None:
    def twice(tx: Tx) -> None:
        organizations.create(tx, "Half")
        organizations.create(tx, "Half")

    results = await asyncio.gather(
        store.write(organizations.create, "One"),
        store.write(twice),
        store.write(organizations.create, "Two"),
        return_exceptions=True,
    )
    assert isinstance(results[1], Conflict)
    page = await store.read(organizations.page, ANY)
    assert [organization.name for organization in page.rows] == ["One", "Two"]


async def test_rows_of_another_organization_do_not_exist(store: Store) -> None:
    ours, theirs = await make(store), await make(store, "Andere")
    for noun, id in ((meters, theirs.meter.id), (series, theirs.energy.id), (meter_types, theirs.type.id)):
        assert await store.read(noun.get, ours.id, id) is None  # type: ignore[attr-defined]
        assert not await store.write(noun.remove, ours.id, id)  # type: ignore[attr-defined]
        assert await store.write(noun.change, ours.id, id, name="X") is None  # type: ignore[attr-defined]
        assert await store.read(noun.get, theirs.id, id) is not None  # type: ignore[attr-defined]
        assert await store.read(noun.get, ANY, id) is not None  # type: ignore[attr-defined]
    assert (await store.read(meters.page, ours.id)).count == 1
    assert (await store.read(meters.page, ANY)).count == 2


async def test_a_reference_to_another_organizations_row_is_refused(store: Store) -> None:
    ours, theirs = await make(store), await make(store, "Andere")
    with pytest.raises(Conflict, match="has no meter_type"):
        await store.write(meters.create, ours.id, "M9", type=theirs.type.id)
    with pytest.raises(Conflict, match="has no series"):
        await store.write(meter_types.create_config, ours.id, "other", [theirs.energy.id])
    with pytest.raises(Conflict, match="has no meter"):
        await store.write(meters.add_alias, ours.id, theirs.meter.id, Scheme.SERIAL, "1")


async def test_one_series_in_two_spellings_is_a_conflict(store: Store) -> None:
    fleet = await make(store)
    with pytest.raises(Conflict):
        await store.write(series.create, fleet.id, "1-0:1.8.0*255", "kWh")
    found = await store.read(series.named, fleet.id, "OBIS_1.8.0")
    assert found == fleet.energy


async def test_aliases_follow_their_meter(store: Store) -> None:
    fleet = await make(store)
    await store.write(meters.change, fleet.id, fleet.meter.id, name="M7", manufacturer_serial="S7")
    found = await store.read(meters.resolve, fleet.id, ["M1", "M7", "S7"])
    assert sorted(found) == ["M7", "S7"]
    names = await store.read(meters.aliases, fleet.id, fleet.meter.id)
    assert {(alias.scheme, alias.value) for alias in names} == {(Scheme.NAME, "M7"), (Scheme.SERIAL, "S7")}


async def test_an_unknown_filter_is_a_mistake_of_ours(store: Store) -> None:
    with pytest.raises(TypeError, match="has no column colour"):
        await store.read(meters.page, ANY, colour="red")


async def test_a_token_opens_by_its_text_until_revoked_or_expired(
    store: Store, clock: SimulatedClock
) -> None:
    fleet = await make(store)
    token, text = await store.write(users.create_token, fleet.id, "poller", ["readings:write"])
    _, brief = await store.write(users.create_token, None, "brief", expires=NOW + timedelta(seconds=5))
    found = await store.read(users.by_token, text)
    assert found is not None
    assert (found.id, found.organization, found.scopes) == (token.id, fleet.id, ("readings:write",))
    assert await store.read(users.by_token, brief) is not None
    clock.advance(5)
    assert await store.read(users.by_token, brief) is None
    assert not await store.write(users.revoke_token, uuid4(), token.id)
    assert await store.write(users.revoke_token, fleet.id, token.id)
    assert await store.read(users.by_token, text) is None


async def test_a_user_is_seen_by_the_organizations_joined(store: Store) -> None:
    ours, theirs = await make(store), await make(store, "Andere")
    user = await store.write(users.create, "ada", "$argon2id$made-up")
    await store.write(users.join, ours.id, user.id, Role.READER)
    await store.write(users.join, ours.id, user.id, Role.ADMIN)
    assert [m.role for m in (await store.read(users.memberships, ANY, user=user.id)).rows] == [Role.ADMIN]
    assert [u.name for u in (await store.read(users.page, ours.id)).rows] == ["ada"]
    assert await store.read(users.get, theirs.id, user.id) is None
    assert "argon2" not in repr(await store.read(users.named, "ada"))


async def test_a_lease_has_one_holder_until_it_expires(store: Store, clock: SimulatedClock) -> None:
    first = await store.write(leases.take, "interface", "a", 10)
    assert first is not None
    assert await store.write(leases.take, "interface", "b", 10) is None
    clock.advance(9)
    assert await store.write(leases.renew, first, 10) is not None
    clock.advance(9.9)
    assert await store.write(leases.take, "interface", "b", 10) is None
    clock.advance(0.1)
    second = await store.write(leases.take, "interface", "b", 10)
    assert second is not None
    assert second.fence > first.fence
    assert await store.write(leases.renew, first, 10) is None
    assert not await store.write(leases.release, first)
    assert await store.write(leases.release, second)
    assert await store.read(leases.get, "interface") is None


async def test_of_many_takers_one_gets_the_lease(store: Store) -> None:
    taken = await asyncio.gather(*(store.write(leases.take, "x", f"w{i}", 10) for i in range(20)))
    assert sum(lease is not None for lease in taken) == 1


async def test_a_run_is_planned_once_and_taken_once(store: Store, clock: SimulatedClock) -> None:
    fleet = await make(store)
    task = await store.write(tasks.create, fleet.id, "quarterly", "iec62056-21", "read", interval_s=900)
    await store.write(tasks.assign, fleet.id, task.id, [fleet.meter.id])
    ((planned, meter),) = await store.read(tasks.assignments, ANY)
    assert (planned, meter) == (task, fleet.meter.id)
    made = await asyncio.gather(
        *(store.write(task_runs.create, fleet.id, meter, NOW, "read", task=task.id) for _ in range(5))
    )
    assert sum(run is not None for run in made) == 1
    taken = await asyncio.gather(*(store.write(task_runs.claim, f"w{i}", 30) for i in range(5)))
    (run,) = [run for runs in taken for run in runs]
    assert (run.status, run.attempt, run.task) == (RunStatus.RUNNING, 1, task.id)
    assert await store.write(task_runs.finish, run, {"readings": 3})
    done = await store.read(task_runs.get, fleet.id, run.id)
    assert done is not None
    assert (done.status, done.result, done.finished) == (RunStatus.DONE, {"readings": 3}, clock.now())
    assert await store.write(tasks.remove, fleet.id, task.id)
    assert (await store.read(task_runs.page, fleet.id)).count == 1


async def test_a_dead_workers_run_is_taken_again_and_its_late_answer_ignored(
    store: Store, clock: SimulatedClock
) -> None:
    fleet = await make(store)
    await store.write(task_runs.create, fleet.id, fleet.meter.id, NOW, "read")
    (lost,) = await store.write(task_runs.claim, "a", 30)
    assert await store.write(task_runs.renew, lost, 30)
    clock.advance(30)
    (again,) = await store.write(task_runs.claim, "a", 30)
    assert again.attempt == 2
    assert not await store.write(task_runs.finish, lost)
    assert await store.write(task_runs.fail, again, "silent", retry_at=clock.now() + timedelta(seconds=60))
    assert await store.write(task_runs.claim, "b", 30) == ()
    clock.advance(60)
    (third,) = await store.write(task_runs.claim, "b", 30)
    assert await store.write(task_runs.defer, third, clock.now())
    (fourth,) = await store.write(task_runs.claim, "b", 30)
    assert fourth.attempt == third.attempt == 3
    assert await store.write(task_runs.fail, fourth, "silent for good")
    ended = await store.read(task_runs.get, ANY, fourth.id)
    assert ended is not None
    assert (ended.status, ended.reason) == (RunStatus.FAILED, "silent for good")


async def test_spooled_frames_are_kept_once_each_and_wait_until_marked(
    store: Store, clock: SimulatedClock
) -> None:
    made = [
        Frame("mbus", bytes([i]) * (i + 1), clock.now(), new_uid(), peer="10.0.0.1:1") for i in range(200)
    ]
    await asyncio.gather(*(store.spool([frame]) for frame in made), *(store.spool([f]) for f in made[:50]))
    waiting = await store.read(frames.waiting)
    assert {frame.uid: frame.payload for frame in waiting} == {frame.uid: frame.payload for frame in made}
    ids = [frame.id for frame in waiting]
    await store.write(frames.mark, ids[:150], FrameStatus.DONE)
    await store.write(frames.mark, ids[150:], FrameStatus.QUARANTINED, "no key")
    assert await store.read(frames.waiting) == ()
    page = await store.read(frames.page, ANY, status=FrameStatus.QUARANTINED)
    assert (page.count, page.rows[0].reason, page.rows[0].attempts) == (50, "no key", 1)
    assert await store.write(frames.requeue, ANY) == 50
    assert len(await store.read(frames.waiting)) == 50


async def test_a_spool_that_cannot_write_says_so_to_every_sender(store: Store, clock: SimulatedClock) -> None:
    await store.close()
    if store.engine == "sqlite":
        answers = await asyncio.gather(
            *(store.spool([Frame("mbus", b"x", clock.now(), new_uid())]) for _ in range(3)),
            return_exceptions=True,
        )
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)


async def test_a_secret_opens_only_where_it_was_sealed(store: Store) -> None:
    fleet = await make(store)
    other = await store.write(meters.create, fleet.id, "M2")
    key = SecretKey("a made-up key for tests")
    kind = "dlms_global_unicast_encryption_key"
    await store.write(secrets.put, key, fleet.id, fleet.meter.id, kind, b"\x01" * 16)
    await store.write(secrets.put, key, fleet.id, fleet.meter.id, kind, b"\x02" * 16)
    assert await store.read(secrets.get, key, fleet.id, fleet.meter.id, kind) == b"\x02" * 16
    assert await store.read(secrets.get, key, uuid4(), fleet.meter.id, kind) is None
    assert await store.read(secrets.kinds, fleet.id, fleet.meter.id) == (kind,)
    new = SecretKey("another made-up key")
    with pytest.raises(InvalidSecret, match="another SECRET_KEY"):
        await store.read(secrets.get, new, fleet.id, fleet.meter.id, kind)
    assert await store.write(secrets.reseal, key, new) == 2
    assert await store.read(secrets.get, new, fleet.id, fleet.meter.id, kind) == b"\x02" * 16

    def move(tx: Tx) -> None:
        tx.execute(
            sa.text("UPDATE secret SET meter = :other").bindparams(
                sa.bindparam("other", other.id, type_=sa.Uuid())
            )
        )

    await store.write(move)
    with pytest.raises(InvalidSecret, match="altered or belongs to another row"):
        await store.read(secrets.get, new, fleet.id, other.id, kind)


async def test_a_changed_audit_entry_is_found(store: Store) -> None:
    fleet = await make(store)
    for i in range(5):
        await store.write(audit.append, fleet.id, "ada", "key.read", f"meter {i}", {"kind": "guek"})
    assert await store.read(audit.verify) is None
    assert (await store.read(audit.page, fleet.id, limit=1)).rows[0].object == "meter 4"
    await store.write(lambda tx: tx.execute(sa.text("UPDATE audit SET actor = 'bob' WHERE id = 3")))
    assert await store.read(audit.verify) == 3
    await store.write(lambda tx: tx.execute(sa.text("DELETE FROM audit WHERE id = 3")))
    assert await store.read(audit.verify) == 3


async def test_audit_entries_of_many_writers_are_one_chain(store: Store) -> None:
    await asyncio.gather(*(store.write(audit.append, None, f"w{i}", "login", "") for i in range(30)))
    assert await store.read(audit.verify) is None
    assert (await store.read(audit.page, ANY)).count == 30


async def test_the_same_event_is_kept_once(store: Store) -> None:
    fleet = await make(store)
    event = Event(0, fleet.id, fleet.meter.id, NOW, "cover opened", code="12")
    assert await store.write(events.add, event) is not None
    assert await store.write(events.add, event) is None
    assert (await store.read(events.page, fleet.id)).count == 1
    assert (await store.read(events.page, uuid4())).count == 0


async def test_the_outbox_appears_with_its_transaction_or_not_at_all(store: Store) -> None:
    def half(tx: Tx) -> None:
        outbox.add(tx, b"ghost")
        raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"):
        await store.write(half)
    await store.write(outbox.add, b"real")
    assert [body for _, body in await store.read(outbox.waiting)] == [b"real"]


async def test_microseconds_of_moments_survive(store: Store) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
    await store.spool([Frame("mbus", b"x", at, new_uid())])
    (frame,) = await store.read(frames.waiting)
    assert frame.received == at
