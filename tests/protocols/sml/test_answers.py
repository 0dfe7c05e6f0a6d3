"""What is read out of answers, and parameter trees both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.answers import parameter, proc_parameter, profile
from polymeter.protocols.sml.elements import ABSENT, Element, listing, octets
from polymeter.protocols.sml.grammar import TAGS, check_body
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.sml.readings import profile_rows
from polymeter.protocols.wire import RemoteProtocolError
from tests.protocols.sml.playing import ENERGY, NAME, NUMBER, PROFILE, ROOT, START

names = st.binary(min_size=1, max_size=8)
values = st.one_of(
    st.just(ABSENT),
    st.integers(0, 2**16 - 1).map(lambda value: sml.unsigned(value, 2)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: sml.integer(value, 4)),
    st.binary(min_size=1, max_size=20).map(octets),
    st.booleans().map(sml.boolean),
    st.just(sml.timestamp(5)).map(lambda time: listing(sml.unsigned(4, 1), time)),
)
trees = st.recursive(
    st.builds(sml.Parameter, names, values, st.just(())),
    lambda below: st.builds(sml.Parameter, names, values, st.lists(below, max_size=3).map(tuple)),
    max_leaves=8,
)


@given(trees)
def test_a_tree_is_read_as_it_was_written(tree: sml.Parameter) -> None:
    written = sml.encode_element(tree.element())
    element = sml.read_element(written, 0, len(written))
    check_body(element, "Tree")
    found = parameter(element)
    assert sml.encode_element(found.element()) == written

    def plain(one: sml.Parameter) -> object:
        return one.name, sml.encode_element(one.value), [plain(child) for child in one.children]

    assert plain(found) == plain(tree)


def test_a_tree_is_made_of_its_leaves() -> None:
    leaves = [
        ((), sml.unsigned(1, 1)),
        ((NAME,), octets(b"x")),
        ((ROOT, NUMBER), sml.unsigned(2, 1)),
        ((ROOT, NAME), sml.unsigned(3, 1)),
    ]
    tree = sml.Parameter.of(PROFILE, leaves)
    assert list(tree.leaves(())) == leaves
    assert [child.name for child in tree.children] == [NAME, ROOT]


def answer(name: str, **fields: Element) -> sml.Answer:
    message = Message(b"1", 0, 0, TAGS[name], sml.structure(name, **fields))
    content = sml.encode_message(message)
    return sml.Answer(b"1", tuple(sml.decode_messages(content)), None, content)


def path(*names: bytes) -> Element:
    return listing(*map(octets, names))


def test_an_answer_about_another_path_is_refused() -> None:
    tree = sml.Parameter(NAME, sml.unsigned(5, 1)).element()
    for given_path in (path(ROOT, NAME), ABSENT, path()):
        found = answer("GetProcParameter.Res", parameterTreePath=given_path, parameterTree=tree)
        assert proc_parameter(found, [ROOT, NAME]).records[0].value == 5
    other = answer("GetProcParameter.Res", parameterTreePath=path(ROOT), parameterTree=tree)
    with pytest.raises(RemoteProtocolError, match="about 8181c78201ff, 8181c78201ff 8181c78203ff was asked"):
        proc_parameter(other, [ROOT, NAME])
    with pytest.raises(RemoteProtocolError, match="about 8181c78611ff"):
        profile(answer("GetProfileList.Res", parameterTreePath=path(PROFILE)), [ROOT])


def test_an_answer_without_a_tree_has_no_parameter() -> None:
    with pytest.raises(RemoteProtocolError, match="no parameter"):
        proc_parameter(answer("GetProcParameter.Res", parameterTreePath=path(ROOT)), [ROOT])


def test_a_message_of_a_profile_without_entries_is_a_row_without_values() -> None:
    (row,) = profile(answer("GetProfileList.Res", valTime=sml.timestamp(1769882400)), [ROOT]).rows
    assert (row.time, row.records) == (START, ())
    assert profile(answer("GetProfilePack.Res"), [ROOT]).rows == ()


def test_a_heading_that_is_absent_keeps_its_place() -> None:
    heading = sml.structure("ProfObjHeaderEntry", objName=octets(ENERGY), unit=sml.unsigned(30, 1))
    numbers = [sml.structure("ValueEntry", value=sml.unsigned(value, 1)) for value in (1, 2, 3)]
    row = sml.structure("ProfObjPeriodEntry", value_List=listing(*numbers))
    found = answer("GetProfilePack.Res", header_List=listing(ABSENT, heading), period_List=listing(row))
    (read,) = profile_rows(found.messages[0], found.content)
    assert [(record.obis, record.value, record.unit) for record in read.records] == [
        (None, 1, None),
        ("1-0:1.8.0*255", 2, "Wh"),
        (None, 3, None),
    ]
