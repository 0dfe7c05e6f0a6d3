"""A meter's side of an association: whom it lets in, how it refuses, what it tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from polymeter.protocols.dlms import authentication
from polymeter.protocols.dlms.acse import AARE, AARQ, RLRE, RLRQ, Context, Mechanism, Result
from polymeter.protocols.dlms.apdus import (
    ActionRequestNormal,
    ActionResponseNormal,
    ActionResult,
    AttributeDescriptor,
    ConfirmedServiceError,
    Conformance,
    DataAccessResult,
    DataNotification,
    ExceptionResponse,
    GetRequestNormal,
    GetResponseNormal,
    InitiateRequest,
    InitiateResponse,
    MethodDescriptor,
    NegotiatedConformance,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.authentication import Exchange
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, octet_string, plain
from polymeter.protocols.dlms.hdlc import Parameters
from polymeter.protocols.dlms.hdlc_link import LinkDown, LinkUp
from polymeter.protocols.dlms.meter import CONFORMANCE, Client, Meter, Session
from polymeter.protocols.dlms.objects import Level
from polymeter.protocols.dlms.services import CURRENT_ASSOCIATION
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import LocalProtocolError

from . import conversations as c

NAME = AttributeDescriptor(1, OBIS(0, 0, 42, 0, 0), 2)
GET = GetRequestNormal(0xC1, NAME)
PROVE = MethodDescriptor(15, CURRENT_ASSOCIATION, 1)
CHALLENGE = b"C" * 16


def initiate(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "dedicated_key": None,
        "response_allowed": None,
        "quality_of_service": None,
        "dlms_version": 6,
        "conformance": CONFORMANCE,
        "max_receive_pdu_size": 500,
    }
    return encode_apdu(InitiateRequest(**{**fields, **changes}))


def aarq(sap: int, **changes: Any) -> AARQ:
    """What the client of this address has to say to be let in, or something else."""
    client = c.BY_SAP[sap]
    value = {Mechanism.NONE: None, Mechanism.LLS: client.secret}.get(client.mechanism, CHALLENGE)
    fields: dict[str, Any] = {
        "context": Context.LN_CIPHERED if client.ciphered else Context.LN,
        "mechanism": client.mechanism,
        "value": value,
        "title": c.CLIENT_TITLE,
        "information": initiate(),
    }
    fields.update(changes)
    return AARQ.of(*fields.values())


def session(sap: int, the_meter: Meter | None = None) -> Session:
    return (the_meter or c.meter()).session(sap)


def opened(sap: int) -> Session:
    """A session whose association stands, with proof where it is asked for."""
    made = session(sap)
    client = c.BY_SAP[sap]
    answer = made.answer(aarq(sap))
    assert isinstance(answer, AARE)
    if client.mechanism > Mechanism.LLS:
        assert made.answer(proof(sap, answer)).response.result == ActionResult.SUCCESS  # type: ignore[union-attr]
    return made


def proof(sap: int, aare: AARE, secret: bytes | None = None) -> ActionRequestNormal:
    client = c.BY_SAP[sap]
    exchange = Exchange(aare.authentication_value or b"", CHALLENGE, c.CLIENT_TITLE, aare.ap_title or b"")
    given = authentication.answer(client.mechanism, exchange, secret or client.secret, c.KEYS, 1)
    return ActionRequestNormal(0xC1, PROVE, Data.of(octet_string(given)))


def test_an_association_grants_what_both_can_do() -> None:
    proposed = Conformance.GET | Conformance.ACCESS
    answer = session(16).answer(aarq(16, information=initiate(conformance=proposed)))
    assert isinstance(answer, AARE)
    assert answer.refusal is None
    granted = decode_apdu(answer.user_information or b"")
    assert isinstance(granted, InitiateResponse)
    assert (granted.conformance, granted.max_receive_pdu_size) == (Conformance.GET, 1024)
    old = initiate(conformance=NegotiatedConformance(proposed))
    answer = session(16).answer(aarq(16, information=old))
    assert isinstance(answer, AARE)
    assert answer.refusal is None


@pytest.mark.parametrize(
    ("sap", "changes", "diagnostic"),
    [
        (99, {}, 1),
        (16, {"context": Context.LN_CIPHERED}, 2),
        (16, {"context": Context.SN}, 2),
        (6, {"context": Context.LN}, 2),
        (8, {"title": b"PMC\0\0\0\0\1"}, 3),
        (8, {"title": None}, 3),
        (1, {"mechanism": Mechanism.NONE, "value": None}, 12),
        (1, {"mechanism": Mechanism.HLS_MD5}, 11),
        (2, {"mechanism": Mechanism.LLS}, 11),
        (1, {"value": b"wrong"}, 13),
        (1, {"value": None}, 13),
        (16, {"information": None}, 1),
        (16, {"information": b"\xff"}, 1),
        (16, {"information": encode_apdu(GET)}, 1),
    ],
)
def test_whom_it_does_not_let_in_it_tells_why(sap: int, changes: dict[str, Any], diagnostic: int) -> None:
    made = session(sap)
    answer = made.answer(aarq(sap if sap in c.BY_SAP else 16, **changes))
    assert isinstance(answer, AARE)
    assert (answer.result, answer.diagnostic) == (Result.REJECTED_PERMANENT, diagnostic)
    assert answer.authentication_value is None
    assert isinstance(made.answer(GET), ExceptionResponse)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"dlms_version": 5}, 1),
        ({"conformance": Conformance.READ}, 2),
        ({"max_receive_pdu_size": 11}, 3),
        ({"max_receive_pdu_size": 0}, None),
        ({"max_receive_pdu_size": 12}, None),
    ],
)
def test_what_is_proposed_and_cannot_be_done_is_named(changes: dict[str, Any], code: int | None) -> None:
    answer = session(16).answer(aarq(16, information=initiate(**changes)))
    assert isinstance(answer, AARE)
    if code is None:
        assert answer.refusal is None
    else:
        assert answer.result == Result.REJECTED_PERMANENT
        assert decode_apdu(answer.user_information or b"") == ConfirmedServiceError(1, 6, code)


@pytest.mark.parametrize("sap", [2, 3, 4, 5])
def test_before_the_proof_nothing_is_served_and_a_wrong_one_ends_the_attempt(sap: int) -> None:
    made = session(sap)
    aare = made.answer(aarq(sap))
    assert isinstance(aare, AARE)
    assert aare.diagnostic == 14
    assert len(aare.authentication_value or b"") == 16
    wrong = ActionRequestNormal(0xC1, PROVE, Data.of(octet_string(bytes(17))))
    refused = made.answer(wrong)
    assert isinstance(refused, ActionResponseNormal)
    assert refused.response.result == ActionResult.READ_WRITE_DENIED
    for later in (proof(sap, aare), GET):  # the challenge is gone: it cannot be tried again
        assert isinstance(made.answer(later), ExceptionResponse)
    aare = made.answer(aarq(sap))
    assert isinstance(aare, AARE)
    assert isinstance(made.answer(GET), ExceptionResponse)
    assert isinstance(made.answer(proof(sap, aare)), ExceptionResponse)


@pytest.mark.parametrize("parameters", [None, Data.of(Item(Tag.UNSIGNED, 1)), Data.of(Item(Tag.NULL_DATA))])
def test_a_proof_that_is_none_is_refused(parameters: Data | None) -> None:
    made = session(2)
    made.answer(aarq(2))
    refused = made.answer(ActionRequestNormal(0xC1, PROVE, parameters))
    assert isinstance(refused, ActionResponseNormal)
    assert refused.response.result == ActionResult.READ_WRITE_DENIED


@pytest.mark.parametrize("sap", [2, 3, 4, 5])
def test_the_meter_proves_itself_with_a_challenge_of_its_own_each_time(sap: int) -> None:
    client = c.BY_SAP[sap]
    made = session(sap)
    challenges = set()
    for _ in range(3):
        aare = made.answer(aarq(sap))
        assert isinstance(aare, AARE)
        challenges.add(aare.authentication_value)
        answer = made.answer(proof(sap, aare))
        assert isinstance(answer, ActionResponseNormal)
        assert isinstance(answer.response.returned, Data)
        exchange = Exchange(aare.authentication_value or b"", CHALLENGE, c.CLIENT_TITLE, aare.ap_title or b"")
        given = answer.response.returned.value
        assert authentication.verify(client.mechanism, exchange, given, client.secret, c.KEYS)
    assert len(challenges) == 3


@pytest.mark.parametrize("end", [LinkUp(Parameters()), LinkDown("gone"), RLRQ(), "AARQ"])
def test_an_association_ends_with_the_link_a_release_or_another_attempt(end: Any) -> None:
    made = opened(1)
    assert isinstance(made.answer(GET), GetResponseNormal)
    answer = made.answer(aarq(1, value=b"wrong") if end == "AARQ" else end)
    assert isinstance(answer, AARE | RLRE | None)
    assert isinstance(made.answer(GET), ExceptionResponse)


def test_a_release_tells_what_was_agreed_if_it_is_asked() -> None:
    answer = opened(1).answer(RLRQ(user_information=initiate()))
    assert isinstance(answer, RLRE)
    assert isinstance(decode_apdu(answer.user_information or b""), InitiateResponse)
    assert opened(1).answer(RLRQ()) == RLRE()


def test_what_a_client_cannot_say_is_passed_over() -> None:
    made = opened(16)
    assert made.answer(RLRE()) is None
    notification = DataNotification(1, b"", Data.of(Item(Tag.UNSIGNED, 1)))
    assert isinstance(made.answer(notification), ExceptionResponse)


def get(made: Session, class_id: int, name: OBIS, attribute: int) -> Any:
    answer = made.answer(GetRequestNormal(0xC1, AttributeDescriptor(class_id, name, attribute)))
    assert isinstance(answer, GetResponseNormal)
    return plain(answer.result.item()) if isinstance(answer.result, Data) else answer.result


@pytest.mark.parametrize("sap", [16, 1, 4, 5, 6])
def test_the_association_tells_of_itself(sap: int) -> None:
    client = c.BY_SAP[sap]
    made = opened(sap)
    number = 1 + list(c.BY_SAP).index(sap)
    for name in (CURRENT_ASSOCIATION, OBIS(0, 0, 40, 0, number)):
        assert get(made, 15, name, 3) == [sap, 1]
        context = Context.LN_CIPHERED if client.ciphered else Context.LN
        assert get(made, 15, name, 4) == [2, 16, 756, 5, 8, 1, context]
        assert get(made, 15, name, 5)[1:4] == [1024, 500, 6]
        assert get(made, 15, name, 6) == [2, 16, 756, 5, 8, 2, client.mechanism]
        assert get(made, 15, name, 7) == DataAccessResult.OBJECT_UNDEFINED  # the secret is not told
        assert get(made, 15, name, 8) == 2
    listed = get(made, 15, CURRENT_ASSOCIATION, 2)
    assert bytes(NAME.instance) in [entry[2] for entry in listed]
    assert (bytes(c.ENERGY) in [entry[2] for entry in listed]) == (client.level > Level.PUBLIC)


def test_a_meter_with_keys_shows_how_it_protects_and_no_key() -> None:
    made = opened(1)
    setup = OBIS(0, 0, 43, 0, 0)
    assert [get(made, 64, setup, number) for number in (2, 3, 5)] == [3, 0, c.METER_TITLE]
    assert get(made, 15, CURRENT_ASSOCIATION, 9) == bytes(setup)
    for number in range(1, 12):
        shown = repr(get(made, 64, setup, number))
        assert repr(c.KEYS.encryption)[2:-1] not in shown
    plain_meter = c.meter([Client(16)], keys=None)
    made = session(16, plain_meter)
    made.answer(aarq(16))
    assert get(made, 64, setup, 2) == DataAccessResult.OBJECT_UNDEFINED


def test_clients_do_not_share_what_they_have_agreed() -> None:
    the_meter = c.meter()
    one, other = session(1, the_meter), session(7, the_meter)
    one.answer(aarq(1))
    assert isinstance(other.answer(GET), ExceptionResponse)
    other.answer(aarq(7, information=initiate(max_receive_pdu_size=300)))
    assert get(one, 15, CURRENT_ASSOCIATION, 5)[2] == 500
    assert get(other, 15, CURRENT_ASSOCIATION, 5)[2] == 300


@pytest.mark.parametrize("client", [Client(1, ciphered=True), Client(1, mechanism=Mechanism.HLS_GMAC)])
def test_a_meter_without_keys_offers_nothing_that_needs_them(client: Client) -> None:
    with pytest.raises(LocalProtocolError, match="needs keys"):
        c.meter([client], keys=None)
    assert "12345678" not in repr(c.BY_SAP[1])
