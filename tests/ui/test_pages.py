"""The pages, in a browser and without one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from polymeter import api, ui
from polymeter.domain import Role, Source
from polymeter.ingest import Entrance
from polymeter.messages import encode
from polymeter.services import accounts
from polymeter.services.sessions import COOKIE
from polymeter.store import meters, series
from tests.patience import PATIENCE_S
from tests.web import NOW, PASSWORD, Web, platform, reading, run, sqlite_url

METER = "Stadtwerke-1"


@contextlib.asynccontextmanager
async def pages(folder: Path) -> AsyncIterator[tuple[Web, httpx.AsyncClient]]:
    """A platform with pages, and a browser's session of a reader."""
    async with platform(sqlite_url(folder), mount=ui.mount) as web:
        user = await accounts.add_user(
            web.store, "anna", PASSWORD, organization="Stadtwerke", role=Role.READER
        )
        token = web.services.sessions.issue(user, web.mine.id, "page")
        async with web.client(cookie=f"{COOKIE}={token}") as client:
            yield web, client


def test_every_page_sends_strangers_to_the_login_and_hides_other_tenants(tmp_path: Path) -> None:
    async def work() -> None:
        async with pages(tmp_path) as (web, client), web.client() as stranger:
            shown = [
                info for info in api.route_table(web.app) if not info.path.startswith(("/v1", "/health"))
            ]
            guarded = {info.path for info in shown if info.permission == "read"}
            assert guarded == {"/", "/meters/{id}", "/meters/{id}/chart"}
            for path in guarded:
                mine = path.replace("{id}", str(web.mine.rows["meter"]))
                answer = await stranger.get(mine)
                assert answer.status_code == 303
                assert answer.headers["location"] == f"/login?next={mine}"
                answer = await client.get(mine)
                assert answer.status_code == 200
                assert "Nachbar" not in answer.text
                if path != "/":
                    theirs = path.replace("{id}", str(web.other.rows["meter"]))
                    assert (await client.get(theirs)).status_code == 404
                    other_series = {"series": str(web.other.rows["series"])}
                    assert (await client.get(mine, params=other_series)).status_code == 404

    run(work())


def test_logging_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(tmp_path: Path) -> None:
    async def work() -> None:
        async with pages(tmp_path) as (web, _), web.client() as client:
            form = {"username": "anna", "password": PASSWORD, "next": "/?page=1"}
            answer = await client.post("/login", data=form, headers={"Sec-Fetch-Site": "cross-site"})
            assert answer.status_code == 403
            answer = await client.post("/login", data=form | {"password": "something else"})
            assert answer.status_code == 401
            assert PASSWORD not in answer.text
            assert 'role="alert"' in answer.text
            answer = await client.post("/login", data=form)
            assert (answer.status_code, answer.headers["location"]) == (303, "/?page=1")
            cookie = answer.headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=lax" in cookie
            assert "secure" not in cookie
            assert (await client.get("/")).status_code == 200
            assert (await client.get("/login")).status_code == 303
            assert (await client.post("/logout")).status_code == 403
            own = {"Sec-Fetch-Site": "same-origin"}
            assert (await client.post("/logout", headers=own)).headers["location"] == "/login"
            assert (await client.get("/")).status_code == 303
            safe = await client.post("https://testserver/login", data=form)
            assert "secure" in safe.headers["set-cookie"].lower()

    run(work())


@pytest.mark.parametrize("there", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "/\n/"])
def test_a_login_sends_nobody_elsewhere(there: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with pages(tmp_path) as (_, client):
            assert (await client.get("/login", params={"next": there})).headers["location"] == "/"

    run(work())


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    async def work() -> None:
        async with pages(tmp_path) as (web, client):
            made = await web.store.write(meters.create, web.mine.id, "<script>alert(1)</script>")
            for path in ("/", f"/meters/{made.id}"):
                text = (await client.get(path)).text
                assert "<script>alert" not in text
                assert "&lt;script&gt;alert" in text

    run(work())


def test_no_page_loads_or_runs_anything_but_our_own_files(tmp_path: Path) -> None:
    async def work() -> None:
        async with pages(tmp_path) as (web, client):
            for path in ("/", f"/meters/{web.mine.rows['meter']}", "/docs"):
                text = (await client.get(path)).text
                for address in re.findall(r'(?:src|href)="([^"]+)"', text):
                    assert address.startswith(("/", "?", "#")), address
                    if address.startswith("/static"):
                        file = await client.get(address)
                        assert file.status_code == 200
                        assert "immutable" in file.headers["cache-control"]
                assert not re.search(r"<script(?![^>]*\bsrc=)", text)
                assert not re.search(r"\son\w+=", text)
            assert (await client.get("/static/../pages.py")).status_code == 404

    run(work())


def test_empty_states_say_what_to_do_next(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path), tenants=False, mount=ui.mount) as web:
            user = await accounts.add_user(web.store, "anna", PASSWORD, organization="New")
            owner = await accounts.ensure_organization(web.store, "New")
            token = web.services.sessions.issue(user, owner.id, "page")
            async with web.client(cookie=f"{COOKIE}={token}") as client:
                text = (await client.get("/")).text
                assert "No meters yet" in text
                assert "polymeter demo" in text
                made = await web.store.write(meters.create, owner.id, "M1")
                text = (await client.get(f"/meters/{made.id}")).text
                assert "Nothing received yet" in text
                assert "has no type" in text

    run(work())


