"""Frames: kept once each, byte for byte, with what became of them."""

import zlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from polymeter.store import ANY, Frame, FrameStatus, Store, frames, new_uid
from tests.engines import NOW
from tests.fleet import make

pytestmark = pytest.mark.anyio


def frame(payload: bytes = b"x", **more: Any) -> Frame:
    values: dict[str, Any] = {"protocol": "mbus", "received": NOW, "uid": new_uid()}
    return Frame(payload=payload, **values | more)


PAYLOADS = {
    "empty": b"",
    "a byte": b"\0",
    "just below what is compressed": b"a" * 63,
    "just compressed": b"a" * 64,
    "long and regular": b"1-0:1.8.0(00012345.678*kWh)\r\n" * 5000,
    "every byte, not compressible": bytes(range(256)),
    "already compressed": zlib.compress(bytes(range(256)) * 9),
}


async def test_the_payload_is_the_same_byte_for_byte_and_never_longer_on_disk(store: Store) -> None:
    for name, payload in PAYLOADS.items():
        await store.spool([frame(payload, uid=name)])
    kept = {one.uid: one.payload for one in await store.read(frames.waiting)}
    assert kept == PAYLOADS
    sizes = await store.read(lambda tx: tx.rows(sa.text("SELECT uid, length(payload) FROM frame")))
    for name, size in sizes:
        assert size <= len(PAYLOADS[name])
    assert dict(tuple(row) for row in sizes)["long and regular"] < 2000


async def test_everything_about_a_frame_is_kept(store: Store) -> None:
    fleet = await make(store)
    given = frame(
        organization=fleet.id, entrance="tcp://:4059", peer="10.0.0.9:1", meter="M1", meta={"port": [1, "ä"]}
    )
    await store.spool([given])
    (kept,) = await store.read(frames.waiting)
    assert kept.id > 0
    assert given == Frame(**{name: getattr(kept, name) for name in Frame.__dataclass_fields__} | {"id": 0})
    assert await store.read(frames.get, fleet.id, kept.id) == kept
    assert await store.read(frames.get, uuid4(), kept.id) is None


async def test_a_frame_handed_over_again_is_the_first_one(store: Store) -> None:
    first = frame(b"first", uid="u")
    await store.spool([first])
    await store.spool([frame(b"second", uid="u"), frame(b"third", uid="v"), frame(b"fourth", uid="v")])
    assert [kept.payload for kept in await store.read(frames.waiting)] == [b"first", b"third"]
    known = await store.read(frames.ids, ["u", "v", "w", "u"])
    assert sorted(known) == ["u", "v"]


async def test_equal_bytes_of_different_deliveries_are_different_frames(store: Store) -> None:
    await store.spool([frame(b"same"), frame(b"same")])
    assert len(await store.read(frames.waiting)) == 2


async def test_frames_without_an_organization_are_the_platforms_alone(store: Store) -> None:
    ours, theirs = await make(store), await make(store, "Andere")
    await store.spool([frame(), frame(organization=ours.id), frame(organization=theirs.id)])
    assert (await store.read(frames.page, ANY)).count == 3
    assert [f.organization for f in (await store.read(frames.page, ours.id)).rows] == [ours.id]
    unowned = (await store.read(frames.waiting))[0]
    assert await store.read(frames.get, ours.id, unowned.id) is None


async def test_the_page_filters_and_walks_on(store: Store) -> None:
    await store.spool(
        [
            frame(meter="A", received=NOW + timedelta(seconds=i), protocol="mbus" if i % 2 else "sml")
            for i in range(6)
        ]
    )
    everything = (await store.read(frames.page, ANY)).rows
    first = await store.read(frames.page, ANY, limit=4)
    rest = await store.read(frames.page, ANY, after=first.rows[-1].id)
    assert first.rows + rest.rows == everything
    assert (await store.read(frames.page, ANY, protocol="sml")).count == 3
    assert (await store.read(frames.page, ANY, meter="B")).count == 0
    between = await store.read(
        frames.page, ANY, start=NOW + timedelta(seconds=1), stop=NOW + timedelta(seconds=3)
    )
    assert between.rows == everything[1:3]
    assert (await store.read(frames.waiting, protocol="sml", limit=2)) == (everything[0], everything[2])
    assert await store.read(frames.waiting, after=everything[4].id) == everything[5:]


async def test_only_decoded_frames_expire(store: Store) -> None:
    old = NOW - timedelta(days=400)
    await store.spool(
        [frame(received=old, uid=uid) for uid in ("new", "done", "kept")] + [frame(uid="young")]
    )
    ids = await store.read(frames.ids, ["done", "kept", "young"])
    await store.write(frames.mark, [ids["done"], ids["young"]], FrameStatus.DONE)
    await store.write(frames.mark, [ids["kept"]], FrameStatus.QUARANTINED, "no key")
    assert await store.write(frames.expire, NOW - timedelta(days=1)) == 1
    assert {f.uid for f in (await store.read(frames.page, ANY)).rows} == {"new", "kept", "young"}


