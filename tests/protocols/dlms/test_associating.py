"""Associations of every kind, over every framing, and every way in which they fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from polymeter.protocols.dlms import authentication
from polymeter.protocols.dlms.acse import AARE, AARQ, RLRE, Context, Mechanism, Result
from polymeter.protocols.dlms.apdus import (
    ActionRequestNormal,
    ActionResponse,
    ActionResponseNormal,
    ActionResult,
    AttributeDescriptor,
    ConfirmedServiceError,
    Conformance,
    ExceptionResponse,
    GetResponseNormal,
    InitiateResponse,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.associating import Proposal, associate, release
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.counters import MemoryCounters
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.framing import Framing, WrapperCarrier
from polymeter.protocols.dlms.hdlc import Address, Frame, encode_frame
from polymeter.protocols.dlms.meter import Client
from polymeter.protocols.dlms.objects import Level
from polymeter.protocols.dlms.procedures import Timing, get, set_attribute
from polymeter.protocols.dlms.security import AUTHENTICATED, ENCRYPTED, Keys
from polymeter.protocols.dlms.wrapper import Wrapper, decode_wrapper, encode_wrapper
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)
from polymeter.transports.simulated import run_simulated

from . import conversations as c

NAME = AttributeDescriptor(1, OBIS(0, 0, 42, 0, 0), 2)
EVERY_FRAMING = pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
OTHER = bytes(16)


def read_name(connection: Connection) -> Procedure[object]:
    result = yield from get(connection, NAME)
    return getattr(result, "value", result)


def attempt(framing: Framing, sap: int, served: Any = None, proposal: Any = None, **options: Any) -> object:
    """Associate and read the name, with options that may be wrong."""
    connection = c.client_connection(framing, sap, **options)
    changes = proposal or {}
    reader = c.within(connection, c.proposal_for(c.BY_SAP[sap], **changes), read_name)
    return run_simulated(reader, c.serving(served or c.meter())).result


@EVERY_FRAMING
@pytest.mark.parametrize("sap", sorted(c.BY_SAP))
def test_every_kind_of_association_reads_the_logical_device_name(framing: Framing, sap: int) -> None:
    assert attempt(framing, sap) == b"PMX0000000000001"


@EVERY_FRAMING
@pytest.mark.parametrize(
    "options",
    [
        {"general": True},
        {"dedicated_key": bytes(range(32, 48))},
        {"dedicated_key": bytes(range(32, 48)), "general": True},
    ],
)
def test_general_and_dedicated_ciphering(framing: Framing, options: dict[str, Any]) -> None:
    assert attempt(framing, 5, **options) == b"PMX0000000000001"


@pytest.mark.parametrize("control", [AUTHENTICATED, ENCRYPTED, AUTHENTICATED | ENCRYPTED])
def test_every_kind_of_protection(control: int) -> None:
    assert attempt("wrapper", 6, c.meter(control=control), control=control) == b"PMX0000000000001"


def test_less_protection_than_demanded_is_refused() -> None:
    with pytest.raises(AccessDenied, match="cannot open"):
        attempt("wrapper", 6, c.meter(), control=ENCRYPTED)


@EVERY_FRAMING
def test_a_wrong_password_has_its_own_error(framing: Framing) -> None:
    with pytest.raises(AccessDenied, match="the password is wrong"):
        attempt(framing, 1, proposal={"secret": b"87654321"})


@EVERY_FRAMING
@pytest.mark.parametrize("sap", [2, 3, 4])
def test_a_wrong_secret_has_its_own_error(framing: Framing, sap: int) -> None:
    with pytest.raises(AccessDenied, match="does not accept our proof"):
        attempt(framing, sap, proposal={"secret": b"another"})


def test_a_meter_that_does_not_know_the_secret_is_found_out() -> None:
    impostor = c.meter()

    real = authentication.verify
    calls = []

    def verify(*arguments: Any) -> bool:
        """Accept any proof of the client; the client checks in earnest."""
        calls.append(arguments)
        return True if len(calls) == 1 else real(*arguments)

    impostor.clients[2] = Client(2, Level.READING, Mechanism.HLS_MD5, b"guessed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authentication, "verify", verify)
        with pytest.raises(AccessDenied, match="it does not know the secret"):
            attempt("wrapper", 2, impostor)


def asking_for_proof(mechanism: Mechanism, challenge: bytes | None, answers: list[bytes]) -> Procedure[None]:
    """A meter that wants proof, and returns what it was given as its own."""
    response = encode_apdu(InitiateResponse(None, 6, Conformance.GET, 500, 7))
    yield Receive(60.0)
    aare = AARE.of(Context.LN, mechanism, challenge, None, response, diagnostic=14)
    yield Send(encode_wrapper(Wrapper(1, 2, bytes(aare))))
    while data := (yield Receive(60.0)):
        request = decode_apdu(decode_wrapper(data).data)
        assert isinstance(request, ActionRequestNormal)
        answers.append(bytes(data))
        proof = ActionResponse(ActionResult.SUCCESS, request.parameters)
        yield Send(encode_wrapper(Wrapper(1, 2, bytes(ActionResponseNormal(request.invoke, proof)))))


@pytest.mark.parametrize(
    ("challenge", "words"), [(b"C" * 16, "our own challenge"), (None, "no challenge"), (b"", "no challenge")]
)
@pytest.mark.parametrize("mechanism", [Mechanism.HLS_MD5, Mechanism.HLS_SHA1])
def test_a_meter_that_asks_back_what_it_was_asked_gets_no_proof(
    mechanism: Mechanism, challenge: bytes | None, words: str
) -> None:
    """It would prove itself with our own answer (IEC 62056-5-3: the client shall reject its challenge)."""
    proved: list[bytes] = []
    proposal = Proposal(mechanism, c.SECRET, b"C" * 16)
    meter = asking_for_proof(mechanism, challenge, proved)
    with pytest.raises(AccessDenied, match=words):
        run_simulated(associate(c.client_connection("wrapper", 2), proposal), meter)
    assert proved == []


@pytest.mark.parametrize("proposal", [Proposal(), Proposal(Mechanism.LLS, c.PASSWORD)])
def test_a_meter_that_asks_for_a_proof_that_was_not_offered_is_told(proposal: Proposal) -> None:
    meter = asking_for_proof(Mechanism.HLS_SHA1, b"S" * 16, [])
    with pytest.raises(AccessDenied, match=r"asks for the proof of a secret.* HLS_SHA1"):
        run_simulated(associate(c.client_connection("wrapper", 2), proposal), meter)


@EVERY_FRAMING
@pytest.mark.parametrize("sap", [5, 6])
@pytest.mark.parametrize(
    "keys", [Keys(OTHER, c.KEYS.authentication), Keys(c.KEYS.encryption, OTHER), Keys(OTHER, OTHER)]
)
def test_a_wrong_key_has_its_own_error(framing: Framing, sap: int, keys: Keys) -> None:
    with pytest.raises(AccessDenied, match=r"the meter cannot open what we send: its encryption key"):
        attempt(framing, sap, keys=keys)


def test_a_refusal_blames_only_what_took_part() -> None:
    """A deciphering error says nothing of its cause; how we protect narrows it down."""
    wrong = Keys(OTHER, c.KEYS.authentication)
    with pytest.raises(
        AccessDenied, match=r"its encryption key, its authentication key or the system title[^,]*$"
    ):
        attempt("wrapper", 6, keys=wrong)
    only = {"control": ENCRYPTED}
    with pytest.raises(AccessDenied, match=r"its encryption key or the system title.*authenticated as well$"):
        attempt("wrapper", 6, c.meter(**only), keys=wrong, **only)
    only = {"control": AUTHENTICATED}
    with pytest.raises(AccessDenied, match=r"its authentication key or the system title.*encrypted as well$"):
        attempt("wrapper", 6, c.meter(**only), keys=wrong, **only)


@EVERY_FRAMING
def test_a_wrong_authentication_key_is_told_by_itself_where_it_is_used_by_itself(framing: Framing) -> None:
    """Encryption alone lets the AARQ pass, so that the proof (GMAC) shows which key is wrong."""
    only = {"control": ENCRYPTED}
    with pytest.raises(AccessDenied, match="the authentication key is wrong; the encryption key has opened"):
        attempt(framing, 5, c.meter(**only), keys=Keys(c.KEYS.encryption, OTHER), **only)


def test_a_proof_refused_although_both_keys_fit_is_told_as_that() -> None:
    with pytest.raises(AccessDenied, match="verified the AARQ with both keys"):
        attempt("wrapper", 5, proposal={"challenge": b"D" * 16}, served=_changing_challenges())


def _changing_challenges() -> Any:
    """A meter that mistakes what the client sent for another challenge."""
    served = c.meter()
    session = served.session

    def confused(sap: int) -> Any:
        made = session(sap)
        prove = made._prove

        def wrong(parameters: Any) -> Any:
            mechanism, exchange = made._pending
            made._pending = mechanism, exchange._replace(ours=b"another")
            return prove(parameters)

        made._prove = wrong
        return made

    served.session = confused  # type: ignore[method-assign]
    return served


def test_a_meter_that_is_silent_leaves_keys_among_the_causes() -> None:
    absent = c.meter()
    absent.server = 99
    with pytest.raises(TimedOut, match="are the keys right"):
        attempt("wrapper", 6, absent)
    with pytest.raises(TimedOut) as caught:
        attempt("wrapper", 16, absent)
    assert "keys" not in str(caught.value)


@pytest.mark.parametrize("sap", [16, 5])
def test_an_association_says_of_itself_that_it_is_associated(sap: int) -> None:
    status = AttributeDescriptor(15, OBIS(0, 0, 40, 0, 0), 8)

    def conversation(connection: Connection) -> Procedure[object]:
        return (yield from get(connection, status)).value  # type: ignore[union-attr]

    assert c.converse("wrapper", sap, conversation) == 2


def test_a_missing_key_has_its_own_error() -> None:
    connection = Connection("client", c.carrier("wrapper", 6))
    reader = associate(connection, Proposal())
    with pytest.raises(AccessDenied, match="ciphering where we do not"):
        run_simulated(reader, c.serving(c.meter()))


def test_a_system_title_that_the_meter_does_not_know_has_its_own_error() -> None:
    with pytest.raises(AccessDenied, match="does not know our system title"):
        attempt("wrapper", 8, title=b"PMC\0\0\0\0\x0a")


def test_a_wrong_system_title_of_the_meter_has_its_own_error() -> None:
    with pytest.raises(AccessDenied, match=r"system title is PMX 0000000001, expected is PMX 0000000002"):
        attempt("wrapper", 6, peer_title=b"PMX\0\0\0\0\x02")


@EVERY_FRAMING
def test_a_lowered_invocation_counter_has_its_own_error(framing: Framing) -> None:
    """The counter rule survives a restart of either end: what counts is what was stored."""
    stored = MemoryCounters()
    assert attempt(framing, 6, c.meter(counters=stored)) == b"PMX0000000000001"
    restarted = c.meter(counters=MemoryCounters(stored.state))
    with pytest.raises(AccessDenied, match=r"seen our invocation counter before.*expects \d+ or more"):
        attempt(framing, 6, restarted)


def test_stored_counters_of_the_client_let_it_in_again() -> None:
    meters, clients = MemoryCounters(), MemoryCounters()
    for _ in range(3):
        again = c.meter(counters=MemoryCounters(meters.state))
        meters = again.security.counters  # type: ignore[union-attr, assignment]
        clients = MemoryCounters(clients.state)
        assert attempt("wrapper", 5, again, counters=clients) == b"PMX0000000000001"


def test_a_replayed_answer_is_refused_by_the_client() -> None:
    connection = c.client_connection("wrapper", 6)
    recorded: list[bytes] = []

    def replaying(real: Procedure[None]) -> Procedure[None]:
        """A meter's end that says its last answer again instead of a new one."""
        outcome: Any = None
        count = 0
        while True:
            step = real.send(outcome) if outcome is not None else next(real)
            if isinstance(step, Send):
                count += 1
                recorded.append(step.data)
                step = Send(recorded[1]) if count == 3 else step
            outcome = yield step

    def conversation() -> Procedure[object]:
        yield from associate(connection, Proposal())
        yield from get(connection, NAME)
        return (yield from get(connection, NAME))

    with pytest.raises(AccessDenied, match="replayed"):
        run_simulated(conversation(), replaying(c.serving(c.meter())))