@contextlib.asynccontextmanager
async def browsing(folder: Path, chromium: str) -> AsyncIterator[tuple[Web, Browser, str]]:
    """The platform behind a real server, and a browser."""
    async with pages(folder) as (web, _):
        # Ages are counted in the browser by its own clock: bring ours up to it.
        web.clock.advance((datetime.now(UTC) - NOW).total_seconds())
        now = web.clock.now().replace(microsecond=0)
        times = [now - timedelta(seconds=10 * n) for n in range(60, 0, -1) if not 20 < n < 30]
        batch = [reading(METER, at, f"{1000 + i}.5") for i, at in enumerate(times)]
        batch.append(reading(METER, times[-1], "2000.25"))
        await web.store.write(series.change, web.mine.id, web.mine.rows["series"], period=None)
        await web.ingest.commit(batch, Entrance("test", web.mine.id, Source.POLL))
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(web.app, log_level="warning", timeout_graceful_shutdown=2, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            try:
                yield web, browser, f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                await browser.close()
                await web.services.close()
                server.should_exit = True
                await serving


async def logged_in(browser: Browser, base: str, problems: list[str], **more: Any) -> Page:
    page = await (await browser.new_context(**more)).new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    await page.goto(base + "/")
    await accessible(page)
    await page.fill("#username", "anna")
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#fleet, .empty")
    return page


async def accessible(page: Page) -> None:
    # The chart is a picture with a name; its values are in a table beside it.
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_in_a_browser(scheme: str, tmp_path: Path, chromium_path: str) -> None:
    """Log in, see a value arrive without reloading, open the meter, see its chart, on a phone as well."""

    async def work() -> None:
        problems: list[str] = []
        async with browsing(tmp_path, chromium_path) as (web, browser, base):
            page = await logged_in(browser, base, problems, color_scheme=scheme)
            await page.wait_for_selector("#live.on")
            await accessible(page)
            await arrives(web, page, "#fleet b", "4711.125")
            await page.click(f"text={METER}")
            await page.wait_for_selector("#chart[data-drawn] .bk-Figure")
            assert await page.locator("#rows").is_visible()
            assert "missing" in await page.locator("section[aria-labelledby=gaps]").inner_text()
            await accessible(page)
            await page.wait_for_selector("#live.on")
            await arrives(web, page, "[data-series] b", "4712.25")
            await page.set_viewport_size({"width": 360, "height": 780})
            await page.goto(base + "/")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, "a phone must not scroll sideways"
            await accessible(page)
        assert problems == []

    run(work())


async def arrives(web: Web, page: Page, selector: str, value: str) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    async with web.client(web.mine.tokens["every scope"]) as client:
        body = encode(reading(METER, at, value))
        assert (await client.post("/v1/metering/new-meter-readings", content=body)).status_code == 201
    await page.wait_for_selector(f"{selector}:text-is('{value}')", timeout=PATIENCE_S * 1000)
    await asyncio.sleep(1)  # the next value must be of another second


def test_the_pages_work_without_a_script(tmp_path: Path, chromium_path: str) -> None:
    async def work() -> None:
        problems: list[str] = []
        async with browsing(tmp_path, chromium_path) as (_, browser, base):
            page = await logged_in_without_script(browser, base)
            assert "2000.25" in await page.locator("#fleet").inner_text()
            await page.click(f"text={METER}")
            assert "replaced by poll" in await page.locator("section[aria-labelledby=rows]").inner_text()
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.className") == "skip"
        assert problems == []

    run(work())


async def logged_in_without_script(browser: Browser, base: str) -> Page:
    page = await (await browser.new_context(java_script_enabled=False)).new_page()
    await page.goto(base + "/")
    await page.fill("#username", "anna")
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await page.wait_for_selector("#fleet")
    return page
