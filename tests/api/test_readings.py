"""Readings over HTTP: delivered, stored, listed, deleted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from polymeter.bus import BusUnavailable
from polymeter.store import StoreUnavailable, outbox
from tests.web import NOW, Web, platform, postgres_database, run, sqlite_url

NEW = "/v1/metering/new-meter-readings"
READINGS = "/v1/metering/meter-readings"
AT = "2026-03-01T13:00:00+01:00"


def message(**more: Any) -> dict[str, Any]:
    return {"meter": "Stadtwerke-1", "series": "1.8.0", "timestamp": AT, "value": "14567.000"} | more


async def delivered_readings_are_listed_at_once(web: Web) -> None:
    later = "2026-03-01T12:10:00Z"
    async with web.client(web.mine.tokens["every scope"]) as client:
        answer = await client.post(
            NEW, json=[message(timestamp=later), message(timestamp=later, meter="new")]
        )
        assert answer.status_code == 201
        assert [item["meter"] for item in answer.json()] == ["Stadtwerke-1", "new"]
        ids = {"meter_device": str(web.mine.rows["meter"]), "series": str(web.mine.rows["series"])}
        found = (await client.get(READINGS, params=ids | {"ordering": "-timestamp", "limit": "1"})).json()
        assert found["count"] == 5
        (row,) = found["results"]
        assert row["value"] == "14567.000"
        assert row["timestamp"] == "2026-03-01T12:10:00Z"
        assert row["id"] & 0xFFFFFFFF == 1772367000
        one = (await client.get(f"{READINGS}/{row['id']}")).json()
        assert one == row
        staged = (await client.get("/v1/metering/staged-meter-readings?meter_device_name=new")).json()
        assert staged["results"][0]["reason"] == "no meter is called 'new'"


async def a_staged_reading_is_released_when_its_meter_appears(web: Web) -> None:
    async with web.client(web.mine.tokens["every scope"]) as client:
        await client.post(NEW, json=message(meter="late comer"))
        body = {"name": "late comer", "protocol": "mbus", "type": str(web.mine.rows["type"])}
        made = (await client.post("/v1/metering/meter-devices", json=body)).json()
        found = (await client.get(READINGS, params={"meter_device": made["id"]})).json()
        assert [row["value"] for row in found["results"]] == ["14567.000"]


async def pages_hang_together(web: Web) -> None:
    async with web.client(web.mine.tokens["every scope"]) as client:
        address, seen = f"{READINGS}?limit=3", []
        while address:
            page = (await client.get(address)).json()
            assert page["count"] == 4
            seen += [row["id"] for row in page["results"]]
            address = page["next"]
        assert len(seen) == len(set(seen)) == 4
        page = (await client.get(f"{READINGS}?limit=3&offset=3")).json()
        assert page["next"] is None
        assert page["previous"].endswith("limit=3&offset=0")
        beyond = (await client.get(f"{READINGS}?offset=1000")).json()
        assert beyond["results"] == []


async def a_range_begins_with_its_start_and_ends_before_its_end(web: Web) -> None:
    async with web.client(web.mine.tokens["every scope"]) as client:
        span = {"start_time": "2026-03-01T11:30:00Z", "end_time": "2026-03-01T12:00:00+00:00"}
        found = (await client.get(READINGS, params=span)).json()
        assert [row["timestamp"][11:16] for row in found["results"]] == ["11:30", "11:45"]
        for wide in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"):
            for name in ("start_time", "end_time"):
                assert (await client.get(READINGS, params={name: wide})).status_code == 200


async def a_reading_by_ids_says_what_became_of_it(web: Web) -> None:
    body = {
        "meter_device": str(web.mine.rows["meter"]),
        "series": str(web.mine.rows["series"]),
        "timestamp": "2026-03-01T09:00:00+01:00",
        "value": "1.50",
    }
    async with web.client(web.mine.tokens["every scope"]) as client:
        first = await client.post(READINGS, json=body)
        assert (first.status_code, first.json()["source"]) == (201, "manual")
        again = await client.post(READINGS, json=body | {"value": "1.5"})
        assert (again.status_code, again.json()["value"]) == (200, "1.50")
        other = await client.post(READINGS, json=body | {"value": "2"})
        assert (other.status_code, other.json()["value"]) == (409, "1.50")
        revised = await client.post(f"{READINGS}?on_conflict=revise", json=body | {"value": "2"})
        assert (revised.status_code, revised.json()["quality"]) == (201, ["changed"])
        for wrong in ({"value": "NaN"}, {"value": "1,5"}, {"timestamp": "2026-03-01T09:00:00.5Z"}):
            refused = await client.post(READINGS, json=body | wrong)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == next(iter(wrong))
        path = f"{READINGS}/{first.json()['id']}"
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404
        assert (await client.delete(path)).status_code == 404
        gone = await client.post(READINGS, json=body)
        assert gone.status_code == 409
        assert "deleted" in gone.json()["detail"]


async def a_list_with_wrong_items_is_refused_whole_and_each_is_named(web: Web) -> None:
    items = [
        message(),
        message(value=5),
        message(timestamp="2026-03-01T13:00:00"),
        message(quality=["shiny"]),
        {"meter": "x"},
        message(timestamp="2026-03-01T13:00:00.25Z"),
    ]
    async with web.client(web.mine.tokens["every scope"]) as client:
        before = (await client.get(READINGS)).json()["count"]
        answer = await client.post(NEW, json=items)
        assert answer.status_code == 422
        fields = [error["field"] for error in answer.json()["errors"]]
        assert fields[:2] == ["[1].value", "[2].timestamp"]
        assert "[4]" in fields[2] or fields[2].startswith("[4]")
        answer = await client.post(NEW, json=[items[0], items[3], items[5]])
        assert [error["field"] for error in answer.json()["errors"]] == ["[1].quality", "[2].timestamp"]
        assert (await client.get(READINGS)).json()["count"] == before
        assert (await client.post(NEW, json=[])).status_code == 201


CHECKS = [
    delivered_readings_are_listed_at_once,
    a_staged_reading_is_released_when_its_meter_appears,
    pages_hang_together,
    a_range_begins_with_its_start_and_ends_before_its_end,
    a_reading_by_ids_says_what_became_of_it,
    a_list_with_wrong_items_is_refused_whole_and_each_is_named,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_on_sqlite(check: Any, tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            await check(web)

    run(work())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_on_postgresql(check: Any, postgres_url: str) -> None:
    async def work(url: str) -> None:
        async with platform(url) as web:
            await check(web)

    with postgres_database(postgres_url) as url:
        run(work(url))


def test_nothing_is_acknowledged_that_is_not_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with (
            platform(sqlite_url(tmp_path)) as web,
            web.client(web.mine.tokens["every scope"]) as client,
        ):
            assert web.subscription is not None
            await web.subscription.cancel()
            away = await client.post(NEW, json=message())
            assert away.status_code == 503
            assert int(away.headers["retry-after"]) > 0
            await web.ingest.start()

            async def full(*_: Any, **__: Any) -> Any:
                raise StoreUnavailable("database or disk is full")

            with monkeypatch.context() as patched:
                patched.setattr(web.ingest, "commit", full)
                assert (await client.post(NEW, json=message())).status_code == 503
            assert (await client.post(NEW, json=message())).status_code == 201

    run(work())


def test_a_store_or_bus_that_is_away_is_503_and_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async def gone() -> None:
            raise BusUnavailable("no broker at amqp://user:secret@host")

        async def away(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("the server closed the connection")

        async with platform(sqlite_url(tmp_path)) as web:
            object.__setattr__(web.services, "checks", {"broker": gone})
            async with web.client(web.mine.tokens["every scope"]) as client:
                ready = await client.get("/health/ready")
                assert ready.status_code == 503
                assert ready.json()["parts"] == {"store": "ok", "broker": "away"}
                monkeypatch.setattr(web.store, "read", away)
                assert (await client.get("/_health/")).json()["parts"]["store"] == "away"
                answer = await client.get(READINGS)
                assert answer.status_code == 503
                assert answer.headers["content-type"] == "application/problem+json"
                assert "retry-after" in answer.headers
                assert (await client.get("/health/live")).status_code == 200

    run(work())


@pytest.mark.parametrize("letter", ["⚡", "😀", "."])
def test_names_too_long_for_a_routing_key_are_delivered_all_the_same(letter: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            name = letter * 50
            async with web.client(web.mine.tokens["every scope"]) as client:
                body = {"name": name, "protocol": "mbus", "type": str(web.mine.rows["type"])}
                made = (await client.post("/v1/metering/meter-devices", json=body)).json()
                later = [message(meter=name), message(meter=name, timestamp="2026-03-01T14:00:00Z")]
                assert (await client.post(NEW, json=later)).status_code == 201
                assert (await client.post(NEW, json=later[0])).status_code == 201
                found = (await client.get(READINGS, params={"meter_device": made["id"]})).json()
                assert found["count"] == 2
                # Whoever listens hears of it too: a name must not stop the relay for everybody.
                await web.ingest.relay.drain()
                assert await web.store.read(outbox.waiting) == ()

    run(work())


def test_a_time_in_the_future_is_kept_and_marked(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            platform(sqlite_url(tmp_path)) as web,
            web.client(web.mine.tokens["every scope"]) as client,
        ):
            future = (NOW + timedelta(days=3)).isoformat()
            assert (await client.post(NEW, json=message(timestamp=future))).status_code == 201
            found = (await client.get(READINGS, params={"start_time": future})).json()["results"]
            assert found[0]["quality"] == ["clock_suspect"]

    run(work())
