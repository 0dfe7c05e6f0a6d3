"""What a client does when a meter answers in its own way: refuses, interrupts, is late, hangs up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionRequestNormal,
    ActionResponse,
    ActionResponseNormal,
    AttributeDescriptor,
    ConfirmedServiceError,
    Conformance,
    DataAccessResult,
    DataNotification,
    EventNotificationRequest,
    ExceptionResponse,
    GeneralGloCiphering,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
    MethodDescriptor,
    SelectedAttribute,
    SetResponseNormal,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.framing import WrapperCarrier
from polymeter.protocols.dlms.hdlc import LLC_RESPONSE, Address, Frame, encode_frame
from polymeter.protocols.dlms.procedures import (
    CounterBehind,
    Timing,
    action,
    get,
    get_with_list,
    refusal_text,
    set_attribute,
)
from polymeter.protocols.dlms.security import protect
from polymeter.protocols.dlms.wrapper import Wrapper, decode_wrapper, encode_wrapper
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import AccessDenied, RemoteProtocolError, TimedOut, TransportError
from polymeter.transports.simulated import run_simulated

from . import conversations as c

ONE = AttributeDescriptor(3, OBIS(1, 0, 1, 8, 0), 2)
TWO = AttributeDescriptor(3, OBIS(1, 0, 2, 8, 0), 2)
FIVE, SIX = Data.of(Item(Tag.UNSIGNED, 5)), Data.of(Item(Tag.UNSIGNED, 6))
PUSH = DataNotification(1, b"", FIVE)
EVENT = EventNotificationRequest(None, ONE, FIVE)
NOT_POSSIBLE = ExceptionResponse(1, 1)
Answer = Callable[[Any], list[APDU]]


def client(conformance: Conformance = Conformance.GET | Conformance.MULTIPLE_REFERENCES) -> Connection:
    connection = Connection("client", WrapperCarrier("client", 16, 1), associated=True)
    connection.conformance = conformance
    return connection


def meter(answer: Answer) -> Procedure[None]:
    """A meter that says to each request what `answer` gives."""
    while data := (yield Receive(1e6)):
        for apdu in answer(decode_apdu(decode_wrapper(data).data)):
            yield Send(encode_wrapper(Wrapper(1, 16, encode_apdu(apdu))))


def talk(procedure: Procedure[Any], answer: Answer) -> Any:
    return run_simulated(procedure, meter(answer)).result


def test_a_refusal_of_one_attribute_is_its_value() -> None:
    refused = lambda request: [GetResponseNormal(request.invoke, DataAccessResult.OBJECT_UNDEFINED)]  # noqa: E731
    assert talk(get(client(), ONE), refused) == DataAccessResult.OBJECT_UNDEFINED
    written = lambda request: [SetResponseNormal(request.invoke, DataAccessResult.TYPE_UNMATCHED)]  # noqa: E731
    assert talk(set_attribute(client(), ONE, FIVE), written) == DataAccessResult.TYPE_UNMATCHED
    acted = lambda request: [ActionResponseNormal(request.invoke, ActionResponse(250))]  # noqa: E731
    assert talk(action(client(), MethodDescriptor(3, ONE.instance, 1)), acted) == ActionResponse(250)
    assert refusal_text(DataAccessResult.OBJECT_UNDEFINED) == "object undefined"
    assert refusal_text(77) == "result 77"


@pytest.mark.parametrize(
    ("refusal", "error", "words"),
    [
        (ExceptionResponse(1, 2), RemoteProtocolError, "service not allowed, service not supported"),
        (ExceptionResponse(2, 3), RemoteProtocolError, "service unknown, other reason"),
        (ExceptionResponse(9, 9), RemoteProtocolError, "9, 9"),
        (ExceptionResponse(1, 5), AccessDenied, "cannot open what we send"),
        (ExceptionResponse(1, 6, 77), CounterBehind, "it expects 77 or more"),
        (ExceptionResponse(1, 6), CounterBehind, "seen our invocation counter before"),
        (ConfirmedServiceError(5, 0, 6), AccessDenied, "cannot open what we send"),
        (ConfirmedServiceError(5, 5, 3), RemoteProtocolError, "read refused: access, hardware fault"),
    ],
)
def test_a_refusal_of_the_whole_request_is_an_error_of_who_must_act(
    refusal: APDU, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        talk(get(client(), ONE), lambda _: [refusal])


def test_what_a_meter_says_unasked_does_not_disturb_the_answer() -> None:
    connection = client()
    answer = lambda request: [PUSH, EVENT, GetResponseNormal(request.invoke, SIX), PUSH]  # noqa: E731
    assert talk(get(connection, ONE), answer) == SIX
    assert list(connection.notifications)[:2] == [PUSH, EVENT]


def test_a_push_between_two_blocks_does_not_disturb_them() -> None:
    connection = client()
    long = Data.of(octet_string(bytes(range(90))))

    def answer(request: Any) -> list[APDU]:
        number = getattr(request, "block_number", 0)
        block = long.encoded[number * 30 : number * 30 + 30]
        return [PUSH, GetResponseWithDatablock(request.invoke, number == 3, number + 1, block)]

    assert talk(get(connection, ONE), answer) == long
    assert len(connection.notifications) == 4


def test_a_late_answer_to_an_earlier_request_is_not_taken_for_this_one() -> None:
    connection = client()
    late: list[APDU] = []

    def answer(request: Any) -> list[APDU]:
        said = [*late, GetResponseNormal(request.invoke, SIX)]
        late[:] = [GetResponseNormal(request.invoke, FIVE)]
        return said

    def conversation() -> Procedure[list[object]]:
        results: list[object] = []
        while len(results) < 20:  # more than there are invoke ids
            results += [(yield from get(connection, ONE))]
        return results

    assert talk(conversation(), answer) == [SIX] * 20


def test_one_object_that_cannot_be_served_takes_no_other_with_it() -> None:
    """Some meters answer an exception where the standard has a result for the attribute."""

    def answer(request: Any) -> list[APDU]:
        if isinstance(request, GetRequestWithList):
            return [NOT_POSSIBLE]
        return [NOT_POSSIBLE if request.attribute == TWO else GetResponseNormal(request.invoke, FIVE)]

    for conformance in (Conformance.GET, Conformance.GET | Conformance.MULTIPLE_REFERENCES):
        results = talk(get_with_list(client(conformance), [ONE, TWO, ONE]), answer)
        assert results == [FIVE, DataAccessResult.OTHER_REASON, FIVE]


def test_a_key_that_does_not_fit_ends_a_list_all_the_same() -> None:
    with pytest.raises(AccessDenied):
        talk(get_with_list(client(), [ONE, TWO]), lambda _: [ExceptionResponse(1, 5)])


def test_lists_are_as_long_as_the_meter_takes() -> None:
    connection = client()
    connection.peer_apdu_max = 60
    asked: list[int] = []

    def answer(request: Any) -> list[APDU]:
        count = len(request.attributes) if isinstance(request, GetRequestWithList) else 1
        asked.append(count)
        if isinstance(request, GetRequestNormal):
            return [GetResponseNormal(request.invoke, FIVE)]
        assert len(encode_apdu(request)) <= 60
        return [GetResponseWithList(request.invoke, (FIVE,) * count)]

    wanted = [SelectedAttribute(ONE)] * 13
    assert talk(get_with_list(connection, wanted), answer) == [FIVE] * 13
    assert max(asked) > 1
    assert sum(asked) == 13


@pytest.mark.parametrize(
    "wrong",
    [
        lambda request: [SetResponseNormal(request.invoke, 0)],
        lambda request: [GetResponseWithList(request.invoke, (FIVE, SIX, FIVE))],
    ],
)
def test_an_answer_of_another_kind_is_an_error(wrong: Answer) -> None:
    with pytest.raises(RemoteProtocolError, match="no answer to what was asked"):
        talk(get(client(), ONE), wrong)
    with pytest.raises(RemoteProtocolError):
        talk(set_attribute(client(), ONE, FIVE), lambda request: [GetResponseNormal(request.invoke, FIVE)])


def test_a_meter_that_gives_up_a_long_value_refuses_the_attribute() -> None:
    def answer(request: Any) -> list[APDU]:
        if isinstance(request, GetRequestNext):
            aborted = DataAccessResult.LONG_GET_ABORTED
            return [GetResponseWithDatablock(request.invoke, True, request.block_number, aborted)]
        return [GetResponseWithDatablock(request.invoke, False, 1, b"\x09\x7f")]

    connection = client()

    def conversation() -> Procedure[list[object]]:
        return [(yield from get(connection, ONE)), (yield from get(connection, ONE))]

    assert talk(conversation(), answer) == [DataAccessResult.LONG_GET_ABORTED] * 2


def test_silence_over_tcp_is_final_and_the_next_request_is_heard() -> None:
    connection = client()
    silent = [True]

    def answer(request: Any) -> list[APDU]:
        return [] if silent.pop() else [GetResponseNormal(request.invoke, FIVE)]

    def conversation() -> Procedure[object]:
        with pytest.raises(TimedOut):
            yield from get(connection, ONE, None, Timing(2.0))
        silent.append(False)
        return (yield from get(connection, ONE))

    run = run_simulated(conversation(), meter(answer))
    assert run.result == FIVE
    assert run.seconds == pytest.approx(2.0)


def test_a_meter_that_closes_the_line_in_the_middle_is_told() -> None:
    def hangs_up() -> Procedure[None]:
        yield Receive(10.0)
        block = GetResponseWithDatablock(0xC1, False, 1, b"\x09\x7f")
        yield Send(encode_wrapper(Wrapper(1, 16, encode_apdu(block))))
        yield Receive(10.0)

    with pytest.raises(TransportError, match="closed"):
        run_simulated(get(client(), ONE), hangs_up())


def ciphered_client() -> Connection:
    connection = c.client_connection("wrapper", 6)
    connection.state, connection.ciphered = "associated", True
    return connection


def test_a_message_of_another_meter_does_not_disturb_a_ciphered_answer() -> None:
    """A push under a title that is not the peer's: it cannot be the answer, so the answer is waited for."""
    connection = ciphered_client()
    assert connection.security is not None
    connection.security.learn_title(c.METER_TITLE)

    def meter() -> Procedure[None]:
        yield Receive(10.0)
        for counter, title in ((1, b"PMX\0\0\0\0\2"), (2, c.METER_TITLE)):
            plain = encode_apdu(GetResponseNormal(0xC1, FIVE if title == c.METER_TITLE else SIX))
            sealed = GeneralGloCiphering(title, protect(plain, 0x30, c.KEYS, title, counter))
            yield Send(encode_wrapper(Wrapper(1, 6, encode_apdu(sealed))))

    assert run_simulated(get(connection, ONE), meter()).result == FIVE
    assert "expected is PMX 0000000001" in str(connection.unopened[0])


