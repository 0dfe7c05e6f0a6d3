"""The table of states: what may be said when, by whom, and what an event is called in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.acse import AARE, AARQ, RLRE, RLRQ, Context, Mechanism, Result
from polymeter.protocols.dlms.apdus import (
    ActionResponse,
    ActionResponseNormal,
    AttributeDescriptor,
    ConfirmedServiceError,
    DataNotification,
    EventNotificationRequest,
    ExceptionResponse,
    GetRequestNormal,
    GetResponseNormal,
    InformationReportRequest,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.hdlc import Parameters
from polymeter.protocols.dlms.hdlc_link import LinkDown, LinkUp
from polymeter.protocols.dlms.states import TRANSITIONS, Connect, Disconnect, kind_of
from polymeter.protocols.obis import OBIS

ONE = AttributeDescriptor(3, OBIS(1, 0, 1, 8, 0), 2)
VALUE = Data.of(Item(Tag.UNSIGNED, 1))


def accepting(mechanism: Mechanism = Mechanism.NONE, **fields: Any) -> AARE:
    return AARE.of(Context.LN, mechanism, None, None, b"", **fields)


@pytest.mark.parametrize(
    ("event", "sender", "kind"),
    [
        (Connect(), "client", "connect"),
        (Disconnect(), "client", "disconnect"),
        (LinkUp(Parameters()), "server", "link up"),
        (LinkDown("gone"), "server", "link down"),
        (AARQ.of(Context.LN, Mechanism.NONE, None, None, b""), "client", "AARQ"),
        (accepting(), "server", "AARE accepting"),
        (accepting(Mechanism.LLS), "server", "AARE accepting"),
        (accepting(Mechanism.HLS_MD5), "server", "AARE asking for proof"),
        (accepting(diagnostic=14), "server", "AARE asking for proof"),
        (accepting(result=Result.REJECTED_PERMANENT), "server", "AARE refusing"),
        (accepting(Mechanism.HLS_MD5, result=Result.REJECTED_TRANSIENT), "server", "AARE refusing"),
        (RLRQ(), "client", "RLRQ"),
        (RLRE(), "server", "RLRE"),
        (GetRequestNormal(0xC1, ONE), "client", "request"),
        (GetResponseNormal(0xC1, VALUE), "server", "response"),
        (ActionResponseNormal(0xC1, ActionResponse(0)), "server", "success"),
        (ActionResponseNormal(0xC1, ActionResponse(3)), "server", "response"),
        (ExceptionResponse(1, 1), "server", "refusal"),
        (ConfirmedServiceError(5, 0, 6), "server", "refusal"),
        (DataNotification(1, b"", VALUE), "server", "notification"),
        (EventNotificationRequest(None, ONE, VALUE), "server", "notification"),
        (InformationReportRequest(None, (), ()), "server", "notification"),
    ],
)
def test_every_event_has_its_name_in_the_table(event: Any, sender: Any, kind: str) -> None:
    assert kind_of(event, sender) == kind
    named = {name for moves in TRANSITIONS.values() for _, name in moves} | {"notification"}
    assert kind in named


ORDINARY = [
    ("client", "connect", "linking"),
    ("server", "link up", "no association"),
    ("client", "AARQ", "associating"),
    ("server", "AARE asking for proof", "HLS pending"),
    ("client", "request", "HLS pending"),
    ("server", "success", "associated"),
    ("client", "request", "associated"),
    ("server", "response", "associated"),
    ("server", "refusal", "associated"),
    ("client", "RLRQ", "releasing"),
    ("server", "RLRE", "no association"),
    ("client", "disconnect", "unlinking"),
    ("server", "link down", "no link"),
]


def test_the_ordinary_course_of_a_conversation() -> None:
    state = "no link"
    for end, kind, after in ORDINARY:
        state = TRANSITIONS[state][end, kind]  # type: ignore[index]
        assert state == after


def test_services_have_a_place_only_where_there_is_an_association() -> None:
    """But the proof of the secret, which is an ACTION on the way there."""
    for state, moves in TRANSITIONS.items():
        assert (("client", "request") in moves) == (state in ("HLS pending", "associated"))
        assert (("server", "AARE accepting") in moves) == (state == "associating")
        assert moves.get(("server", "success")) in (None, "associated")
    # A proof that is refused ends the attempt; nothing else leads from there to services.
    pending = TRANSITIONS["HLS pending"]
    assert pending["server", "response"] == pending["server", "refusal"] == "no association"


@given(st.lists(st.integers(0, 20), max_size=40))
def test_wherever_one_comes_the_link_can_be_closed_and_opened_again(choices: list[int]) -> None:
    state = "no link"
    for choice in choices:
        moves = sorted(TRANSITIONS[state].items())
        state = moves[choice % len(moves)][1]
    closing = TRANSITIONS[TRANSITIONS[state]["client", "disconnect"]]
    assert closing["server", "link down"] == "no link"
    for end, kind, after in ORDINARY:
        state = "no link" if kind == "connect" else state
        state = TRANSITIONS[state][end, kind]  # type: ignore[index]
        assert state == after


def test_every_state_can_be_reached() -> None:
    reached = {"no link"}
    while True:
        more = reached | {after for state in reached for after in TRANSITIONS[state].values()}
        if more == reached:
            break
        reached = more
    assert reached == set(TRANSITIONS)
