import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.messages import TOPICS, InvalidTopic, Topic, escape, parse_key, routing_key, unescape

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(names)
def test_a_name_survives_in_one_word_of_plain_characters(name: str) -> None:
    word = escape(name)
    assert re.fullmatch(r"[A-Za-z0-9%_:-]+", word)
    assert unescape(word) == name


@given(st.sampled_from(sorted(TOPICS)), names, names)
def test_every_routing_key_is_parsed_back(kind: str, one: str, two: str) -> None:
    given_names = (one, two)[: len(TOPICS[kind])]
    assert parse_key(routing_key(kind, *given_names)) == Topic(kind, given_names)


def test_keys_look_as_documented() -> None:
    assert routing_key("new_meter_reading", "M.1", "1-0:1.8.0*255") == (
        "new_meter_reading.M%2E1.1-0:1%2E8%2E0%2A255.v1"
    )
    assert routing_key("new_dlms_push_message") == "new_dlms_push_message.v1"


@pytest.mark.parametrize(
    ("kind", "given_names"),
    [
        ("gossip", ()),
        ("new_meter_reading", ("M",)),
        ("new_meter_reading", ("M", "")),
        ("meter_event", ("x" * 300,)),
    ],
)
def test_what_makes_no_routing_key_is_refused(kind: str, given_names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidTopic):
        routing_key(kind, *given_names)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "gossip.v1",
        "new_meter_reading.M.v1",
        "meter_event.M",
        "meter_event.%GG.v1",
        "meter_event.%FF.v1",
        "meter_event..v1",
        "meter_event.M.v0",
    ],
)
def test_what_is_none_of_our_keys_is_refused(key: str) -> None:
    with pytest.raises(InvalidTopic):
        parse_key(key)