def test_an_unnumbered_frame_that_cannot_be_opened_does_not_disturb_the_answer() -> None:
    connection = c.client_connection("hdlc", 7)

    def interrupted(real: Procedure[None]) -> Procedure[None]:
        """A meter's end that pushes something ciphered, and rubbish, before each answer."""
        outcome: Any = None
        while True:
            try:
                step = real.send(outcome) if outcome is not None else next(real)
            except StopIteration:
                return
            if isinstance(step, Send):
                sealed = encode_apdu(GeneralGloCiphering(c.METER_TITLE, b"\x30" + bytes(40)))
                for information in (sealed, b"\xff\xff"):
                    frame = Frame("UI", Address(7), Address(1, 17, 4), LLC_RESPONSE + information, False)
                    yield Send(encode_frame(frame))
            outcome = yield step

    def conversation(connection: Connection) -> Procedure[object]:
        return (yield from get(connection, AttributeDescriptor(1, OBIS(0, 0, 96, 1, 0), 2)))

    reader = c.within(connection, c.proposal_for(c.BY_SAP[7]), conversation)
    result = run_simulated(reader, interrupted(c.serving(c.meter()))).result
    assert isinstance(result, Data)
    assert result.value == b"00000001"
    assert len(connection.unopened) >= 4


def test_a_link_that_was_lost_can_be_opened_again() -> None:
    """The same connection associates again; counters go on where they were."""
    connection = c.client_connection("hdlc", 5)
    name = AttributeDescriptor(1, OBIS(0, 0, 96, 1, 0), 2)
    served = c.meter()

    def restarting(real: Procedure[None]) -> Procedure[None]:
        outcome: Any = None
        for _ in range(10):
            outcome = yield (real.send(outcome) if outcome is not None else next(real))
        yield from c.serving(served)

    def conversation() -> Procedure[object]:
        results: list[object] = []
        while len(results) < 3:
            try:
                if connection.state != "associated":
                    yield from c.associate(connection, c.proposal_for(c.BY_SAP[5]))
                results.append((yield from get(connection, name)))
            except TransportError as error:
                results.append(type(error))
        return results

    results = run_simulated(conversation(), restarting(c.serving(served))).result
    assert TransportError in results
    assert sum(isinstance(result, Data) for result in results) == 2


