"""Another organization's row does not exist: None, False, zero or a Conflict, for every function."""

from datetime import timedelta

import pytest

from polymeter.domain import Role, Scheme, SeriesKind
from polymeter.store import (
    ANY,
    Conflict,
    Store,
    Tx,
    channels,
    events,
    meter_types,
    meters,
    series,
    staged,
    tasks,
    users,
)
from polymeter.store.events import Event
from polymeter.store.staged import Staged
from tests.engines import NOW
from tests.fleet import Fleet, make

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ours(store: Store) -> Fleet:
    return await make(store)


@pytest.fixture
async def theirs(store: Store, ours: Fleet) -> Fleet:
    return await make(store, "Andere")


async def test_channels(store: Store, ours: Fleet, theirs: Fleet) -> None:
    channel = await store.write(channels.create, theirs.id, theirs.meter.id, theirs.energy.id)
    assert await store.write(channels.create, theirs.id, theirs.meter.id, theirs.energy.id) == channel
    assert await store.read(channels.get, theirs.id, channel.id) == channel
    assert await store.read(channels.get, ours.id, channel.id) is None
    assert await store.read(channels.of_meter, ours.id, theirs.meter.id) == ()
    assert await store.read(channels.of_meter, ours.id) == ()
    assert await store.read(channels.of_meter, ANY, None, theirs.energy.id) == (channel,)
    for meter, one in ((theirs.meter.id, ours.energy.id), (ours.meter.id, theirs.energy.id)):
        with pytest.raises(Conflict, match="the organization has no"):
            await store.write(channels.create, ours.id, meter, one)


async def test_a_meter_with_channels_is_not_removed(store: Store, ours: Fleet) -> None:
    await store.write(channels.create, ours.id, ours.meter.id, ours.energy.id)
    with pytest.raises(Conflict):
        await store.write(meters.remove, ours.id, ours.meter.id)
    with pytest.raises(Conflict):
        await store.write(series.remove, ours.id, ours.energy.id)


async def test_interfaces(store: Store, ours: Fleet, theirs: Fleet) -> None:
    gateway = await store.write(
        meters.create_interface, theirs.id, fqdn="g.example", static_ip_address="10.0.0.1"
    )
    assert gateway.host == "g.example"
    assert await store.read(meters.get_interface, ours.id, gateway.id) is None
    assert await store.write(meters.change_interface, ours.id, gateway.id, port=1) is None
    assert not await store.write(meters.remove_interface, ours.id, gateway.id)
    assert (await store.read(meters.interface_page, ours.id)).count == 0
    with pytest.raises(Conflict, match="has no network_interface"):
        await store.write(meters.change, ours.id, ours.meter.id, network_interface=gateway.id)
    changed = await store.write(meters.change_interface, theirs.id, gateway.id, port=4059)
    assert changed is not None
    assert changed.port == 4059
    await store.write(meters.change, theirs.id, theirs.meter.id, network_interface=gateway.id)
    with pytest.raises(Conflict):
        await store.write(meters.remove_interface, theirs.id, gateway.id)


async def test_aliases(store: Store, ours: Fleet, theirs: Fleet) -> None:
    alias = await store.write(meters.add_alias, theirs.id, theirs.meter.id, Scheme.MBUS, "ELS-1")
    again = await store.write(meters.add_alias, theirs.id, theirs.meter.id, Scheme.MBUS, "ELS-1")
    assert again == alias
    assert await store.read(meters.aliases, ours.id, theirs.meter.id) == ()
    assert await store.read(meters.resolve, ours.id, ["ELS-1"]) == {}
    assert not await store.write(meters.remove_alias, ours.id, alias)
    (known,) = (await store.read(meters.resolve, ANY, ["ELS-1"]))["ELS-1"]
    assert (known.id, known.organization) == (theirs.meter.id, theirs.id)
    assert await store.write(meters.remove_alias, theirs.id, alias)
    assert await store.read(meters.resolve, ANY, ["ELS-1"]) == {}


