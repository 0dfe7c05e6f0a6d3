"""Login tokens: ours, of their kind, in their time, with their password; and no text breaks the reader."""

import base64
import json
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.domain import SimulatedClock, User
from polymeter.services.sessions import Sessions

ADA = User(UUID(int=1), "ada", "$argon2id$made-up")
OURS = UUID(int=2)


def sessions(key: str = "a made-up key", clock: SimulatedClock | None = None) -> Sessions:
    return Sessions(key, clock or SimulatedClock(), 60)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("organization", [OURS, None])
def test_a_token_says_who_and_where(organization: UUID | None) -> None:
    found = sessions().read(sessions().issue(ADA, organization, "login"), "login")
    assert found is not None
    assert (found.user, found.organization) == (ADA.id, organization)
    assert found.fits(ADA)
    assert not found.fits(replace(ADA, password_hash="$argon2id$another"))
    assert not found.fits(replace(ADA, password_hash=None))


def test_a_token_is_of_one_kind_and_one_key() -> None:
    text = sessions().issue(ADA, OURS, "page")
    assert sessions().read(text, "page") is not None
    assert sessions().read(text, "login") is None
    assert sessions("another made-up key").read(text, "page") is None


@pytest.mark.parametrize(("kind", "lifetime_s"), [("login", 60), ("page", 12 * 3600)])
def test_a_token_ends_with_its_time(kind: str, lifetime_s: int) -> None:
    clock = SimulatedClock()
    made = sessions(clock=clock)
    text = made.issue(ADA, OURS, kind)
    clock.advance(lifetime_s - 1)
    assert made.read(text, kind) is not None
    clock.advance(1)
    assert made.read(text, kind) is None


def test_a_token_without_a_signature_is_none() -> None:
    _, claims, signature = sessions().issue(ADA, OURS, "login").split(".")
    for header in ({"alg": "none"}, {"alg": "HS512"}, {}, [], "x"):
        assert sessions().read(f"{part(header)}.{claims}.", "login") is None
        assert sessions().read(f"{part(header)}.{claims}.{signature}", "login") is None


def test_no_character_of_a_token_can_be_another() -> None:
    text = sessions().issue(ADA, OURS, "login")
    for position in range(len(text) - 1):  # the last one holds bits that say nothing
        other = "A" if text[position] != "A" else "B"
        assert sessions().read(text[:position] + other + text[position + 1 :], "login") is None, position


@given(
    st.text(max_size=80)
    | st.lists(st.binary(max_size=40), max_size=4).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(one).decode() for one in parts)
    )
)
def test_any_text_is_read_or_none(text: str) -> None:
    assert sessions().read(text, "login") is None


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_deeply_nested_header_is_none(opening: str) -> None:
    deep = base64.urlsafe_b64encode((opening * (1400 // len(opening))).encode()).decode()
    assert sessions().read(f"{deep}.e30.x", "login") is None
    assert sessions().read("x" * 1_000_000, "login") is None