@pytest.mark.parametrize(
    ("sap", "mechanism"), [(1, Mechanism.NONE), (16, Mechanism.LLS), (1, Mechanism.HLS_MD5)]
)
def test_another_authentication_than_the_meter_wants_is_told(sap: int, mechanism: Mechanism) -> None:
    with pytest.raises(AccessDenied, match="it wants another authentication"):
        attempt("wrapper", sap, proposal={"mechanism": mechanism, "secret": b"x", "challenge": b"C" * 16})


def test_an_unknown_client_address_is_told() -> None:
    few = c.meter([Client(16, Level.PUBLIC)])
    with pytest.raises(AccessDenied, match="does it know this client address"):
        attempt("wrapper", 1, few)


@EVERY_FRAMING
def test_an_address_without_a_meter_times_out(framing: Framing) -> None:
    absent = c.meter()
    absent.server = 99
    with pytest.raises(TimedOut, match="is there a meter at this address"):
        attempt(framing, 16, absent)


def test_services_before_an_association_are_refused() -> None:
    connection = Connection("client", c.carrier("wrapper", 16), associated=True)
    with pytest.raises(RemoteProtocolError, match="service not allowed"):
        run_simulated(get(connection, NAME), c.serving(c.meter()))


def test_no_common_services_are_told() -> None:
    with pytest.raises(RemoteProtocolError, match="incompatible conformance"):
        attempt("wrapper", 16, proposal={"conformance": Conformance.READ})


