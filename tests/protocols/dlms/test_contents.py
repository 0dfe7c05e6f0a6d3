"""Recorded conversations: what one message tells about the next, and where in which layer it stands."""

from __future__ import annotations

from typing import Any

import pytest

from polymeter.protocols.dlms import decode
from polymeter.protocols.dlms.acse import AARE, AARQ, Context, Mechanism, encode_acse
from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionResponse,
    ActionResponseNormal,
    AttributeDescriptor,
    DataAccessResult,
    DataNotification,
    EventNotificationRequest,
    ExceptionResponse,
    GeneralBlockTransfer,
    GeneralGloCiphering,
    GeneralSigning,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
    InformationReportRequest,
    InitiateRequest,
    ReadResponse,
    SelectedAttribute,
    ServiceCiphering,
    SetResponseNormal,
    VariableName,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.contents import Contents
from polymeter.protocols.dlms.conversation import Conversation
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.security import Keys, protect
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import DecodeOptions
from tests.protocols.dlms.make_vectors import AUTH, KEY, KEYS, LIST, TITLE, push, sealed

CLIENT_TITLE = b"CLI\0\0\0\0\1"
ENERGY = AttributeDescriptor(3, OBIS(1, 0, 1, 8, 0), 2)
VOLTAGE = AttributeDescriptor(3, OBIS(1, 0, 32, 7, 0), 2)
ID = AttributeDescriptor(1, OBIS(0, 0, 96, 1, 0), 2)
SEVEN = Data.of(Item(Tag.DOUBLE_LONG_UNSIGNED, 7))
TEXT = Data.of(octet_string(b"10000001"))


def read(*messages: bytes | APDU, keys: tuple[bytes, ...] = (), auth: bytes | None = None) -> list[Contents]:
    """What each message gives, one after the other."""
    conversation = Conversation(DecodeOptions(keys, auth))
    found = []
    for message in messages:
        conversation.begin_message()
        contents = Contents(conversation)
        contents.read(bytes(message), None, 0)
        found.append(contents)
    conversation.end()
    return found


def shown(contents: Contents) -> list[tuple[str | None, Any]]:
    return [(record.obis, record.value) for record in contents.records]


def words(contents: Contents) -> list[str]:
    return [problem.message for problem in contents.errors]


def test_an_answer_is_named_after_the_question() -> None:
    asked = GetRequestNormal(0xC1, ENERGY)
    (_, answer) = read(asked, GetResponseNormal(0xC1, SEVEN))
    assert shown(answer) == [("1-0:1.8.0*255", 7)]
    (alone,) = read(GetResponseNormal(0xC1, SEVEN))
    assert shown(alone) == [(None, 7)]


LISTED = GetRequestWithList(0xC1, tuple(SelectedAttribute(one) for one in (ENERGY, VOLTAGE, ID)))
RESULTS = (SEVEN, DataAccessResult.OBJECT_UNAVAILABLE, TEXT)
LISTED_READ = [("1-0:1.8.0*255", 7), ("0-0:96.1.0*255", "10000001")]


def test_answers_to_a_list_are_named_one_by_one() -> None:
    (_, answer) = read(LISTED, GetResponseWithList(0xC1, RESULTS))
    assert shown(answer) == LISTED_READ
    assert words(answer) == ["the meter refuses: object unavailable"]
    refused = bytes(GetResponseWithList(0xC1, RESULTS))
    assert refused[answer.errors[0].offset] == DataAccessResult.OBJECT_UNAVAILABLE


@pytest.mark.parametrize("size", [1, 3, 5, 9, 100])
def test_answers_to_a_list_may_come_in_blocks(size: int) -> None:
    whole = bytes(GetResponseWithList(0xC1, RESULTS))[3:]
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    blocks = [
        GetResponseWithDatablock(0xC1, number == len(parts), number, part)
        for number, part in enumerate(parts, 1)
    ]
    *before, last = read(LISTED, *blocks)
    assert all(not one.records and not one.errors for one in before)
    assert shown(last) == LISTED_READ
    assert [(problem.layer, whole[problem.offset]) for problem in last.errors] == [(1, 11)]
    for record in last.records:
        assert record.layer == 1
        assert whole[record.offset : record.offset + len(record.raw)] == record.raw


