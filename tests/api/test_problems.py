"""Errors: always a problem document, always the right status, never a 5xx for what a caller sent."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import httpx

from polymeter import api
from polymeter.api import docs
from polymeter.settings import Settings
from polymeter.store import meters
from tests.api.test_matrix import IDS, NO_BODY, body_for, called, table
from tests.web import Web, platform, postgres_database, run, sqlite_url

METERS = "/v1/metering/meter-devices"
SEED = 20260301


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


async def asked(tmp_path: Path, work: Any, **settings: Any) -> None:
    async with contextlib.AsyncExitStack() as stack:
        web = await stack.enter_async_context(platform(sqlite_url(tmp_path), settings=Settings(**settings)))
        await work(await stack.enter_async_context(web.client(web.mine.tokens["every scope"])))


def test_unknown_routes_and_methods_say_so(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        is_problem(await client.get("/nowhere"), 404)
        is_problem(await client.get("/v1/metering/nothing/"), 404)
        answer = await client.put(METERS)
        is_problem(answer, 405)
        assert answer.headers["allow"] == "GET, POST"
        answer = await client.request("DELETE", "/v1/decode")
        assert answer.headers["allow"] == "POST"

    run(asked(tmp_path, work))


def test_a_trailing_slash_makes_no_difference(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for path in (METERS, "/_health", "/v1/organizations", "/docs"):
            assert (await client.get(path + "/")).status_code == (await client.get(path)).status_code == 200

    run(asked(tmp_path, work))


def test_a_field_that_is_wrong_is_named(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        wrong = {"name": "", "protocol": "pigeon", "current_transformer_ratio": -1, "colour": "red"}
        body = is_problem(await client.post(METERS, json=wrong), 422)
        assert {error["field"] for error in body["errors"]} == set(wrong)
        body = is_problem(await client.get(f"{METERS}?limit=0&offset=-1&nmae=x"), 422)
        assert {error["field"] for error in body["errors"]} == {"limit", "offset", "nmae"}
        is_problem(await client.get(f"{METERS}/not-a-uuid"), 422)
        body = is_problem(await client.post(METERS, json={"name": "a\0b", "protocol": "mbus"}), 422)
        assert body["errors"] == [{"field": "name", "message": "holds a NUL character"}]

    run(asked(tmp_path, work))


def test_bodies_of_the_wrong_kind_or_size_are_refused(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        is_problem(await client.post(METERS, content=b"{", headers={"Content-Type": "application/json"}), 400)
        is_problem(await client.post("/v1/metering/new-meter-readings", content=b"[{"), 400)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        is_problem(await client.post(METERS, content=b"name=x", headers=form), 415)
        packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        is_problem(await client.post(METERS, content=b"{}", headers=packed), 415)
        is_problem(await client.post(METERS, content=b" " * 2001), 413)

        async def chunks() -> Any:
            for _ in range(30):
                yield b" " * 100

        # Without a length the end is only known when it is too late: it is counted.
        is_problem(await client.post(METERS, content=chunks()), 413)
        is_problem(await client.post("/v1/metering/new-meter-readings", content=chunks()), 413)

    run(asked(tmp_path, work, body_limit_bytes=2000))


def test_a_name_that_is_taken_and_a_row_that_is_used_are_conflicts(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            platform(sqlite_url(tmp_path)) as web,
            web.client(web.mine.tokens["every scope"]) as client,
        ):
            taken = {"name": "Stadtwerke-1", "protocol": "mbus"}
            body = is_problem(await client.post(METERS, json=taken), 409)
            assert body["detail"] == "the name is taken"
            for path, name in IDS.items():
                if name in ("meter", "series", "config", "type"):
                    is_problem(await client.delete(path.replace("{id}", str(web.mine.rows[name]))), 409)

    run(work())


def test_every_answer_has_the_security_headers(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for path in ("/nowhere", "/docs", METERS):
            headers = (await client.get(path)).headers
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "unsafe-eval" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "strict-transport-security" not in headers
        assert "strict-transport-security" in (await client.get("https://testserver/docs")).headers

    run(asked(tmp_path, work))


def test_only_allowed_hosts_are_answered(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        assert (await client.get("/health/live")).status_code == 200
        is_problem(await client.get("/health/live", headers={"Host": "evil.example"}), 400)

    run(asked(tmp_path, work, allowed_hosts=("testserver",)))


def test_an_address_with_a_password_is_refused_and_never_shown(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            secret = "iec62056-21://10.0.0.5:4059?address=1&password=made-up"
            await web.store.write(meters.change, web.mine.id, web.mine.rows["meter"], url=secret)
            async with web.client(web.mine.tokens["every scope"]) as client:
                text = (await client.get(METERS)).text
                assert "made-up" not in text
                assert "password=***" in text
                body = {"name": "N", "protocol": "mbus", "url": secret}
                is_problem(await client.post(METERS, json=body), 422)
                body["url"] = "mbus://10.0.0.5:10001/5"
                assert (await client.post(METERS, json=body)).json()["url"] == body["url"]

    run(work())


def test_decoding_needs_a_login_unless_it_is_public(tmp_path: Path) -> None:
    async def work(public: bool) -> None:
        path = sqlite_url(tmp_path / str(public))
        async with platform(path, settings=Settings(public_decode=public)) as web:
            async with web.client() as client:
                answer = await client.post("/v1/decode", json={"input": "2F454C53354D543137340D0A"})
                assert answer.status_code == (200 if public else 401)
                # Who may not is told so before anybody looks at what was sent.
                broken = await client.post("/v1/decode", content=b"{")
                assert broken.status_code == (400 if public else 401)
            async with web.client(web.mine.tokens["scope read"]) as client:
                for text in ("2F454C53354D543137340D0A", "L0VMUzVNVDE3NA0K", "/ELS5MT174\r\n"):
                    found = (await client.post("/v1/decode", json={"input": text})).json()
                    assert (found["protocol"], found["valid"]) == ("iec62056-21", True)
                    assert found["meter"]["manufacturer"] == "ELS"
                bad = (await client.post("/v1/decode", json={"input": "ff"})).json()
                assert bad["valid"] is False
                is_problem(await client.post("/v1/decode", json={"input": " "}), 422)
                is_problem(await client.post("/v1/decode", json={"input": "x", "protocol": "no"}), 422)
                secret = "not hex at all"
                refused = await client.post("/v1/decode", json={"input": "00", "keys": [secret]})
                assert secret not in refused.text

    run(work(False))
    run(work(True))


HOSTILE: list[Any] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    10**400,
    1.5,
    1e308,
    "",
    "\0",
    "\ud800",
    "a" * 100_000,
    "⚡" * 50,
    "00000000-0000-0000-0000-000000000000",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "NaN",
    "1E+9999",
    [],
    [[[]]],
    {},
    {"\0": "\0"},
    {"a": {"b": [1, None]}},
    ["\ud800"],
]
RAW = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"\xff\xfe",
    b"[" * 5000,
    b'{"a":' * 5000,
    b'{"name": "\\ud800"}',
    b"NaN",
    b"1" * 5000,
]


def hostile_requests(info: api.RouteInfo, rows: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    """Requests that nobody well-meaning makes: wrong bodies, wrong parameters, wrong ids."""
    path, _body = called(info, rows)
    made: list[dict[str, Any]] = []
    if info.method not in NO_BODY and info.path != "/v1/auth/jwt/token":
        made += [{"url": path, "content": raw} for raw in RAW]
        good = body_for(info.path, rows)
        for _ in range(30):
            bad = dict(good)
            for field in rng.sample(sorted(good), k=min(len(good), rng.choice((1, 1, 2)))):
                bad[field] = rng.choice(HOSTILE)
            if rng.random() < 0.2:
                bad[rng.choice(["organization", "config", "type", "series", "meters", "x"])] = rng.choice(
                    HOSTILE
                )
            made.append({"url": path, "content": json.dumps(bad).encode()})
    if info.method == "GET":
        names = (
            "limit",
            "offset",
            "name",
            "start_time",
            "meter_device",
            "meter_device_name",
            "status",
            "user",
        )
        for value in ("", "\0", "-1", "9" * 30, "\ud800".encode("utf-8", "surrogatepass"), "a" * 5000):
            made += [{"url": path, "params": {name: value}} for name in names]
    if "{id}" in info.path:
        for id in ("0", "-1", "9" * 30, "%00", "%F0", "..", str(2**63 - 1), str(2**53)):
            made.append({"url": info.path.replace("{id}", id), "content": b"{}"})
    return made


async def hostile(web: Web) -> None:
    rng = random.Random(SEED)
    async with web.client(web.mine.tokens["every scope"]) as client:
        client.headers["Content-Type"] = "application/json"
        count = 0
        for info in table(web):
            if info.method == "DELETE":
                continue
            for request in hostile_requests(info, web.mine.rows, rng):
                answer = await client.request(info.method, **request)
                count += 1
                shown = {k: v if k != "content" else v[:200] for k, v in request.items()}
                assert answer.status_code < 500, (info.method, shown, answer.text)
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == "application/problem+json", (info.path, shown)
        assert count > 1000


def test_nothing_a_caller_sends_is_answered_with_a_5xx(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            await hostile(web)

    run(work())


def test_nothing_a_caller_sends_is_answered_with_a_5xx_on_postgresql(postgres_url: str) -> None:
    async def work(url: str) -> None:
        async with platform(url) as web:
            await hostile(web)

    with postgres_database(postgres_url) as url:
        run(work(url))


def test_the_openapi_document_describes_every_route(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path), tenants=False) as web:
            schema = web.app.openapi()
            described = {(m.upper(), p) for p, ops in schema["paths"].items() for m in ops}
            assert described == {(info.method, info.path) for info in api.route_table(web.app)}
            text = json.dumps(schema)
            for reference in {t.split('"')[0] for t in text.split('"#/components/schemas/')[1:]}:
                assert reference in schema["components"]["schemas"]
            page = docs.page(schema)
            for info in api.route_table(web.app):
                assert info.path in page

    run(work())
