"""Who may do what: every route of the table against every kind of caller.

Made from the route table, so that a route cannot be forgotten: one that this test does not know how to call
fails it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polymeter import api
from polymeter.api.routing import PUBLIC, READ_UNLESS_PUBLIC
from tests.web import PASSWORD, Web, platform, postgres_database, run, sqlite_url

METERING = "/v1/metering"
AT = "2026-03-01T10:00:00+00:00"

PLATFORM_ONLY = {("POST", "/v1/organizations"), ("DELETE", "/v1/organizations/{id}")}
LOGIN_ONLY = {"/v1/auth/jwt/renew", "/v1/auth/jwt/change-organization"}

ROLE_PERMISSIONS = {
    "reader": {"read"},
    "operator": {"read", "ingest", "write", "control"},
    "admin": {"read", "ingest", "write", "control", "admin"},
}

IDS = {
    "/v1/organizations/memberships/{id}": "membership",
    "/v1/organizations/{id}": "organization",
    f"{METERING}/meter-devices/{{id}}": "meter",
    f"{METERING}/meter-device-types/{{id}}": "type",
    f"{METERING}/meter-device-configs/{{id}}": "config",
    f"{METERING}/meter-reading-series/{{id}}": "series",
    f"{METERING}/network-interfaces/{{id}}": "interface",
    f"{METERING}/meter-readings/{{id}}": "reading",
    f"{METERING}/staged-meter-readings/{{id}}": "staged",
    f"{METERING}/amr-tasks/{{id}}": "task",
    f"{METERING}/amr-task-runs/{{id}}": "run",
}
"""Routes with an id -> the row of a tenant that stands for it."""

NO_BODY = {"GET", "DELETE"}


def body_for(path: str, rows: dict[str, Any]) -> Any:
    """A body that the route takes."""
    bodies: dict[str, Any] = {
        "/v1/organizations": {"name": "New"},
        "/v1/organizations/{id}": {"name": "Changed"},
        "/v1/organizations/memberships": {"user": str(rows["user"]), "role": "reader"},
        "/v1/organizations/memberships/{id}": {"role": "reader"},
        f"{METERING}/meter-devices": {"name": "M2", "protocol": "mbus"},
        f"{METERING}/meter-device-types": {"name": "T2", "manufacturer": "A", "manufacturer_model": "B"},
        f"{METERING}/meter-device-configs": {"name": "C2", "series": [str(rows["series"])]},
        f"{METERING}/meter-reading-series": {"name": "volume", "unit": "m3"},
        f"{METERING}/network-interfaces": {"fqdn": "other.example"},
        f"{METERING}/new-meter-readings": {
            "meter": rows["meter_name"],
            "series": "1.8.0",
            "timestamp": AT,
            "value": "1",
        },
        f"{METERING}/meter-readings": {
            "meter_device": str(rows["meter"]),
            "series": str(rows["series"]),
            "timestamp": AT,
            "value": "2",
        },
        f"{METERING}/amr-tasks": {"name": "K2", "meter_execution_type": "x", "task_call": "read"},
        f"{METERING}/amr-tasks/invoke": {"meter_device": str(rows["meter"]), "task_call": "read"},
        "/v1/auth/jwt/token": {"username": "nobody", "password": PASSWORD},
        "/v1/auth/jwt/change-organization": {"organization": str(rows["organization"])},
        "/v1/decode": {"input": "2F454C53354D543137340D0A"},
    }
    return bodies.get(path) or bodies[path.removesuffix("/{id}")]


def called(info: api.RouteInfo, rows: dict[str, Any]) -> tuple[str, Any]:
    """Path and body to call a route with, on these rows."""
    path = info.path
    if "{" in path:
        path = path.replace("{id}", str(rows[IDS[info.path]]))
    body = None if info.method in NO_BODY else body_for(info.path, rows)
    return path, body


async def status(web: Web, info: api.RouteInfo, token: str | None, rows: dict[str, Any]) -> int:
    path, body = called(info, rows)
    async with web.client(token) as client, client.stream(info.method, path, json=body) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code
        text = (await answer.aread()).decode()
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", text
        if answer.status_code == 401:
            assert "Token" in answer.headers["www-authenticate"]
        return answer.status_code


def table(web: Web) -> list[api.RouteInfo]:
    """Deletions last, so that each route finds what it asks for; streams apart, they do not end."""
    return sorted(
        (info for info in api.route_table(web.app) if info.path != "/v1/stream"),
        key=lambda info: (info.method == "DELETE", info.path.count("/")),
    )


def test_every_route_says_what_it_needs_and_can_be_called(tmp_path: Path) -> None:
    async def check() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            for info in table(web):
                called(info, web.mine.rows)
                assert info.permission in (
                    PUBLIC,
                    READ_UNLESS_PUBLIC,
                    *("read", "ingest", "write", "control", "admin"),
                )

    run(check())


def test_a_route_that_does_not_say_what_it_needs_cannot_be_added(tmp_path: Path) -> None:
    async def check() -> None:
        async with platform(sqlite_url(tmp_path), tenants=False) as web:
            with pytest.raises(TypeError, match="does not say what it needs"):
                web.app.add_api_route("/forgotten", lambda: None)

    run(check())


def permitted(info: api.RouteInfo, caller: str) -> bool:
    wanted = "read" if info.permission == READ_UNLESS_PUBLIC else info.permission
    kind, _, name = caller.partition(" ")
    if wanted == PUBLIC or caller == "every scope":
        return True
    if kind == "scope":
        return name == wanted
    return wanted in ROLE_PERMISSIONS[name]


OVER = ("expired token", "revoked token", "role none", "inactive user")


async def refused_callers(web: Web) -> None:
    """Nobody without the permission gets further than 401 or 403; who has it does."""
    callers = [name for name in web.mine.tokens if name not in OVER]
    for info in table(web):
        if info.permission == PUBLIC:
            continue
        for caller in (None, *OVER):
            token = web.mine.tokens[caller] if caller else None
            assert await status(web, info, token, web.mine.rows) == 401, (caller, info)
        assert await status(web, info, "Token pm_made-up", web.mine.rows) == 401, info
        assert await status(web, info, "JWT made.up.login", web.mine.rows) == 401, info
        for caller in callers:
            if not permitted(info, caller):
                found = await status(web, info, web.mine.tokens[caller], web.mine.rows)
                assert found == 403, (caller, info)


async def another_tenants_objects(web: Web) -> None:
    for info in table(web):
        if info.path not in IDS:
            continue
        for caller in ("every scope", "role admin"):
            found = await status(web, info, web.mine.tokens[caller], web.other.rows)
            assert found == 404, (caller, info, "another tenant's object must not exist")
    untouched = await status_all(web, web.other.tokens["every scope"], web.other.rows)
    assert untouched == {200}


async def status_all(web: Web, token: str, rows: dict[str, Any]) -> set[int]:
    return {
        await status(web, info, token, rows)
        for info in table(web)
        if info.method == "GET" and info.path in IDS
    }


async def references_to_another_tenant(web: Web) -> None:
    """A body cannot refer to what its sender cannot see."""
    theirs = {name: str(value) for name, value in web.other.rows.items()}
    at = {"timestamp": AT, "value": "3"}
    bodies = [
        ("POST", f"{METERING}/meter-devices", {"name": "M3", "protocol": "mbus", "type": theirs["type"]}),
        (
            "POST",
            f"{METERING}/meter-devices",
            {"name": "M3", "protocol": "mbus", "network_interface": theirs["interface"]},
        ),
        ("PATCH", f"{METERING}/meter-devices/{web.mine.rows['meter']}", {"type": theirs["type"]}),
        (
            "POST",
            f"{METERING}/meter-device-types",
            {"name": "T3", "manufacturer": "A", "manufacturer_model": "B", "config": theirs["config"]},
        ),
        ("PATCH", f"{METERING}/meter-device-types/{web.mine.rows['type']}", {"config": theirs["config"]}),
        ("POST", f"{METERING}/meter-device-configs", {"name": "C3", "series": [theirs["series"]]}),
        (
            "POST",
            f"{METERING}/meter-readings",
            {"meter_device": theirs["meter"], "series": theirs["series"], **at},
        ),
        (
            "POST",
            f"{METERING}/meter-readings",
            {"meter_device": str(web.mine.rows["meter"]), "series": theirs["series"], **at},
        ),
        ("POST", f"{METERING}/amr-tasks/invoke", {"meter_device": theirs["meter"], "task_call": "read"}),
        (
            "POST",
            f"{METERING}/amr-tasks",
            {"name": "K3", "meter_execution_type": "x", "task_call": "r", "meters": [theirs["meter"]]},
        ),
        ("POST", "/v1/organizations/memberships", {"user": theirs["user"], "role": "admin"}),
        ("POST", "/v1/auth/jwt/change-organization", {"organization": theirs["organization"]}),
    ]
    async with web.client(web.mine.tokens["role admin"]) as client:
        for method, path, body in bodies:
            answer = await client.request(method, path, json=body)
            assert answer.status_code in (404, 409, 422), (path, body, answer.text)
        for path in (f"{METERING}/meter-readings",):
            for query in ({"meter_device": theirs["meter"]}, {"series": theirs["series"]}):
                answer = await client.get(path, params=query)
                assert answer.json()["count"] == 0
        body = {"meter": web.other.rows["meter_name"], "series": "1.8.0", **at}
        answer = await client.post(
            f"{METERING}/new-meter-readings", json=body | {"organization": theirs["organization"]}
        )
        assert answer.status_code == 422
        # By name it is simply an unknown meter: it waits in the sender's own organization.
        assert (await client.post(f"{METERING}/new-meter-readings", json=body)).status_code == 201
        staged = (await client.get(f"{METERING}/staged-meter-readings")).json()["results"]
        assert web.other.rows["meter_name"] in {item["meter_device_name"] for item in staged}


async def organization_in_a_body_is_the_callers(web: Web) -> None:
    """What a caller writes is its own, whatever the body says; a row never changes hands."""
    theirs = str(web.other.rows["organization"])
    async with web.client(web.mine.tokens["every scope"]) as client:
        for path in IDS:
            collection = path.removesuffix("/{id}")
            if not path.startswith(METERING) or collection.endswith(("readings", "runs")):
                continue
            body = body_for(path, web.mine.rows)
            made = await client.post(collection, json=body | {"organization": theirs})
            assert made.status_code == 201, made.text
            assert made.json()["organization"] == str(web.mine.id), path
            changed = await client.patch(f"{collection}/{made.json()['id']}", json={"organization": theirs})
            assert changed.json()["organization"] == str(web.mine.id), path


async def permitted_callers(web: Web) -> None:
    """Everybody who has the permission gets an answer that is none of 401, 403 and 404."""
    for info in table(web):
        for caller in ("every scope", "role admin", "role operator", "role reader", "platform"):
            token = web.platform if caller == "platform" else web.mine.tokens[caller]
            if caller != "platform" and not permitted(info, caller):
                continue
            if info.method == "DELETE" and caller != "every scope":
                continue  # one of them has deleted it before
            found = await status(web, info, token, web.mine.rows)
            assert found < 500, (caller, info)
            not_platform = (info.method, info.path) in PLATFORM_ONLY and caller != "platform"
            if not_platform or (info.path in LOGIN_ONLY and not caller.startswith("role")):
                assert found == 403
            elif info.path == "/v1/auth/jwt/token":
                assert found in (401, 429)
            elif caller == "platform" and info.method == "POST":
                assert found in (200, 201, 409, 422), (caller, info, found)
            else:
                assert found in (200, 201, 204, 409), (caller, info, found)


CHECKS = [
    refused_callers,
    another_tenants_objects,
    references_to_another_tenant,
    organization_in_a_body_is_the_callers,
    permitted_callers,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_matrix_holds(check: Any, tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            await check(web)

    run(work())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_matrix_holds_on_postgresql(check: Any, postgres_url: str) -> None:
    async def work(url: str) -> None:
        async with platform(url) as web:
            await check(web)

    with postgres_database(postgres_url) as url:
        run(work(url))