async def test_a_replay_takes_what_it_is_told_and_no_other_organizations(store: Store) -> None:
    ours, theirs = await make(store), await make(store, "Andere")
    await store.spool(
        [frame(organization=who.id, protocol=p) for who in (ours, theirs) for p in ("mbus", "sml", "p1")]
    )
    waiting = await store.read(frames.waiting)
    await store.write(frames.mark, [f.id for f in waiting if f.protocol != "p1"], FrameStatus.QUARANTINED)
    await store.write(frames.mark, [f.id for f in waiting if f.protocol == "p1"], FrameStatus.DONE)
    assert await store.write(frames.requeue, ours.id, ids=[f.id for f in waiting if f.protocol == "sml"]) == 1
    assert await store.write(frames.requeue, ours.id, protocol="mbus") == 1
    assert await store.write(frames.requeue, ours.id) == 0
    assert await store.write(frames.requeue, ours.id, done=True) == 1
    again = await store.read(frames.waiting)
    assert {f.organization for f in again} == {ours.id}
    assert [f.attempts for f in again] == [1, 1, 1]


async def test_an_attempt_is_counted_and_the_meter_remembered(store: Store) -> None:
    await store.spool([frame(meter="M1")])
    (one,) = await store.read(frames.waiting)
    assert await store.write(frames.mark, [one.id, 999], FrameStatus.QUARANTINED, "unknown", meter="M2") == 1
    assert await store.write(frames.mark, [one.id], FrameStatus.DONE) == 1
    kept = await store.read(frames.get, ANY, one.id)
    assert kept is not None
    assert (kept.status, kept.attempts, kept.meter, kept.reason) == (FrameStatus.DONE, 2, "M2", None)


async def test_frames_that_wait_for_a_meter_are_found_and_released(store: Store) -> None:
    fleet = await make(store)
    status = FrameStatus.QUARANTINED
    waiting = {"status": status, "organization": fleet.id, "meter": "M1"}
    await store.spool(
        [
            frame(uid="a", **waiting, reason="waits for fragment 2 of a message"),
            frame(uid="b", **waiting, reason="waits for fragment 1 of a message"),
            frame(uid="c", **waiting, reason="waits for format 0001"),
            frame(uid="d", **waiting, reason="waits for format 0001"),
            frame(uid="e", **waiting, reason="waits for format_0002"),
            frame(uid="f", **waiting | {"organization": None}, reason="waits for format 0001"),
            frame(uid="g", **waiting | {"meter": "M2"}, reason="waits for format 0001"),
            frame(uid="h", **waiting | {"meter": None}, reason="damaged"),
            frame(uid="i", **waiting | {"status": FrameStatus.DONE}),
        ]
    )
    awaited = await store.read(frames.awaited)
    assert sorted(map(str, awaited)) == sorted(map(str, [(fleet.id, "M1"), (None, "M1"), (fleet.id, "M2")]))
    samples = await store.read(frames.samples, fleet.id, "M1", "waits for format ")
    assert [one.uid for one in samples] == ["d"]
    first = (await store.read(frames.ids, ["a"]))["a"]
    release = frames.release
    assert await store.write(release, fleet.id, "M1", prefix="waits for fragment", after=first) == 1
    assert await store.write(release, fleet.id, "M1", reason="waits for format 0001") == 2
    assert await store.write(release, None, "M1") == 1
    new = {one.uid for one in await store.read(frames.waiting)}
    assert new == {"b", "c", "d", "f"}


async def test_the_last_frames_of_a_meter_come_newest_first(store: Store) -> None:
    fleet = await make(store)
    own = {"organization": fleet.id, "meter": "M1", "protocol": "wmbus"}
    await store.spool([frame(uid=name, **own) for name in "abcde"])
    await store.spool([frame(uid="other", **own | {"protocol": "mbus"}), frame(b"", uid="erased", **own)])
    ids = await store.read(frames.ids, "abcde")

    async def recent(**more: Any) -> list[str]:
        return [one.uid for one in await store.read(frames.recent, fleet.id, "M1", "wmbus", **more)]

    assert await recent() == ["e", "d", "c", "b", "a"]
    assert await recent(limit=2) == ["e", "d"]
    assert await recent(before=ids["d"], limit=2) == ["c", "b"]
    assert await recent(after=ids["c"]) == ["e", "d"]
    assert [one.uid for one in await store.read(frames.recent, None, "M1", "wmbus")] == []


async def test_the_oldest_that_wait_for_a_reason_are_trimmed(store: Store) -> None:
    waiting = {"status": FrameStatus.QUARANTINED, "meter": "M1", "reason": "unknown"}
    await store.spool([frame(uid=name, **waiting) for name in "abcd"])
    await store.spool([frame(uid="other", **waiting | {"reason": "damaged"}), frame(uid="new", meter="M1")])
    assert await store.write(frames.trim, None, "M1", "unknown", 1) == 3
    assert await store.write(frames.trim, None, "M1", "unknown", 1) == 0
    left = {one.uid for one in (await store.read(frames.page, ANY)).rows}
    assert left == {"d", "other", "new"}
