"""Block transfer: a client's and a meter's half joined, with blocks that go astray."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms import blocks
from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponse,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithPblock,
    ActionResult,
    AttributeDescriptor,
    DataAccessResult,
    DataNotification,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
    MethodDescriptor,
    SelectedAttribute,
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseNormal,
    SetResponseWithList,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.blocks import ClientBlocks, ServerBlocks
from polymeter.protocols.dlms.data import octet_string
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import RemoteProtocolError

ATTRIBUTE = AttributeDescriptor(1, OBIS(0, 0, 96, 1, 0), 2)
METHOD = MethodDescriptor(18, OBIS(0, 0, 44, 0, 0), 2)


def value(size: int) -> Data:
    return Data.of(octet_string(bytes(i & 0xFF for i in range(size))))


def talk(request: APDU, response: APDU, apdu_max: int | None) -> tuple[Any, Any, list[APDU]]:
    """Let both halves speak until the client has its answer; gives also all that travelled."""
    client, server = ClientBlocks(), ServerBlocks()
    travelled = []
    saying: APDU | None = client.request(request, apdu_max)
    asked = None
    for _ in range(10_000):
        assert saying is not None
        travelled.append(saying)
        whole, answer = server.request(decode_apdu(encode_apdu(saying)))
        if whole is not None:
            asked = whole
            answer = server.response(response, apdu_max)
        assert answer is not None
        travelled.append(answer)
        result, saying = client.response(decode_apdu(encode_apdu(answer)))
        if result is not None:
            return asked, result, travelled
    raise AssertionError("no end")


CASES = [
    (GetRequestNormal(0xC1, ATTRIBUTE), lambda data: GetResponseNormal(0xC1, data)),
    (
        GetRequestWithList(0xC1, (SelectedAttribute(ATTRIBUTE),) * 2),
        lambda data: GetResponseWithList(0xC1, (data, 3, data)),
    ),
    (
        ActionRequestNormal(0xC1, METHOD, None),
        lambda data: ActionResponseNormal(0xC1, ActionResponse(0, data)),
    ),
    (
        ActionRequestWithList(0xC1, (METHOD,) * 2, (value(3), value(4))),
        lambda data: ActionResponseWithList(0xC1, (ActionResponse(0, data), ActionResponse(3, None))),
    ),
]


@pytest.mark.parametrize("apdu_max", [64, 65, 128, 1000, None])
@pytest.mark.parametrize(("request_", "respond"), CASES)
@pytest.mark.parametrize("size", [0, 40, 47, 48, 49, 1000])
def test_a_long_response_comes_in_blocks_that_fit(
    size: int, request_: APDU, respond: Any, apdu_max: int | None
) -> None:
    response = respond(value(size))
    asked, answered, travelled = talk(request_, response, apdu_max)
    assert asked == request_
    assert answered == response
    if apdu_max is not None:
        assert max(len(encode_apdu(apdu)) for apdu in travelled) <= apdu_max


@given(st.integers(0, 3000), st.integers(64, 1200))
def test_a_long_request_goes_in_blocks_that_fit(size: int, apdu_max: int) -> None:
    for request, response in (
        (SetRequestNormal(0x81, ATTRIBUTE, None, value(size)), SetResponseNormal(0x81, 0)),
        (
            SetRequestWithList(0x81, (SelectedAttribute(ATTRIBUTE),) * 2, (value(size), value(size))),
            SetResponseWithList(0x81, (0, 3)),
        ),
        (ActionRequestNormal(0x81, METHOD, value(size)), ActionResponseNormal(0x81, ActionResponse(0))),
        (
            ActionRequestWithList(0x81, (METHOD,) * 2, (value(size), value(1))),
            ActionResponseWithList(0x81, (ActionResponse(0), ActionResponse(0))),
        ),
    ):
        asked, answered, travelled = talk(request, response, apdu_max)
        assert asked == request
        assert answered == response
        assert max(len(encode_apdu(apdu)) for apdu in travelled) <= apdu_max


@settings(max_examples=200)
@given(
    st.sampled_from(range(6)),
    st.integers(64, 200),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=40),
)
def test_blocks_that_come_twice_or_are_answered_in_vain_change_nothing(
    which: int, apdu_max: int, line: list[tuple[int, int]]
) -> None:
    """Each message is delivered once or more often, and its answers are lost or come once or more often."""
    request, response = (
        (GetRequestNormal(0xC1, ATTRIBUTE), GetResponseNormal(0xC1, value(700))),
        (SetRequestNormal(0x81, ATTRIBUTE, None, value(700)), SetResponseNormal(0x81, 3)),
        (ActionRequestNormal(0x81, METHOD, value(700)), ActionResponseNormal(0x81, ActionResponse(0))),
        (
            ActionRequestNormal(0x81, METHOD, value(700)),
            ActionResponseNormal(0x81, ActionResponse(0, value(500))),
        ),
        (
            SetRequestWithList(0x81, (SelectedAttribute(ATTRIBUTE),) * 2, (value(300), value(200))),
            SetResponseWithList(0x81, (0, 3)),
        ),
        (
            ActionRequestWithList(0x81, (METHOD,) * 2, (value(300), value(1))),
            ActionResponseWithList(0x81, (ActionResponse(0), ActionResponse(0, value(300)))),
        ),
    )[which]
    client, server = ClientBlocks(), ServerBlocks()
    saying, asked, results = client.request(request, apdu_max), [], []
    for turn in range(500):
        times, heard = line[turn % len(line)] if turn % 2 else (1, 1)
        answers = []
        for _ in range(times):
            whole, answer = server.request(saying)
            if whole is not None:
                asked.append(whole)
                answer = server.response(response, apdu_max)
            answers.append(answer)
        assert len(set(map(repr, answers))) == 1 or saying == request  # what is no block is asked anew
        for answer in answers[:heard]:
            assert answer is not None
            result, following = client.response(answer)
            if result is not None:
                results.append(result)
            saying = following or saying
        if results:
            break
    assert results[0] == response
    if saying is not request and not isinstance(request, GetRequestNormal):
        assert asked == [request]


@pytest.mark.parametrize("datagrams", [False, True])
def test_over_datagrams_a_request_that_comes_again_acts_once(datagrams: bool) -> None:
    server = ServerBlocks(datagrams)
    for request in (
        ActionRequestNormal(0xC1, METHOD, None),
        SetRequestNormal(0xC2, ATTRIBUTE, None, value(1)),
    ):
        response = ActionResponseNormal(request.invoke, ActionResponse(0))
        assert server.request(request) == (request, None)
        server.response(response, None)
        assert server.request(request) == ((None, response) if datagrams else (request, None))
    for _ in range(2):
        assert server.request(GetRequestNormal(0xC3, ATTRIBUTE))[0] is not None  # reading may be done twice


def test_blocks_of_another_request_are_passed_over() -> None:
    client = ClientBlocks()
    client.request(GetRequestNormal(0xC2, ATTRIBUTE), 64)
    assert client.response(GetResponseWithDatablock(0xC1, True, 1, b"\x00")) == (None, None)
    late = GetResponseNormal(0xC1, value(1))
    assert client.response(late) == (late, None)
    assert client.response(GetResponseWithDatablock(0xC2, False, 1, b"\x11")) == (
        None,
        GetRequestNext(0xC2, 1),
    )
    notification = DataNotification(1, b"", value(1))
    assert client.response(notification) == (notification, None)
    whole, _ = client.response(GetResponseWithDatablock(0xC2, True, 2, b"\x05"))
    assert isinstance(whole, GetResponseNormal)
    assert whole.result == Data(b"\x11\x05", 5)
    assert client.response(GetResponseWithDatablock(0xC2, True, 2, b"\x05")) == (None, None)


def test_another_request_forgets_the_blocks_of_the_last() -> None:
    server = ServerBlocks()
    first = SetRequestWithFirstDatablock(1, ATTRIBUTE, None, False, 1, b"\x09\x02a")
    assert server.request(first) == server.request(first) == (None, SetResponseDatablock(1, 1))
    server.request(GetRequestNormal(2, ATTRIBUTE))
    _, answer = server.request(SetRequestWithDatablock(1, True, 2, b"b"))
    assert answer == SetResponseLastDatablock(1, DataAccessResult.NO_LONG_SET_IN_PROGRESS, 2)


def test_only_the_first_block_of_a_long_set_names_the_attribute() -> None:
    _, _, travelled = talk(SetRequestNormal(1, ATTRIBUTE, None, value(300)), SetResponseNormal(1, 0), 128)
    requests = travelled[::2]
    assert isinstance(requests[0], SetRequestWithFirstDatablock)
    assert all(isinstance(request, SetRequestWithDatablock) for request in requests[1:])
    assert isinstance(travelled[1], SetResponseDatablock)
    assert isinstance(travelled[-1], SetResponseLastDatablock)


def test_a_block_out_of_order_is_refused_at_both_ends() -> None:
    client, server = ClientBlocks(), ServerBlocks()
    client.request(GetRequestNormal(1, ATTRIBUTE), 64)
    with pytest.raises(RemoteProtocolError, match="block 2 came, 1"):
        client.response(GetResponseWithDatablock(1, False, 2, b"x"))
    server.request(GetRequestNormal(1, ATTRIBUTE))
    server.response(GetResponseNormal(1, value(200)), 64)
    _, answer = server.request(GetRequestNext(1, 7))
    assert answer == GetResponseWithDatablock(1, True, 7, DataAccessResult.DATA_BLOCK_NUMBER_INVALID)
    _, answer = server.request(GetRequestNext(1, 1))
    assert answer == GetResponseWithDatablock(1, True, 1, DataAccessResult.NO_LONG_GET_IN_PROGRESS)


def test_a_block_of_a_set_that_never_began_is_refused() -> None:
    server = ServerBlocks()
    _, answer = server.request(SetRequestWithDatablock(1, True, 2, b"x"))
    assert answer == SetResponseLastDatablock(1, DataAccessResult.NO_LONG_SET_IN_PROGRESS, 2)


def test_blocks_that_make_no_value_abort_the_long_set() -> None:
    server = ServerBlocks()
    _, answer = server.request(SetRequestWithFirstDatablock(1, ATTRIBUTE, None, True, 1, b"\x09\x05x"))
    assert answer == SetResponseLastDatablock(1, DataAccessResult.LONG_SET_ABORTED, 1)


def test_a_meter_that_gives_up_in_the_middle_refuses_the_attribute() -> None:
    client = ClientBlocks()
    client.request(GetRequestNormal(1, ATTRIBUTE), 64)
    assert client.response(GetResponseWithDatablock(1, False, 1, b"\x09\x20")) == (None, GetRequestNext(1, 1))
    whole, _ = client.response(GetResponseWithDatablock(1, True, 2, DataAccessResult.LONG_GET_ABORTED))
    assert whole == GetResponseNormal(1, DataAccessResult.LONG_GET_ABORTED)


def test_an_acknowledgement_of_a_block_that_was_not_sent_is_an_error() -> None:
    client = ClientBlocks()
    client.request(SetRequestNormal(1, ATTRIBUTE, None, value(300)), 128)
    with pytest.raises(RemoteProtocolError):
        client.response(SetResponseDatablock(1, 5))


@pytest.mark.parametrize("returned", [value(3), None])
def test_a_meter_may_put_the_bare_return_value_into_its_blocks(returned: Data | None) -> None:
    """The standard puts the whole response there; what cannot be that is taken as the value."""
    whole = bytes(ActionResponseNormal(1, ActionResponse(0, returned)))[3:]
    for raw in (whole, value(3).encoded):
        client = ClientBlocks()
        client.request(ActionRequestNormal(1, METHOD, None), 64)
        assert client.response(ActionResponseWithPblock(1, False, 1, raw[:1])) == (
            None,
            ActionRequestNextPblock(1, 1),
        )
        found, _ = client.response(ActionResponseWithPblock(1, True, 2, raw[1:]))
        expected = returned if raw == whole else value(3)
        assert found == ActionResponseNormal(1, ActionResponse(0, expected))


@pytest.mark.parametrize(
    ("request_", "block"),
    [
        (GetRequestNormal(1, ATTRIBUTE), GetResponseWithDatablock(1, True, 1, b"\x11\x05\x00")),
        (ActionRequestNormal(1, METHOD, None), ActionResponseWithPblock(1, True, 1, b"\x11\x05\x00")),
        (CASES[1][0], GetResponseWithDatablock(0xC1, True, 1, b"\x02\x01\x03")),
        (CASES[3][0], ActionResponseWithPblock(0xC1, True, 1, b"\x01")),
    ],
)
def test_blocks_that_make_no_answer_are_an_error(request_: APDU, block: APDU) -> None:
    client = ClientBlocks()
    client.request(request_, 64)
    with pytest.raises(RemoteProtocolError):
        client.response(block)


def test_a_long_answer_has_a_limit() -> None:
    client = ClientBlocks()
    client.request(GetRequestNormal(1, ATTRIBUTE), 64)
    part = bytes(1 << 20)
    for number in range(1, 1 + blocks.TRANSFER_MAX // len(part)):
        client.response(GetResponseWithDatablock(1, False, number, part))
    with pytest.raises(RemoteProtocolError, match="octets in one block transfer"):
        client.response(GetResponseWithDatablock(1, False, number + 1, b"x"))


ABORTED = ActionResponseNormal(1, ActionResponse(ActionResult.LONG_ACTION_ABORTED))
NONE_IN_PROGRESS = ActionResponseNormal(1, ActionResponse(ActionResult.NO_LONG_ACTION_IN_PROGRESS))


@pytest.mark.parametrize(
    ("requests", "last"),
    [
        # A long action that never began, and blocks that nobody has for it.
        ([ActionRequestWithPblock(1, True, 2, b"x")], NONE_IN_PROGRESS),
        ([ActionRequestNextPblock(1, 1)], NONE_IN_PROGRESS),
        # Parts that are not the next, make no value, or make more than one.
        (
            [
                ActionRequestWithFirstPblock(1, METHOD, False, 1, b"\x09"),
                ActionRequestWithPblock(1, True, 3, b"\x00"),
            ],
            ABORTED,
        ),
        ([ActionRequestWithFirstPblock(1, METHOD, True, 1, b"\x09\x05x")], ABORTED),
        ([ActionRequestWithFirstPblock(1, METHOD, True, 1, b"\x00\x00")], ABORTED),
        ([ActionRequestWithListAndFirstPblock(1, (METHOD,), True, 1, b"\x05\x00")], ABORTED),
        ([ActionRequestWithListAndFirstPblock(1, (METHOD,), True, 1, b"\x01\x00\x00")], ABORTED),
        (
            [SetRequestWithFirstDatablock(1, ATTRIBUTE, None, False, 1, b"\x09"),
             SetRequestWithDatablock(1, True, 3, b"\x00")],
            SetResponseLastDatablock(1, DataAccessResult.DATA_BLOCK_NUMBER_INVALID, 3),
        ),
        # A long set is no long action.
        (
            [SetRequestWithFirstDatablock(1, ATTRIBUTE, None, False, 1, b"\x09"),
             ActionRequestWithPblock(1, True, 2, b"\x00")],
            NONE_IN_PROGRESS,
        ),
        (
            [ActionRequestWithFirstPblock(1, METHOD, False, 1, b"\x09"),
             SetRequestWithDatablock(1, True, 2, b"\x00")],
            SetResponseLastDatablock(1, DataAccessResult.NO_LONG_SET_IN_PROGRESS, 2),
        ),
    ],
)  # fmt: skip
def test_a_long_request_that_comes_to_nothing_is_told(requests: list[APDU], last: APDU) -> None:
    server = ServerBlocks()
    for request in requests:
        whole, answer = server.request(request)
        assert whole is None
    assert answer == last
    # And is forgotten: the next request begins anew.
    assert server.request(GetRequestNormal(2, ATTRIBUTE)) == (GetRequestNormal(2, ATTRIBUTE), None)


def test_a_block_that_nobody_asked_for_ends_a_long_answer() -> None:
    server = ServerBlocks()
    server.request(ActionRequestNormal(1, METHOD, None))
    response = ActionResponseNormal(1, ActionResponse(0, value(200)))
    assert isinstance(server.response(response, 64), ActionResponseWithPblock)
    assert server.request(ActionRequestNextPblock(1, 5)) == (None, NONE_IN_PROGRESS)
    assert server.request(ActionRequestNextPblock(1, 1)) == (None, NONE_IN_PROGRESS)
    server.request(GetRequestNormal(1, ATTRIBUTE))
    server.response(GetResponseNormal(1, value(200)), 64)
    assert server.request(ActionRequestNextPblock(1, 1)) == (None, NONE_IN_PROGRESS)


def test_whether_an_answer_is_due() -> None:
    client = ClientBlocks()
    assert not client.is_due
    client.request(GetRequestNormal(1, ATTRIBUTE), 64)
    assert client.is_due
    client.response(GetResponseWithDatablock(1, False, 1, b"\x11"))
    assert client.is_due
    client.response(GetResponseWithDatablock(1, True, 2, b"\x05"))
    assert not client.is_due