@pytest.mark.parametrize(
    ("asked", "raw", "error"),
    [
        (GetRequestNormal(0xC1, ENERGY), SEVEN.encoded + b"\0", "1 octets after the value"),
        (GetRequestNormal(0xC1, ENERGY), SEVEN.encoded[:-1], "octets"),
        (LISTED, b"\3" + b"\0" + SEVEN.encoded, "left|missing"),
        (LISTED, b"\1\2", "no choice 2"),
    ],
)
def test_blocks_that_make_no_answer_are_an_error_of_their_layer(asked: APDU, raw: bytes, error: str) -> None:
    (_, answer) = read(asked, GetResponseWithDatablock(0xC1, True, 1, raw))
    assert answer.broken
    (problem,) = answer.errors
    assert problem.layer == 1
    assert any(part in problem.message for part in error.split("|"))


def test_a_meter_that_gives_up_within_is_told_and_the_next_answer_is_read() -> None:
    *_, refused, again = read(
        GetRequestNormal(0xC1, ENERGY),
        GetResponseWithDatablock(0xC1, False, 1, b"\6\0"),
        GetResponseWithDatablock(0xC1, True, 2, DataAccessResult.LONG_GET_ABORTED),
        GetResponseWithDatablock(0xC1, True, 1, SEVEN.encoded),
    )
    assert words(refused) == ["the meter refuses: long get aborted"]
    assert not refused.broken
    assert shown(again) == [("1-0:1.8.0*255", 7)]


def test_refusals_are_told_and_break_no_message() -> None:
    for message, said in (
        (GetResponseNormal(0xC1, 4), "object undefined"),
        (SetResponseNormal(0xC1, 3), "read write denied"),
        (SetResponseNormal(0xC1, 99), "code 99"),
        (ActionResponseNormal(0xC1, ActionResponse(2)), "temporary failure"),
        (ExceptionResponse(1, 1), "service not allowed, operation not possible"),
    ):
        (contents,) = read(message)
        assert words(contents) == [f"the meter refuses: {said}"]
        assert not contents.broken
    (done, returned) = read(SetResponseNormal(0xC1, 0), ActionResponseNormal(0xC1, ActionResponse(0, SEVEN)))
    assert not done.errors
    assert shown(returned) == [(None, 7)]


def aarq(title: bytes | None) -> bytes:
    request = bytes(InitiateRequest(None, True, None, 6, 0x1F, 500))
    return encode_acse(AARQ.of(Context.LN_CIPHERED, Mechanism.NONE, None, title, request))


def aare(title: bytes | None, **refusal: int) -> bytes:
    return encode_acse(AARE.of(Context.LN_CIPHERED, Mechanism.NONE, None, title, None, **refusal))


def test_services_under_keys_are_opened_with_the_titles_that_the_association_named() -> None:
    asked = bytes(GetRequestNormal(0xC1, ENERGY))
    answer = bytes(GetResponseNormal(0xC1, SEVEN))
    conversation = [
        aarq(CLIENT_TITLE),
        aare(TITLE),
        ServiceCiphering.of(0xC0, protect(asked, 0x30, KEYS, CLIENT_TITLE, 5)),
        ServiceCiphering.of(0xC4, protect(answer, 0x30, KEYS, TITLE, 5)),
        # An empty title stands for the meter's.
        GeneralGloCiphering(b"", protect(answer, 0x30, KEYS, TITLE, 6)),
    ]
    *_, question, first, second = read(*conversation, keys=(KEY,), auth=AUTH)
    assert [seal.system_title for seal in (*question.seals, *first.seals)] == [CLIENT_TITLE, TITLE]
    assert all(seal.verified for seal in first.seals)
    for contents in (first, second):
        assert shown(contents) == [("1-0:1.8.0*255", 7)]
        assert contents.records[0].layer == 1
        assert not contents.errors
    # Without the association nobody knows the title: the same octets stay closed.
    (alone,) = read(conversation[3], keys=(KEY,), auth=AUTH)
    assert not alone.records
    assert not alone.broken
    assert alone.errors


def test_a_refused_association_is_told() -> None:
    (contents,) = read(aare(TITLE, result=1, diagnostic=13))
    assert contents.errors
    assert not contents.broken
    assert contents.name == "AARE"


def test_replays_and_lowered_counters_are_told_and_read_all_the_same() -> None:
    first, again, lower = (sealed(push(LIST), counter=counter) for counter in (9, 9, 8))
    contents = read(first, again, lower, keys=(KEY,), auth=AUTH)
    assert words(contents[0]) == []
    assert ["replayed" in one for one in words(contents[1])] == [True]
    assert ["lower than the last" in one for one in words(contents[2])] == [True]
    for message, one in zip((first, again, lower), contents, strict=True):
        assert len(one.records) == 6
        assert not one.broken
        for problem in one.errors:
            assert message[problem.offset : problem.offset + 4] in (b"\0\0\0\x09", b"\0\0\0\x08")


