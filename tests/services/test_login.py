"""Accounts, passwords and logins."""

from __future__ import annotations

from pathlib import Path

import pytest

from polymeter.domain import Role
from polymeter.services import accounts
from polymeter.services.accounts import InvalidAccount
from polymeter.services.login import Throttle
from polymeter.services.sessions import COOKIE
from polymeter.settings import Settings
from polymeter.store import ANY, audit, users
from tests.web import PASSWORD, Web, platform, run, sqlite_url

LOGIN = "/v1/auth/jwt/token/"


async def log_in(web: Web, name: str, password: str = PASSWORD, **more: str) -> tuple[int, dict[str, str]]:
    async with web.client() as client:
        answer = await client.post(LOGIN, json={"username": name, "password": password} | more)
        return answer.status_code, answer.json()


def test_who_logs_in_gets_a_token_for_the_first_organization_or_the_one_asked_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            for tenant in (web.mine, web.other):
                await accounts.add_user(
                    web.store, "anna", PASSWORD, organization=tenant.name, role=Role.OPERATOR
                )
            status, first = await log_in(web, "anna")
            assert status == 201
            status, asked = await log_in(web, "anna", organization=str(web.other.id))
            assert asked["organization"] == str(web.other.id) != first["organization"]
            async with web.client(f"JWT {asked['token']}") as client:
                names = [
                    m["name"] for m in (await client.get("/v1/metering/meter-devices")).json()["results"]
                ]
                assert names == ["Nachbar-1"]
                renewed = await client.get("/v1/auth/jwt/renew/")
                assert renewed.json()["organization"] == str(web.other.id)
                changed = await client.post(
                    "/v1/auth/jwt/change-organization/", json={"organization": str(web.mine.id)}
                )
                assert changed.json()["organization"] == str(web.mine.id)
            async with web.client(f"Bearer {changed.json()['token']}") as client:
                assert (await client.get("/v1/organizations")).json()["results"][0]["id"] == str(web.mine.id)

    run(work())


def test_a_login_ends_with_its_time_its_password_its_membership_and_its_user(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:

            async def fresh() -> str:
                return (await log_in(web, "anna"))[1]["token"]

            async def works(token: str) -> bool:
                async with web.client(f"JWT {token}") as client:
                    return (await client.get("/v1/organizations")).status_code == 200

            user = await accounts.add_user(web.store, "anna", PASSWORD, organization="Stadtwerke")
            token = await fresh()
            assert await works(token)
            web.clock.advance(1200)
            assert not await works(token)
            token = await fresh()
            await accounts.set_password(web.store, "anna", PASSWORD)
            assert not await works(token)
            token = await fresh()
            member = await web.store.read(users.membership, web.mine.id, user.id)
            assert member is not None
            await web.store.write(users.leave, web.mine.id, member.id)
            assert not await works(token)
            await web.store.write(users.join, web.mine.id, user.id, Role.READER)
            assert await works(token)
            await web.store.write(users.change, ANY, user.id, is_active=False)
            assert not await works(token)

    run(work())


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            await accounts.add_user(web.store, "anna", PASSWORD, organization="Stadtwerke")
            wrong = await log_in(web, "anna", "another made-up one")
            unknown = await log_in(web, "nobody", "another made-up one")
            foreign = await log_in(web, "anna", organization=str(web.other.id))
            assert wrong == unknown == foreign
            assert wrong[0] == 401

    run(work())


def test_too_many_failures_wait_and_then_may_try_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            await accounts.add_user(web.store, "anna", PASSWORD, organization="Stadtwerke")
            for _ in range(5):
                assert (await log_in(web, "anna", "not the password"))[0] == 401
            async with web.client() as client:
                answer = await client.post(LOGIN, json={"username": "anna", "password": PASSWORD})
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 300
            web.clock.advance(301)
            assert (await log_in(web, "anna"))[0] == 201

    run(work())


def test_the_throttle_stays_small_whatever_names_are_made_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path), tenants=False) as web:
            throttle = Throttle(web.clock)
            for number in range(20_000):
                throttle.failed(f"name {number}", "10.0.0.1")
            assert len(throttle._failures) <= 10_000
            assert throttle.wait_s("another", "10.0.0.1") > 0

    run(work())


def test_logins_are_in_the_audit_log_and_passwords_are_not(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            await accounts.add_user(web.store, "anna", PASSWORD, organization="Stadtwerke")
            await log_in(web, "anna")
            await log_in(web, "anna", "not the password")
            entries = (await web.store.read(audit.page, ANY)).rows
            actions = {entry.action for entry in entries}
            assert {"login", "login refused", "add user", "add token", "revoke token"} <= actions
            assert PASSWORD not in repr(entries)
            assert await web.store.read(audit.verify) is None

    run(work())


def test_a_users_password_is_stored_as_argon2(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            user = await accounts.add_user(web.store, "anna", PASSWORD, organization="Stadtwerke")
            assert user.password_hash is not None
            assert user.password_hash.startswith("$argon2id$")
            assert PASSWORD not in repr(user)

    run(work())


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: accounts.add_user(s, "", PASSWORD, organization="A"), "a user's name"),
        (lambda s: accounts.add_user(s, "a", "short", organization="A"), "a password has 10"),
        (lambda s: accounts.add_user(s, "a", PASSWORD, organization="A", role="king"), "no role 'king'"),
        (lambda s: accounts.add_token(s, "t", organization="nobody's"), "no organization"),
        (lambda s: accounts.add_token(s, "t", organization="*", scopes=["all"]), "no scope 'all'"),
        (lambda s: accounts.set_password(s, "nobody", PASSWORD), "no user"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_the_reason(call, says, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async def work() -> None:
        async with platform(sqlite_url(tmp_path), tenants=False) as web:
            with pytest.raises(InvalidAccount, match=says):
                await call(web.store)

    run(work())


def test_service_tokens_can_be_switched_off(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path), settings=Settings(allow_token_auth=False)) as web:
            async with web.client(web.mine.tokens["every scope"]) as client:
                assert (await client.get("/v1/organizations")).status_code == 401
            async with web.client(web.mine.tokens["role reader"]) as client:
                assert (await client.get("/v1/organizations")).status_code == 200

    run(work())


def test_a_pages_cookie_reads_but_changes_nothing_from_elsewhere(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            user = await accounts.add_user(
                web.store, "anna", PASSWORD, organization="Stadtwerke", role=Role.ADMIN
            )
            page = web.services.sessions.issue(user, web.mine.id, "page")
            path = "/v1/metering/network-interfaces"
            async with web.client(cookie=f"{COOKIE}={page}") as client:
                assert (await client.get(path)).status_code == 200
                assert (await client.post(path, json={})).status_code == 403
                for headers in (
                    {"Origin": "http://evil.example"},
                    {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
                ):
                    assert (await client.post(path, json={}, headers=headers)).status_code == 403
                own = {"Origin": "http://testserver"}
                assert (await client.post(path, json={}, headers=own)).status_code == 201
            # Neither kind of login token stands in for the other.
            async with web.client(f"JWT {page}") as client:
                assert (await client.get(path)).status_code == 401
            login = web.services.sessions.issue(user, web.mine.id, "login")
            async with web.client(cookie=f"{COOKIE}={login}") as client:
                assert (await client.get(path)).status_code == 401

    run(work())
