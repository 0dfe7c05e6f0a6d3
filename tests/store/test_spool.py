"""The spool without a database: what shares a commit, and who hears of a failure."""

import asyncio

import pytest

from polymeter.store import Frame, StoreUnavailable
from polymeter.store.spool import Spool
from tests.engines import NOW

pytestmark = pytest.mark.anyio


def frame(number: int) -> Frame:
    return Frame("mbus", b"%d" % number, NOW, str(number))


class Disk:
    """Writes when let, and fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.groups: list[list[str]] = []
        self.failures = failures
        self.open = asyncio.Event()
        self.open.set()
        self.inside = 0

    async def write(self, batch: list[Frame]) -> None:
        self.inside += 1
        assert self.inside == 1, "two flushes at once"
        await self.open.wait()
        self.inside -= 1
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the disk is full")
        self.groups.append([one.uid for one in batch])


async def senders(spool: Spool, numbers: range, size: int = 1) -> list[asyncio.Task[None]]:
    made = [asyncio.create_task(spool.add([frame(n * size + k) for k in range(size)])) for n in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return made


async def test_what_arrives_during_a_flush_shares_the_next_one() -> None:
    disk = Disk()
    disk.open.clear()
    spool = Spool(disk.write)
    first = await senders(spool, range(1))
    more = await senders(spool, range(1, 100))
    assert disk.inside == 1
    disk.open.set()
    await asyncio.gather(*first, *more)
    assert [len(group) for group in disk.groups] == [1, 99]
    assert [int(uid) for group in disk.groups for uid in group] == list(range(100))


async def test_nobody_is_answered_before_the_write_has_returned() -> None:
    disk = Disk()
    disk.open.clear()
    waiting = await senders(Spool(disk.write), range(5))
    assert not any(task.done() for task in waiting)
    disk.open.set()
    await asyncio.gather(*waiting)


async def test_a_failed_write_reaches_every_sender_of_its_group_and_no_other() -> None:
    disk = Disk(failures=1)
    disk.open.clear()
    spool = Spool(disk.write)
    group = await senders(spool, range(7))
    later = await senders(spool, range(7, 9))
    disk.open.set()
    answers = await asyncio.gather(*group, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 7
    assert await asyncio.gather(*later) == [None, None]
    await spool.add([frame(9)])
    assert disk.groups == [["7", "8"], ["9"]]


async def test_a_group_is_bounded() -> None:
    disk = Disk()
    disk.open.clear()
    spool = Spool(disk.write)
    first = await senders(spool, range(1))
    more = await senders(spool, range(1, 100), size=50)
    disk.open.set()
    await asyncio.gather(*first, *more)
    assert [len(group) for group in disk.groups] == [1, 2000, 2000, 950]


async def test_a_sender_that_went_away_disturbs_nobody() -> None:
    disk = Disk()
    disk.open.clear()
    spool = Spool(disk.write)
    gone, stays = await senders(spool, range(2))
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    disk.open.set()
    await stays
    assert disk.groups == [["0", "1"]]


async def test_a_flush_that_is_cancelled_answers_nobody_with_success() -> None:
    disk = Disk()
    disk.open.clear()
    spool = Spool(disk.write)
    first = await senders(spool, range(2))
    second = await senders(spool, range(2, 4))
    assert spool._flush is not None
    spool._flush.cancel()
    answers = await asyncio.gather(*first, *second, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)
    assert disk.groups == []