def canned(*answers: bytes) -> Procedure[None]:
    """A meter that says these APDUs, whatever it is asked."""
    for answer in answers:
        yield Receive(60.0)
        yield Send(encode_wrapper(Wrapper(1, 16, answer)))


def accepting(conformance: Conformance, **fields: Any) -> bytes:
    response = InitiateResponse(None, 6, conformance, 500, 7)
    return bytes(AARE.of(Context.LN, user_information=encode_apdu(response), **fields))


def test_pitfall_7_an_aare_that_differs_only_in_conformance_is_accepted_with_a_note() -> None:
    """Pitfall 7: a meter may grant what nobody proposed."""
    connection = Connection("client", WrapperCarrier("client", 16, 1))
    association = run_simulated(
        associate(connection), canned(accepting(Conformance.GET | Conformance.READ))
    ).result
    assert "READ" in association.notes[0]
    assert connection.state == "associated"


@pytest.mark.parametrize("information", [b"", b"\x08", b"\xff\xff", b"\x21\x05\x30", b"\x0e\x01"])
@pytest.mark.parametrize("sap", [16, 6])
def test_a_refusal_stands_whatever_the_meter_adds_to_it(sap: int, information: bytes) -> None:
    refusal = AARE.of(
        Context.LN, user_information=information or None, result=Result.REJECTED_PERMANENT, diagnostic=13
    )

    def meter() -> Procedure[None]:
        yield Receive(60.0)
        yield Send(encode_wrapper(Wrapper(1, sap, bytes(refusal))))

    connection = c.client_connection("wrapper", sap)
    with pytest.raises(AccessDenied, match="the password is wrong"):
        run_simulated(associate(connection, Proposal()), meter())
    assert connection.state == "no association"


