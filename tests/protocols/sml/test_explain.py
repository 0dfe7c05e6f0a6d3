"""The tree: every element by the name that the grammar gives it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.grammar import STRUCTURES, TAGS
from polymeter.protocols.wire import Node
from tests.protocols.sml.strategies import messages
from tools.fuzz_targets import check_cover

SERVER = b"\x0a\x01PMX\x00\x00\x00\x00\x01"
ENERGY = sml.Entry(b"\x01\x00\x01\x08\x00\xff", 12345, 30, -1, 0x182)


def explained(*parts: sml.Message) -> Node:
    (found,) = sml.decode(sml.Connection().send(parts))
    assert found.tree is not None
    return found.tree


def named(node: Node, name: str) -> list[Node]:
    return [each for each in node.walk() if each.name == name]


def test_a_push_is_named_from_the_start_to_the_check_sum() -> None:
    tree = explained(*sml.pushed(SERVER, sml.timestamp(1769882400), [ENERGY], 1))
    assert [node.name for node in tree.children if node.name != "padding"] == [
        "start", "PublicOpen.Res", "GetList.Res", "PublicClose.Res", "end", "check sum",
    ]  # fmt: skip
    assert tree.children[-1].meaning == "good, CRC-16/X-25"


def test_an_entry_is_named_field_by_field() -> None:
    (entry,) = named(explained(*sml.pushed(SERVER, sml.sec_index(5), [ENERGY], 1)), "ListEntry")
    assert [(node.name, node.value, node.meaning) for node in entry.children] == [
        ("list", 7, None),
        ("objName", b"\x01\x00\x01\x08\x00\xff", "1-0:1.8.0*255"),
        ("status", 0x182, None),
        ("valTime", None, "absent"),
        ("unit", 30, "Wh"),
        ("scaler", -1, "times 10^-1"),
        ("value", 12345, None),
        ("valueSignature", None, "absent"),
    ]


@pytest.mark.parametrize(
    ("time", "name"),
    [(sml.sec_index(5), "secIndex"), (sml.timestamp(5), "timestamp")],
)
def test_a_time_shows_which_it_is(time: sml.Element, name: str) -> None:
    (found,) = named(explained(*sml.pushed(SERVER, time, [], 1)), "actSensorTime")
    assert [node.name for node in found.children] == ["list", "tag", name]
    bare = explained(*sml.pushed(SERVER, sml.unsigned(5, 4), [], 1))
    assert named(bare, "actSensorTime")[0].meaning == "a bare number in place of the choice: secIndex"


def test_an_unknown_body_is_shown_as_it_is() -> None:
    body = sml.listing(sml.unsigned(1, 1), sml.listing(sml.octets(b"x")))
    tree = explained(sml.Message(b"1", 0, 0, 0x0A42, body))
    assert tree.children[1].name == "body 00000A42"
    (tag,) = named(tree, "tag")
    assert tag.meaning == "unknown"
    assert [node.name for node in named(tree, "body")[0].children] == ["list", "[0]", "[1]"]


def test_a_body_of_which_only_the_name_is_known_has_its_name() -> None:
    tree = explained(sml.Message(b"1", 0, 0, 0x0801, sml.listing(sml.unsigned(1, 1))))
    assert tree.children[1].name == "GetCosem.Res"
    assert [node.meaning for node in named(tree, "tag")] == ["GetCosem.Res"]


def test_what_follows_an_error_is_told_in_words() -> None:
    for abort, words in [(0, None), (1, "go on with the next group"), (255, "stop at once"), (7, None)]:
        closed = sml.pushed(SERVER, sml.sec_index(5), [], 1)[2]._replace(abort_on_error=abort)
        assert [node.meaning for node in named(explained(closed), "abortOnError")] == [words]


def test_every_element_of_a_path_has_its_code() -> None:
    places = sml.listing(*(sml.octets(bytes((129, 129, 199, 130, n, 255))) for n in (1, 2)))
    asked = sml.request("GetProcParameter.Req", parameterTreePath=places)
    (path,) = named(explained(asked), "parameterTreePath")
    assert [node.meaning for node in path.children] == [
        None,
        "129-129:199.130.1*255",
        "129-129:199.130.2*255",
    ]


def test_a_unit_that_nobody_knows_is_none() -> None:
    unknown = ENERGY._replace(unit=200)
    (unit,) = named(explained(*sml.pushed(SERVER, sml.sec_index(5), [unknown], 1)), "unit")
    assert unit.meaning == "no unit"


def test_a_bad_check_sum_is_judged() -> None:
    good = sml.encode_message(sml.pushed(SERVER, sml.sec_index(5), [ENERGY], 1)[1])
    (found,) = sml.decode(sml.encode_frame(good[:-3] + b"xx\x00"))
    assert found.tree is not None
    assert named(found.tree, "crc16")[0].meaning == "does not fit"


@pytest.mark.parametrize("name", sorted(TAGS))
@given(data=st.data())
@settings(deadline=None, max_examples=15)
def test_every_message_is_explained_whole(name: str, data: st.DataObject) -> None:
    (found,) = sml.decode(sml.Connection().send([data.draw(messages(name))]))
    check_cover(found)
    assert found.tree is not None
    fields = {field for field, _ in STRUCTURES[name]}
    assert {node.name for node in named(found.tree, name)[-1].children} <= fields | {"list"}
