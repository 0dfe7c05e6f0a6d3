"""The grammar: every message both ways, and what breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, Element
from polymeter.protocols.sml.messages import BODIES, CHOICES, STRUCTURES, TAGS
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError


@st.composite
def of_kind(draw: st.DrawFn, what: str, depth: int = 0) -> Element:
    """Any element that the grammar allows in place of `what`."""
    if draw(st.integers(0, 9)) == 0 or depth > 6:
        return ABSENT
    if what[0] == "[":
        count = draw(st.integers(0, 3))
        return sml.listing(*(draw(of_kind(what[1:-1], depth + 1)) for _ in range(count)))
    if what in STRUCTURES:
        return sml.listing(*(draw(of_kind(holds, depth + 1)) for _, holds in STRUCTURES[what]))
    if what in ("time", "ProcParValue") and draw(st.booleans()):
        tag = draw(st.sampled_from(sorted(CHOICES[what])))
        return sml.listing(sml.unsigned(tag, 1), draw(of_kind(CHOICES[what][tag], depth + 1)))
    if what == "scaler":
        return sml.integer(draw(st.integers(-128, 127)), 1)
    if what in ("number", "unit", "time"):
        size = draw(st.integers(1, 8))
        return sml.unsigned(draw(st.integers(0, (1 << 8 * size) - 1)), size)
    if what == "boolean":
        return sml.boolean(draw(st.booleans()))
    if what == "value":
        return draw(
            st.one_of(of_kind("octets"), of_kind("number"), of_kind("boolean"), st.just(sml.integer(-5, 3)))
        )
    if what == "ProcParValue":
        return ABSENT
    return sml.octets(draw(st.binary(min_size=1, max_size=40)))


@pytest.mark.parametrize("name", sorted(TAGS))
@given(data=st.data())
def test_every_message_comes_back(name: str, data: st.DataObject) -> None:
    body = data.draw(of_kind(name).filter(lambda element: element.value is not None))
    message = sml.Message(b"\x01\x02", 3, 0, TAGS[name], body)
    written = sml.encode_message(message)
    frame = sml.encode_frame(written)
    (found,) = sml.decode_messages(sml.decode_frame(frame).content)
    assert found.name == name
    assert found[:4] == message[:4]
    assert sml.encode_element(found.body) == sml.encode_element(body)
    assert sml.encode_message(found) == written
    explained, plain = sml.decode(frame), sml.decode(frame, explain=False)
    assert explained[0].valid, explained[0].errors
    assert explained[0].records == plain[0].records


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


@pytest.mark.parametrize(
    "data", ["7601", "7101", "760101620062017262016200630000", "7601620062007201620063000000"]
)
def test_what_is_no_message_is_refused(data: str) -> None:
    with pytest.raises(RemoteProtocolError):
        sml.decode_message(bytes.fromhex(data))