async def test_configurations(store: Store, ours: Fleet, theirs: Fleet) -> None:
    config = theirs.type.config
    assert config is not None
    assert await store.read(meter_types.get_config, ours.id, config) is None
    assert await store.write(meter_types.change_config, ours.id, config, series=[]) is None
    assert not await store.write(meter_types.remove_config, ours.id, config)
    with pytest.raises(Conflict, match="has no series"):
        await store.write(meter_types.change_config, theirs.id, config, series=[ours.energy.id])
    kept = await store.read(meter_types.get_config, theirs.id, config)
    assert kept is not None
    assert set(kept.series) == {theirs.energy.id, theirs.volume.id, theirs.note.id}
    narrowed = await store.write(
        meter_types.change_config, theirs.id, config, series=[theirs.note.id, theirs.note.id]
    )
    assert narrowed is not None
    assert narrowed.series == (theirs.note.id,)
    allowed = await store.read(channels.allowed, [config])
    assert [item.kind for item in allowed[config].values()] == [SeriesKind.TEXT]
    with pytest.raises(Conflict):
        await store.write(meter_types.remove_config, theirs.id, config)


async def test_a_type_with_another_organizations_configuration_is_refused(
    store: Store, ours: Fleet, theirs: Fleet
) -> None:
    with pytest.raises(Conflict, match="has no meter_config"):
        await store.write(meter_types.create, ours.id, "stolen", config=theirs.type.config)
    with pytest.raises(Conflict, match="has no meter_config"):
        await store.write(meter_types.change, ours.id, ours.type.id, config=theirs.type.config)


async def test_tasks(store: Store, ours: Fleet, theirs: Fleet) -> None:
    task = await store.write(tasks.create, theirs.id, "t", "generic", "read", task_kwargs={"a": [1]})
    await store.write(tasks.assign, theirs.id, task.id, [theirs.meter.id, theirs.meter.id])
    assert await store.read(tasks.get, theirs.id, task.id) == task
    assert await store.read(tasks.get, ours.id, task.id) is None
    assert await store.write(tasks.change, ours.id, task.id, name="x") is None
    assert not await store.write(tasks.remove, ours.id, task.id)
    assert await store.read(tasks.meters_of, ours.id, task.id) == ()
    assert await store.read(tasks.meters_of, theirs.id, task.id) == (theirs.meter.id,)
    assert await store.read(tasks.assignments, ours.id) == ()
    for organization, meter in ((ours.id, ours.meter.id), (theirs.id, ours.meter.id)):
        with pytest.raises(Conflict, match="the organization has no"):
            await store.write(tasks.assign, organization, task.id, [meter])
    assert await store.read(tasks.meters_of, theirs.id, task.id) == (theirs.meter.id,)
    assert await store.write(tasks.change, theirs.id, task.id, is_active=False) is not None
    assert await store.read(tasks.assignments, ANY) == ()
    await store.write(tasks.assign, theirs.id, task.id, [])
    assert await store.read(tasks.meters_of, theirs.id, task.id) == ()


async def test_events(store: Store, ours: Fleet, theirs: Fleet) -> None:
    event = await store.write(events.add, Event(0, theirs.id, theirs.meter.id, NOW, "cover", code="1"))
    assert event is not None
    assert await store.read(events.get, theirs.id, event.id) == event
    assert await store.read(events.get, ours.id, event.id) is None
    assert not await store.write(events.remove, ours.id, event.id)
    assert await store.write(events.add, Event(0, ours.id, theirs.meter.id, NOW, "forged")) is None
    half = timedelta(milliseconds=500)
    for start, stop, count in ((NOW, None, 1), (NOW + half, None, 0), (None, NOW, 0), (None, NOW + half, 1)):
        page = await store.read(events.page, theirs.id, meter=theirs.meter.id, start=start, stop=stop)
        assert page.count == count, (start, stop)
    assert await store.write(events.remove, theirs.id, event.id)