def test_pitfall_7_an_rlre_with_a_wrong_length_still_releases() -> None:
    """Pitfall 7: RLRE lenient."""
    connection = Connection("client", WrapperCarrier("client", 16, 1))

    def conversation() -> Procedure[None]:
        yield from associate(connection)
        yield from release(connection)

    run_simulated(conversation(), canned(accepting(Conformance.GET), b"\x63\x09\x80\x01\x00"))
    assert connection.state == "no link"


def test_a_meter_that_hangs_up_instead_of_releasing_is_left() -> None:
    connection = Connection("client", WrapperCarrier("client", 16, 1))

    def conversation() -> Procedure[str]:
        yield from associate(connection)
        yield from release(connection)
        return connection.state

    assert run_simulated(conversation(), canned(accepting(Conformance.GET))).result == "no link"


def test_without_rlrq_the_link_is_just_closed() -> None:
    assert attempt("hdlc", 16, proposal={"releases": False}) == b"PMX0000000000001"


@EVERY_FRAMING
def test_pitfall_8_several_clients_on_one_link_do_not_disturb_each_other(framing: Framing) -> None:
    """Pitfall 8: one line, two associations at once, one of them ciphered."""
    written = AttributeDescriptor(1, c.WRITABLE, 2)

    def conversation(one: Connection, other: Connection) -> Procedure[object]:
        yield from associate(one, c.proposal_for(c.BY_SAP[1]))
        yield from associate(other, c.proposal_for(c.BY_SAP[5]))
        yield from set_attribute(one, written, octet_string(b"by the first"))
        seen = yield from get(other, written)
        yield from release(other)
        yield from set_attribute(one, written, octet_string(b"again"))
        return seen.value, (yield from get(one, written)).value  # type: ignore[union-attr]

    both = (c.client_connection(framing, sap) for sap in (1, 5))
    result = run_simulated(conversation(*both), c.serving(c.meter())).result
    assert result == (b"by the first", b"again")


def test_a_meter_with_ciphered_clients_needs_keys() -> None:
    with pytest.raises(LocalProtocolError, match="needs keys"):
        c.meter(keys=None)