def test_a_forged_message_moves_no_counter() -> None:
    forged = GeneralGloCiphering(TITLE, protect(push(LIST), 0x30, Keys(KEY, bytes(16)), TITLE, 1000))
    (bad, good) = read(forged, sealed(push(LIST), counter=1), keys=(KEY,), auth=AUTH)
    assert ["authentication key is wrong" in one for one in words(bad)] == [True]
    assert not bad.records
    assert not good.errors


def test_errors_say_in_which_layer_they_stand() -> None:
    broken = push(LIST)[:-2]
    (contents,) = read(sealed(broken), keys=(KEY,), auth=AUTH)
    assert contents.broken
    assert contents.encrypted
    (problem,) = contents.errors
    assert problem.layer == 1
    assert problem.offset <= len(broken)


def test_a_key_of_the_wrong_length_is_no_fault_of_the_message() -> None:
    (contents,) = read(sealed(push(LIST)), keys=(KEY[:7],), auth=AUTH)
    assert contents.errors
    assert not contents.broken


def test_envelopes_within_each_other_have_an_end() -> None:
    def wrapped(times: int) -> bytes:
        message = push(LIST)
        for _ in range(times):
            message = bytes(GeneralBlockTransfer(0x80, 1, 0, message))
        return message

    (deep,) = read(wrapped(6))
    assert len(deep.records) == 6
    assert deep.layers == 7
    (deeper,) = read(wrapped(7))
    assert words(deeper) == ["more than 6 envelopes within each other"]
    assert deeper.broken


def test_an_empty_message_is_an_error() -> None:
    (contents,) = read(b"")
    assert contents.broken
    assert words(contents) == ["an empty APDU"]


def test_a_notifications_own_time_is_a_value_where_it_is_one() -> None:
    (with_time,) = read(push(LIST))
    (without,) = read(DataNotification(1, b"", Data.of(LIST)))
    assert with_time.records[0].name == "notification time"
    assert with_time.records[1:] == [
        record._replace(time=with_time.records[0].time, offset=record.offset + 12)
        for record in without.records
    ]


def test_what_is_signed_is_read_and_marked_unverified() -> None:
    signed = GeneralSigning(b"\1", TITLE, b"", b"", b"", push(LIST), b"signature")
    (contents,) = read(signed)
    assert len(contents.records) == 6
    assert contents.title == TITLE
    assert contents.seals == []
    (frame,) = decode(bytes(signed))
    assert frame.tree is not None
    assert "unverified" in (next(node for node in frame.tree.walk() if node.name == "signed").meaning or "")


def test_an_acknowledgement_of_blocks_says_nothing() -> None:
    begun = GeneralBlockTransfer(0x41, 1, 0, push(LIST)[:40])
    acknowledged = GeneralBlockTransfer(0x80, 1, 1)
    ended = GeneralBlockTransfer(0xC1, 2, 0, push(LIST)[40:])
    first, second, third = read(begun, acknowledged, ended)
    assert (first.records, second.records, second.errors) == ([], [], [])
    assert len(third.records) == 6


@pytest.mark.parametrize("time", [None, bytes.fromhex("07ea0301070c071e00000000")])
def test_a_report_by_short_names_is_named_by_them(time: bytes | None) -> None:
    report = InformationReportRequest(time, (VariableName(0x1234), VariableName(-8)), (SEVEN, TEXT, SEVEN))
    (contents,) = read(report)
    prefixes = [record.name.rpartition(" ")[0] for record in contents.records]
    assert [name.split(" element")[0] for name in prefixes] == [
        "short name 4660",
        "short name -8",
        "short name 3",
    ]
    octets = bytes(report)
    for record in contents.records:
        assert octets[record.offset : record.offset + len(record.raw)] == record.raw
        assert (record.time is None) == (time is None)


def test_answers_by_short_names_are_values_without_codes() -> None:
    (contents,) = read(ReadResponse((SEVEN, 4, TEXT)))
    assert [record.value for record in contents.records] == [7, "10000001"]
    assert words(contents) == ["the meter refuses: object undefined"]


@pytest.mark.parametrize("moment", [b"", bytes.fromhex("07ea0301070c071e00000000")])
def test_an_event_is_named_and_timed(moment: bytes) -> None:
    (contents,) = read(EventNotificationRequest(moment or None, ENERGY, SEVEN))
    assert shown(contents) == [("1-0:1.8.0*255", 7)]
    assert (contents.records[0].time is None) == (not moment)
