"""What the fleet page says of a meter is true."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from polymeter.domain import Source
from polymeter.ingest import Entrance
from polymeter.services.fleet import State, fleet, gaps, history, meter_row
from polymeter.store import ANY, series
from tests.web import NOW, Web, platform, reading, run, sqlite_url


def every(seconds: float, *numbers: int) -> list[Any]:
    return [NOW + timedelta(seconds=seconds * number) for number in numbers]


def test_a_gap_is_where_values_are_missing_and_says_how_many() -> None:
    (found,) = gaps(every(900, 0, 1, 2, 5, 6, 7))
    assert (found.after, found.before, found.missing) == (*every(900, 2, 5), 2)
    assert gaps(every(900, 0, 3), 900)[0].missing == 2


@pytest.mark.parametrize("numbers", [[], [0], [0, 5], [0, 1, 9]])
def test_of_a_few_values_nobody_can_tell_what_is_missing(numbers: list[int]) -> None:
    assert gaps(every(900, *numbers)) == ()


def test_polled_values_that_jitter_are_no_gap() -> None:
    assert gaps([at + timedelta(seconds=(i % 3) * 4) for i, at in enumerate(every(10, *range(20)))]) == ()


async def send(web: Web, times: list[Any], source: Source = Source.POLL) -> None:
    batch = [reading("Stadtwerke-1", at, str(i)) for i, at in enumerate(times)]
    await web.ingest.commit(batch, Entrance("test", web.mine.id, source))


def test_a_meter_is_fresh_then_late_then_silent(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            for minutes, state, missing in (
                (1, State.FRESH, 0),
                (29, State.FRESH, 0),
                (31, State.LATE, 2),
                (89, State.LATE, 5),
                (91, State.SILENT, 6),
            ):
                now = NOW + timedelta(minutes=minutes)
                row = await web.store.read(meter_row, web.mine.id, web.mine.rows["meter"], now)
                assert row is not None
                assert (row.state, row.missing) == (state, missing)
                assert row.period_s == 900

    run(work())


def test_a_meter_without_values_is_not_called_silent(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            from polymeter.store import meters

            made = await web.store.write(meters.create, web.mine.id, "A first", protocol="mbus")
            found = await web.store.read(fleet, web.mine.id, NOW)
            assert [row.meter.name for row in found.rows] == ["A first", "Stadtwerke-1"]
            assert found.rows[0].state is State.NEW
            assert await web.store.read(meter_row, web.other.id, made.id, NOW) is None
            assert (await web.store.read(fleet, ANY, NOW)).count == 3

    run(work())


def test_a_meter_that_delivers_a_day_at_once_is_not_late_all_day(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            for day in range(1, 4):
                web.clock.advance(86_400)
                start = NOW + timedelta(days=day - 1)
                await send(web, [start + timedelta(minutes=15 * n) for n in range(1, 97)], Source.PROFILE)
            now = web.clock.now() + timedelta(hours=20)
            row = await web.store.read(meter_row, web.mine.id, web.mine.rows["meter"], now)
            assert row is not None
            assert (row.state, row.gaps) == (State.FRESH, ())

    run(work())


def test_the_history_shows_revisions_and_stays_in_its_organization(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            rows = web.mine.rows
            await send(web, [NOW], Source.MANUAL)
            found = await web.store.read(history, web.mine.id, rows["meter"], rows["series"], limit=3)
            assert found is not None
            assert (len(found.rows), found.count) == (3, 4)
            assert [str(old.value) for old in found.rows[-1].revisions] == ["1000.500"]
            assert await web.store.read(history, web.other.id, rows["meter"], rows["series"], limit=3) is None
            unused = await web.store.write(series.create, web.mine.id, "unused", "kWh")
            assert await web.store.read(history, web.mine.id, rows["meter"], unused.id, limit=3) is None

    run(work())
