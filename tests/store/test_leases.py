"""Leases: one holder, fenced, never longer than the lease."""

import asyncio

import pytest

from polymeter.domain import SimulatedClock
from polymeter.store import Store, leases

pytestmark = pytest.mark.anyio


async def test_taking_ones_own_lease_again_prolongs_it_under_the_same_fence(
    store: Store, clock: SimulatedClock
) -> None:
    first = await store.write(leases.take, "x", "a", 10)
    clock.advance(5)
    again = await store.write(leases.take, "x", "a", 10)
    assert first is not None
    assert again is not None
    assert (again.fence, again.taken) == (first.fence, first.taken)
    assert (again.expires - first.expires).total_seconds() == 5


async def test_an_own_lease_that_had_run_out_has_a_new_fence(store: Store, clock: SimulatedClock) -> None:
    first = await store.write(leases.take, "x", "a", 10)
    clock.advance(10)
    again = await store.write(leases.take, "x", "a", 10)
    assert first is not None
    assert again is not None
    assert again.fence == first.fence + 1
    assert again.taken == clock.now()
    assert await store.write(leases.renew, first, 10) is None


async def test_an_expired_lease_is_not_renewed_even_if_nobody_took_it(
    store: Store, clock: SimulatedClock
) -> None:
    lease = await store.write(leases.take, "x", "a", 10)
    assert lease is not None
    clock.advance(10)
    assert await store.read(leases.get, "x") is None
    assert await store.write(leases.renew, lease, 10) is None


async def test_a_lease_given_back_is_free_at_once_and_its_fence_keeps_growing(store: Store) -> None:
    fences = []
    for owner in "abc":
        lease = await store.write(leases.take, "x", owner, 10)
        assert lease is not None
        fences.append(lease.fence)
        assert await store.write(leases.release, lease)
    assert fences == [1, 2, 3]


async def test_a_late_release_does_not_take_the_lease_from_the_next_holder(
    store: Store, clock: SimulatedClock
) -> None:
    late = await store.write(leases.take, "x", "a", 10)
    assert late is not None
    clock.advance(10)
    held = await store.write(leases.take, "x", "b", 10)
    assert not await store.write(leases.release, late)
    assert await store.read(leases.get, "x") == held


async def test_leases_of_other_names_are_other_leases(store: Store) -> None:
    taken = await asyncio.gather(*(store.write(leases.take, f"x{i}", f"w{i}", 10) for i in range(10)))
    assert [lease.name for lease in taken if lease] == [f"x{i}" for i in range(10)]


async def test_of_many_takers_of_an_expired_lease_one_gets_it(store: Store, clock: SimulatedClock) -> None:
    await store.write(leases.take, "x", "dead", 10)
    clock.advance(10)
    taken = await asyncio.gather(*(store.write(leases.take, "x", f"w{i}", 10) for i in range(20)))
    (held,) = [lease for lease in taken if lease]
    assert held.fence == 2
    assert await store.read(leases.get, "x") == held


async def test_a_wall_clock_set_back_does_not_shorten_what_was_promised(
    store: Store, clock: SimulatedClock
) -> None:
    lease = await store.write(leases.take, "x", "a", 10)
    clock.step(-3600)
    assert await store.write(leases.take, "x", "b", 10) is None
    assert lease is not None
    assert await store.read(leases.get, "x") == lease