def test_an_unconfirmed_request_is_sent_as_it_is() -> None:
    heard: list[APDU] = []

    def listening(request: Any) -> list[APDU]:
        heard.append(request)
        return [ActionResponseNormal(request.invoke, ActionResponse(0))]

    talk(action(client(), MethodDescriptor(70, ONE.instance, 1), Item(Tag.INTEGER, 0)), listening)
    (request,) = heard
    assert isinstance(request, ActionRequestNormal)
    assert request.invoke & 0x40


def test_a_list_of_one_may_be_answered_as_a_list() -> None:
    assert talk(get(client(), ONE), lambda request: [GetResponseWithList(request.invoke, (FIVE,))]) == FIVE


def test_a_meter_that_answers_a_list_with_one_refusal_is_asked_one_by_one() -> None:
    def answer(request: Any) -> list[APDU]:
        refused = isinstance(request, GetRequestWithList)
        return [GetResponseNormal(request.invoke, DataAccessResult.OTHER_REASON if refused else SIX)]

    assert talk(get_with_list(client(), [ONE, TWO]), answer) == [SIX, SIX]


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_that_is_answered_with_another_number_of_values_is_an_error(count: int) -> None:
    answer = lambda request: [GetResponseWithList(request.invoke, (FIVE,) * count)]  # noqa: E731
    with pytest.raises(RemoteProtocolError, match="no answer to what was asked"):
        talk(get_with_list(client(), [ONE, TWO]), answer)


