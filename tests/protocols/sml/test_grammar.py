"""The grammar: what a body may hold, and what breaks it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, Element
from polymeter.protocols.sml.grammar import BODIES, CHOICES, SERVERS, STRUCTURES, TAGS, TUPLE_PLACES
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError
from tests.protocols.sml.strategies import of_kind


def test_every_body_has_a_structure() -> None:
    assert set(BODIES.values()) <= set(STRUCTURES)
    assert len(STRUCTURES["TupelEntry"]) == 23


def a_list(*entries: Element) -> sml.Message:
    nothing = sml.octets(None)
    fields = (nothing, sml.octets(b"server"), nothing, nothing, sml.listing(*entries), nothing, nothing)
    return sml.Message(b"1", 0, 0, TAGS["GetList.Res"], sml.listing(*fields))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (sml.listing(), "ListEntry has 7 fields, not 0"),
        (sml.unsigned(1, 1), "ListEntry is expected"),
        (sml.listing(*[sml.unsigned(1, 1)] * 7), "octets is expected"),
        (sml.listing(*[sml.integer(1, 1)] * 7), "octets is expected"),
        (
            sml.Entry(b"123456", 1, 30, 0)
            .element()
            ._replace(value=[sml.octets(b"123456"), *[sml.boolean(True)] * 6]),
            "is expected",
        ),
    ],
)
def test_what_breaks_the_grammar_is_told(entry: Element, words: str) -> None:
    frame = sml.encode_frame(sml.encode_message(a_list(entry)))
    (decoded,) = sml.decode(frame)
    assert not decoded.valid
    assert words in decoded.errors[0].message
    assert decoded.records == ()


def test_a_scaler_is_one_octet() -> None:
    entry = sml.listing(
        sml.octets(b"\x01\x00\x01\x08\x00\xff"),
        *[sml.octets(None)] * 3,
        sml.unsigned(200, 1),
        sml.unsigned(1, 1),
        sml.octets(None),
    )
    (decoded,) = sml.decode(sml.encode_frame(sml.encode_message(a_list(entry))))
    assert "out of range" in decoded.errors[0].message


def test_a_field_is_found_by_its_name() -> None:
    message = a_list()
    assert sml.field(message.body, "GetList.Res", "serverId").value == b"server"
    with pytest.raises(LocalProtocolError, match="no field"):
        sml.field(message.body, "GetList.Res", "serverID")


def test_every_field_holds_something_that_the_grammar_knows() -> None:
    known = {*STRUCTURES, *CHOICES, "octets", "number", "unit", "scaler", "boolean"}
    for fields in STRUCTURES.values():
        assert {holds.strip("[]") for _, holds in fields} <= known
    for choices in CHOICES.values():
        assert set(choices.values()) <= known


def test_requests_and_their_answers_differ_in_one_bit_of_the_tag() -> None:
    for tag, name in BODIES.items():
        if name.endswith(".Req") and name != "SetProcParameter.Req":
            assert BODIES[tag + 1] == name.removesuffix("Req") + "Res"


def test_tables_that_are_made_of_others_point_where_they_should() -> None:
    for tag, place in SERVERS.items():
        assert STRUCTURES[BODIES[tag]][place] == ("serverId", "octets")
    assert list(TUPLE_PLACES) == ["pA", "R1", "R4", "mA", "R2", "R3"]
    for name, place in TUPLE_PLACES.items():
        fields = [field for field, _ in STRUCTURES["TupelEntry"][place : place + 3]]
        assert fields == [f"unit_{name}", f"scaler_{name}", f"value_{name}"]


@pytest.mark.parametrize("name", sorted(STRUCTURES))
@given(data=st.data())
@settings(deadline=None, max_examples=25)
def test_whatever_the_grammar_allows_is_accepted(name: str, data: st.DataObject) -> None:
    sml.check_body(data.draw(of_kind(name)), name)


@pytest.mark.parametrize("name", sorted(set(STRUCTURES) - {"PublicClose.Req", "PublicClose.Res"}))
def test_a_structure_with_a_field_too_many_or_too_few_is_refused(name: str) -> None:
    count = len(STRUCTURES[name])
    sml.check_body(sml.listing(*[ABSENT] * count), name)
    for wrong in (0, count - 1, count + 1):
        with pytest.raises(RemoteProtocolError, match=f"{name} has {count} fields, not {wrong}"):
            sml.check_body(sml.listing(*[ABSENT] * wrong), name)


@pytest.mark.parametrize(
    ("what", "element", "words"),
    [
        ("octets", sml.unsigned(1, 1), "octets is expected, not an unsigned"),
        ("number", sml.octets(b"1"), "number is expected, not octets"),
        ("boolean", sml.integer(1, 1), "boolean is expected, not an integer"),
        ("number", sml.boolean(True), "number is expected, not a boolean"),
        ("[octets]", sml.octets(b"1"), "a list is expected, not octets"),
        ("[octets]", sml.listing(sml.listing(ABSENT)), "octets is expected, not a list of 1"),
        ("time", sml.listing(ABSENT), "time is a tag and what it stands for"),
        ("time", sml.listing(ABSENT, ABSENT), "time is a tag and what it stands for"),
        ("time", sml.listing(sml.unsigned(2, 1), sml.octets(b"1")), "number is expected"),
        ("scaler", sml.integer(-129, 2), "out of range"),
        ("number", Element(8, None), "number is expected, not the end"),
    ],
)
def test_an_element_of_another_kind_is_refused(what: str, element: Element, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        sml.check_body(element, what)


@pytest.mark.parametrize(
    ("what", "element"),
    [
        ("octets", sml.listing()),
        ("time", sml.unsigned(5, 4)),
        ("time", sml.listing(sml.unsigned(9, 1), sml.listing(ABSENT))),
        ("scaler", sml.unsigned(3, 1)),
        ("unit", sml.integer(30, 1)),
        ("value", sml.boolean(False)),
        ("any", sml.listing(sml.boolean(False))),
    ],
)
def test_what_meters_do_their_own_way_is_accepted(what: str, element: Element) -> None:
    sml.check_body(element, what)


def test_a_structure_is_built_by_the_names_of_its_fields() -> None:
    asked = sml.structure("GetList.Req", serverId=sml.octets(b"server"), listName=sml.octets(b"list"))
    assert sml.encode_element(asked) == bytes.fromhex("75 01 07") + b"server" + b"\x01\x01\x05list"
    assert sml.field(asked, "GetList.Req", "listName").value == b"list"
    with pytest.raises(LocalProtocolError, match=r"GetList\.Req has no field serverid; there are clientId"):
        sml.structure("GetList.Req", serverid=ABSENT)
    with pytest.raises(LocalProtocolError, match="has no field"):
        sml.structure("GetLists.Req", serverId=ABSENT)


@pytest.mark.parametrize("name", sorted(TAGS))
def test_a_body_of_nothing_but_absent_fields_is_one(name: str) -> None:
    body = sml.structure(name)
    sml.check_body(body, name)
    assert all(part is ABSENT for part in body.value)