@pytest.mark.parametrize(
    ("sap", "proposal", "words"),
    [
        (2, Proposal(Mechanism.HLS_MD5, c.SECRET), "challenge has 8 to 64 octets"),
        (2, Proposal(Mechanism.HLS_MD5, c.SECRET, bytes(7)), "challenge has 8 to 64 octets"),
        (2, Proposal(Mechanism.HLS_MD5, c.SECRET, bytes(65)), "challenge has 8 to 64 octets"),
        (2, Proposal(Mechanism.HLS, c.SECRET, bytes(8)), "HLS is not supported"),
        (5, Proposal(Mechanism.HLS_ECDSA, challenge=bytes(8)), "HLS_ECDSA is not supported"),
        (2, Proposal(Mechanism.HLS_GMAC, challenge=bytes(8)), "GMAC needs encryption key"),
    ],
)
def test_what_we_cannot_prove_is_not_begun(sap: int, proposal: Proposal, words: str) -> None:
    conversation = associate(c.client_connection("wrapper", sap), proposal)
    with pytest.raises(LocalProtocolError, match=words):
        next(conversation)


def test_secrets_do_not_show() -> None:
    client = c.client_connection("wrapper", 5)
    for shown in (repr(client.security.security), repr(c.proposal_for(c.BY_SAP[1])), repr(c.CLIENTS)):  # type: ignore[union-attr]
        assert "12345678" not in shown
        assert c.KEYS.encryption.hex() not in shown
    assert "12345678" not in repr(AARQ.of(Context.LN, Mechanism.LLS, c.PASSWORD))


def answering(*answers: bytes, sap: int = 16) -> Procedure[None]:
    """A meter that says these APDUs, one to each message."""
    for answer in answers:
        yield Receive(60.0)
        yield Send(encode_wrapper(Wrapper(1, sap, answer)))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (ExceptionResponse(1, 1), RemoteProtocolError, "operation not possible"),
        (ConfirmedServiceError(1, 0, 6), AccessDenied, "cannot open what we send"),
        (GetResponseNormal(0xC1, 3), RemoteProtocolError, "has no place"),
        (RLRE(), RemoteProtocolError, "has no place"),
    ],
)
def test_an_answer_that_is_no_aare_is_told(answer: Any, error: type[Exception], words: str) -> None:
    conversation = associate(c.client_connection("wrapper", 16), Proposal(), Timing(1.0, 0))
    with pytest.raises(error, match=words):
        run_simulated(conversation, answering(bytes(answer)))


@pytest.mark.parametrize(
    ("diagnostic", "source", "error"),
    [(1, 1, AccessDenied), (3, 1, AccessDenied), (13, 1, AccessDenied), (1, 2, RemoteProtocolError)],
)
def test_a_refusal_of_the_meters_software_is_no_fault_of_ours(
    diagnostic: int, source: int, error: type[Exception]
) -> None:
    refusal = AARE.of(Context.LN, result=Result.REJECTED_PERMANENT, diagnostic=diagnostic)
    refusal = replace(refusal, diagnostic_source=source)
    with pytest.raises(error, match="refuses the association"):
        run_simulated(associate(c.client_connection("wrapper", 16)), answering(bytes(refusal)))


def test_an_association_without_the_proof_that_was_offered_is_not_taken() -> None:
    accepted = accepting(Conformance.GET)
    proposal = Proposal(Mechanism.HLS_MD5, c.SECRET, b"C" * 16)
    with pytest.raises(AccessDenied, match="without asking for the proof"):
        run_simulated(associate(c.client_connection("wrapper", 2), proposal), answering(accepted, sap=2))


@pytest.mark.parametrize("returned", [None, Data.of(Item(Tag.UNSIGNED, 1))])
def test_a_meter_that_gives_no_proof_of_its_own_is_not_trusted(returned: Data | None) -> None:
    response = encode_apdu(InitiateResponse(None, 6, Conformance.GET, 500, 7))
    aare = AARE.of(Context.LN, Mechanism.HLS_MD5, b"S" * 16, None, response, diagnostic=14)
    success = ActionResponseNormal(0xC1, ActionResponse(ActionResult.SUCCESS, returned))
    proposal = Proposal(Mechanism.HLS_MD5, c.SECRET, b"C" * 16)
    with pytest.raises(AccessDenied, match="gives no proof"):
        run_simulated(
            associate(c.client_connection("wrapper", 2), proposal),
            answering(bytes(aare), bytes(success), sap=2),
        )


def test_a_meter_that_is_in_disconnected_mode_refuses_the_link() -> None:
    def refusing() -> Procedure[None]:
        yield Receive(60.0)
        yield Send(encode_frame(Frame("DM", Address(16), Address(1, 17, 4))))

    with pytest.raises(TransportError, match="disconnected mode"):
        run_simulated(associate(c.client_connection("hdlc", 16)), refusing())