def test_a_list_of_nothing_asks_nothing() -> None:
    def answer(request: Any) -> list[APDU]:
        raise AssertionError(request)

    assert talk(get_with_list(client(), []), answer) == []


def test_an_attribute_that_ends_the_association_ends_the_list() -> None:
    """Without one, the next attribute could not be asked for anyhow."""
    connection = client(Conformance.GET)

    def answer(request: Any) -> list[APDU]:
        connection.state = "no association"
        return [NOT_POSSIBLE]

    with pytest.raises(RemoteProtocolError, match="not possible"):
        talk(get_with_list(connection, [ONE, TWO]), answer)


def test_an_action_that_is_answered_as_something_else_is_an_error() -> None:
    wrong = lambda request: [SetResponseNormal(request.invoke, 0)]  # noqa: E731
    with pytest.raises(RemoteProtocolError, match="no answer to what was asked"):
        talk(action(client(), MethodDescriptor(3, ONE.instance, 1)), wrong)


@pytest.mark.parametrize("repeats", [0, 2])
def test_over_datagrams_silence_and_damage_are_answered_by_asking_again(repeats: int) -> None:
    connection = c.client_connection("wrapper", 16, datagrams=True)
    connection.state = "associated"
    heard: list[APDU] = []

    def meter() -> Procedure[None]:
        """Silent at first, then damaged, then right."""
        for said in (b"", b"\xc4\xff\xff", b"right"):
            request = decode_apdu(decode_wrapper((yield Receive(60.0))).data)
            heard.append(request)
            if said == b"right":
                said = encode_apdu(GetResponseNormal(request.invoke, FIVE))  # type: ignore[attr-defined]
            if said:
                yield Send(encode_wrapper(Wrapper(1, 16, said)))

    conversation = get(connection, ONE, None, Timing(1.0, repeats))
    if repeats:
        assert run_simulated(conversation, meter()).result == FIVE
        assert len(heard) == 3
        assert len(set(heard)) == 1
    else:
        with pytest.raises(TimedOut):
            run_simulated(conversation, meter())
        assert len(heard) == 1
