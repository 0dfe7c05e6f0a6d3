"""Files of requests, and which files answer them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, listing, octets
from polymeter.protocols.sml.grammar import TAGS
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.sml.requests import Remaining, answers, request_file
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, ProtocolError, RemoteProtocolError
from tests.protocols.sml.playing import NAME, OPTIONS, PROFILE, SERVER, meter

FILE = request_file(
    [
        sml.request("GetList.Req", OPTIONS),
        sml.request("GetProfileList.Req", OPTIONS, parameterTreePath=listing(octets(PROFILE))),
    ],
    OPTIONS,
    b"file-no1",
)
Change = Callable[[list[Message]], object]


def told(change: Change = lambda messages: None) -> tuple[sml.Answer, ...] | None:
    """What the answer of a meter is taken for, after it was changed."""
    messages = list(meter(rows=3).meter.answer(FILE))
    change(messages)
    content = b"".join(map(sml.encode_message, messages))
    return answers(FILE, sml.decode_messages(content), content)


def test_a_request_says_for_whom_it_is_and_who_asks() -> None:
    asked = sml.request("GetList.Req", OPTIONS, listName=octets(b"list"))
    fields = {
        name: sml.field(asked.body, "GetList.Req", name).value
        for name in ("clientId", "username", "password")
    }
    assert fields == {"clientId": b"polymeter", "username": b"operator", "password": b"secret"}
    assert (asked.server, asked.transaction_id) == (SERVER, None)
    assert "secret" not in repr(OPTIONS)
    with pytest.raises(LocalProtocolError, match="no field colour"):
        sml.request("GetList.Req", OPTIONS, colour=ABSENT)
    with pytest.raises(LocalProtocolError, match="has no field"):
        sml.request("GetCosem.Req", OPTIONS, serverId=ABSENT)


def test_a_file_is_an_open_the_requests_and_a_close_each_a_transaction() -> None:
    assert [message.name for message in FILE] == [
        "PublicOpen.Req",
        "GetList.Req",
        "GetProfileList.Req",
        "PublicClose.Req",
    ]
    assert [message.transaction_id for message in FILE] == [b"file-no1" + bytes((0, n)) for n in range(4)]
    assert sml.field(FILE[0].body, "PublicOpen.Req", "reqFileId").value == b"file-no1"


def test_each_request_has_its_own_answer_and_a_profile_many_messages() -> None:
    found = told()
    assert found is not None
    assert [len(answer.messages) for answer in found] == [1, 3]
    assert [answer.refusal for answer in found] == [None, None]


def test_answers_may_come_in_another_order() -> None:
    found = told(lambda messages: messages.insert(4, messages.pop(1)))
    assert found is not None
    assert [len(answer.messages) for answer in found] == [1, 3]


@pytest.mark.parametrize("number", range(6))
def test_a_wrong_transaction_anywhere_is_refused(number: int) -> None:
    def change(messages: list[Message]) -> None:
        messages[number] = messages[number]._replace(transaction_id=b"file-no1\0\7")

    with pytest.raises(RemoteProtocolError, match="of transaction 66696c652d6e6f310007 answers what was not"):
        told(change)


def test_all_transactions_wrong_in_a_file_that_names_ours_is_refused() -> None:
    def change(messages: list[Message]) -> None:
        messages[:] = [message._replace(transaction_id=b"other") for message in messages]

    with pytest.raises(RemoteProtocolError, match="answers what was not asked"):
        told(change)


def test_a_file_of_others_answers_nothing() -> None:
    def change(messages: list[Message]) -> None:
        messages[:] = sml.pushed(SERVER, sml.sec_index(1), [], 7)

    assert told(change) is None
    assert told(list.clear) is None


def test_our_own_echo_answers_nothing() -> None:
    def change(messages: list[Message]) -> None:
        messages[:] = FILE

    assert told(change) is None


def absent(name: str) -> Message:
    return Message(FILE[1].transaction_id, 0, 0, TAGS[name], ABSENT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda messages: messages.pop(), "does not end with a close"),
        (lambda messages: messages.pop(0), "does not begin with an open"),
        (lambda messages: messages.append(messages.pop(0)), "does not begin with an open"),
        (lambda messages: messages.insert(2, messages.pop()), "does not end with a close"),
        (lambda messages: messages.pop(1), "no answer to GetList.Req"),
        (lambda messages: messages.insert(1, messages[1]), "2 answers came to GetList.Req"),
        (lambda messages: messages.insert(1, messages[0]), "2 answers came to PublicOpen.Req"),
        (
            lambda messages: messages.insert(1, messages[2]._replace(transaction_id=FILE[1].transaction_id)),
            "GetProfileList.Res .* comes in answer to GetList.Req",
        ),
        (lambda messages: messages.insert(1, FILE[1]), "GetList.Req .* comes in answer to GetList.Req"),
        (lambda messages: messages.insert(1, absent("GetList.Res")), "GetList.Res .* has no body"),
        (lambda messages: messages.insert(1, absent("Attention.Res")), "Attention.Res .* has no body"),
        (
            lambda messages: messages.__setitem__(1, listed(b"stranger")),
            "comes from 737472616e676572",
        ),
    ],
)
def test_what_is_no_answer_is_refused(change: Change, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        told(change)


def listed(server: bytes) -> Message:
    body = sml.structure("GetList.Res", serverId=octets(server), listName=octets(NAME))
    return Message(FILE[1].transaction_id, 0, 0, TAGS["GetList.Res"], body)


def test_who_sends_no_server_id_is_believed() -> None:
    assert told(lambda messages: messages.__setitem__(1, listed(b"")._replace(body=without_server())))


def without_server() -> sml.Element:
    return sml.structure("GetList.Res", listName=octets(NAME))


def attention(number: str, place: int) -> Message:
    body = sml.structure("Attention.Res", attentionNo=octets(bytes.fromhex(number)))
    return Message(FILE[place].transaction_id, 0, 0, TAGS["Attention.Res"], body)


@pytest.mark.parametrize("place", [0, 3])
def test_a_file_that_is_refused_whole_is_an_error_by_the_number(place: int) -> None:
    with pytest.raises(RemoteProtocolError, match="no such server"):
        told(lambda messages: messages.__setitem__(slice(None), [attention("8181c7c7fe03", place)]))
    with pytest.raises(AccessDenied, match="8181C7C7FE02"):
        told(lambda messages: messages.__setitem__(slice(None), [attention("8181c7c7fe02", place)]))


def test_an_attention_that_all_is_well_is_no_refusal() -> None:
    found = told(lambda messages: messages.__setitem__(1, attention("8181c7c7fd01", 1)))
    assert found is not None
    assert (found[0].refusal, str(found[0].attention)) == (None, "the job is running")


@given(st.lists(st.sampled_from(range(6)), max_size=8), st.integers(0, 5))
def test_any_choice_of_messages_is_an_answer_or_our_error(chosen: list[int], tag: int) -> None:
    def change(messages: list[Message]) -> None:
        kept = [messages[number] for number in chosen]
        if kept:
            kept[0] = kept[0]._replace(tag=messages[tag].tag, body=messages[tag].body)
        messages[:] = kept

    try:
        found = told(change)
    except ProtocolError:
        return
    assert found is None or len(found) == 2


def test_what_remains_after_several_refusals() -> None:
    remaining = Remaining()
    requests = [Message(None, group, 0, 0x700, ABSENT) for group in range(4)]

    def left() -> list[int]:
        return [request.group for request in requests if request in remaining]

    assert left() == [0, 1, 2, 3]
    for group, abort, groups in [
        (0, 0, [0, 1, 2, 3]),
        (1, 1, [0, 2, 3]),
        (2, 2, [2]),
        (2, 2, [2]),
        (3, 2, []),
    ]:
        remaining.refuse(requests[group]._replace(abort_on_error=abort))
        assert left() == groups