async def test_users_and_memberships(store: Store, ours: Fleet, theirs: Fleet) -> None:
    user = await store.write(users.create, "ada")
    with pytest.raises(Conflict):
        await store.write(users.create, "ada")
    joined = await store.write(users.join, theirs.id, user.id, Role.ADMIN)
    assert await store.write(users.change, ours.id, user.id, is_active=False) is None
    assert not await store.write(users.remove, ours.id, user.id)
    assert not await store.write(users.leave, ours.id, joined.id)
    assert await store.read(users.membership, ours.id, user.id) is None
    assert (await store.read(users.memberships, ours.id)).count == 0
    assert (await store.read(users.page, ours.id)).count == 0
    assert (await store.read(users.page, ANY)).count == 1
    assert await store.write(users.leave, theirs.id, joined.id)
    assert await store.read(users.get, theirs.id, user.id) is None
    assert await store.write(users.remove, ANY, user.id)
    assert await store.read(users.named, "ada") is None


async def test_tokens(store: Store, ours: Fleet, theirs: Fleet) -> None:
    token, text = await store.write(users.create_token, theirs.id, "poller", ["read"])
    assert (await store.read(users.tokens, ours.id)).count == 0
    (listed,) = (await store.read(users.tokens, theirs.id)).rows
    assert listed.id == token.id
    assert not await store.write(users.revoke_token, ours.id, token.id)
    assert await store.read(users.by_token, text[:-1]) is None
    assert await store.read(users.by_token, text.upper()) is None
    assert await store.read(users.by_token, text) is not None


def waiting(fleet: Fleet | None, meter: str = "M9", digest: bytes = b"1", seconds: int = 0) -> Staged:
    organization = None if fleet is None else fleet.id
    at = NOW + timedelta(seconds=seconds)
    return Staged(0, organization, meter, "1.8.0", at, b"{}", "unknown meter", 3, NOW, digest)


async def test_staged_readings(store: Store, ours: Fleet, theirs: Fleet) -> None:
    rows = [waiting(ours), waiting(theirs), waiting(None)]
    for _ in range(2):
        await store.write(staged.add, [*rows, *rows])
    assert (await store.read(staged.page, ANY)).count == 3
    (mine,) = (await store.read(staged.page, ours.id)).rows
    (other,) = (await store.read(staged.page, theirs.id)).rows
    assert await store.read(staged.get, ours.id, mine.id) == mine
    assert await store.read(staged.get, ours.id, other.id) is None
    assert {row.organization for row in await store.read(staged.take, ours.id)} == {ours.id, None}
    assert await store.write(staged.remove, ours.id, [mine.id, other.id]) == 1
    assert await store.read(staged.get, theirs.id, other.id) == other


async def test_what_waits_differs_by_content_and_expires(store: Store, ours: Fleet) -> None:
    await store.write(staged.add, [waiting(ours), waiting(ours, digest=b"2"), waiting(ours, seconds=1)])
    rows = (await store.read(staged.page, ours.id, meter="M9")).rows
    assert len(rows) == 3
    half = timedelta(milliseconds=500)
    assert (await store.read(staged.page, ours.id, start=NOW + half)).rows == rows[2:]
    assert (await store.read(staged.page, ours.id, stop=NOW + half)).rows == rows[:2]
    assert await store.read(staged.take, ours.id, ["M8"]) == ()
    assert await store.read(staged.take, ours.id, ["M9"], after=rows[0].id, limit=1) == (rows[1],)
    await store.write(staged.explain, [(rows[0].id, "unknown series")])
    explained = await store.read(staged.get, ours.id, rows[0].id)
    assert explained is not None
    assert explained.reason == "unknown series"
    assert await store.write(staged.expire, NOW) == 0
    assert await store.write(staged.expire, NOW + half) == 3


async def test_names_are_unique_within_an_organization_only(store: Store, ours: Fleet, theirs: Fleet) -> None:
    assert ours.meter.name == theirs.meter.name

    async def twice(work: object, *args: object) -> None:
        with pytest.raises(Conflict):
            await store.write(work, *args)  # type: ignore[arg-type]

    await twice(meters.create, ours.id, "M1")
    await twice(meter_types.create, ours.id, "type")
    await twice(meter_types.create_config, ours.id, "config")
    await store.write(tasks.create, ours.id, "t", "generic", "read")
    await twice(tasks.create, ours.id, "t", "generic", "read")
    second = await store.write(meters.create, ours.id, "M2")

    def rename(tx: Tx) -> None:
        meters.change(tx, ours.id, second.id, name="M1")

    await twice(rename)
    assert await store.read(meters.named, ours.id, "M2") == second
