"""What a reader does on a line: wait for what is pushed, or ask."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.procedure import Procedure, Receive, Send, advance
from polymeter.protocols.sml.attentions import WORDS
from polymeter.protocols.sml.elements import Element
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)
from tests.conversations import Shell, each_shell
from tests.effort import steps
from tests.protocols.sml.playing import (
    EMPTY,
    ENERGY,
    LIST,
    LOG,
    NAME,
    NOW,
    NUMBER,
    OPTIONS,
    PROFILE,
    ROOT,
    SERVER,
    START,
    STATE,
    asked,
    meter,
)

PUSH = sml.Connection().send(sml.pushed(b"server", sml.sec_index(7), [], 1))
CLOSE = sml.Message(b"1", 0, 0, sml.TAGS["PublicClose.Req"], sml.listing(sml.octets(None)))


def test_the_next_frame_is_waited_for() -> None:
    procedure = sml.next_frame(sml.PushedFrames())
    assert advance(procedure, None) == Receive(10.0)
    assert advance(procedure, PUSH[:20]) == Receive(10.0)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, PUSH[20:])
    assert stop.value.value == PUSH


def test_silence_is_told() -> None:
    procedure = sml.next_frame(sml.PushedFrames(), timeout_s=4)
    advance(procedure, None)
    with pytest.raises(TimedOut):
        advance(procedure, TimedOut("silence"))


def test_a_request_is_answered_by_the_next_frame() -> None:
    procedure = sml.exchange(sml.Connection(), [CLOSE], timeout_s=2)
    asked = advance(procedure, None)
    assert isinstance(asked, Send)
    assert asked.data == sml.encode_frame(sml.encode_message(CLOSE))
    assert advance(procedure, b"") == Receive(2)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, PUSH)
    assert [message.tag for message in stop.value.value] == [0x101, 0x701, 0x201]


def test_an_answer_that_breaks_the_grammar_is_an_error() -> None:
    wrong = sml.Message(b"1", 0, 0, sml.TAGS["PublicClose.Res"], sml.listing(sml.unsigned(1, 1)))
    procedure = sml.exchange(sml.Connection(), [CLOSE])
    advance(procedure, None)
    advance(procedure, b"")
    with pytest.raises(RemoteProtocolError, match="octets is expected"):
        advance(procedure, sml.encode_frame(sml.encode_message(wrong)))


def test_a_line_that_closes_ends_the_asking() -> None:
    procedure = sml.exchange(sml.Connection(), [CLOSE])
    advance(procedure, None)
    advance(procedure, b"")
    with pytest.raises(TransportError):
        advance(procedure, b"")


# asking


@dataclass(frozen=True)
class Request:
    """A request, what is wrong with it, and what the answer says."""

    make: Callable[[sml.Connection, sml.Options], Procedure[Any]]
    says: Callable[[Any], object]
    wanted: object


def rows_of(found: sml.Profile) -> object:
    return [(row.time, [record.value for record in row.records]) for row in found.rows]


QUARTER = timedelta(minutes=15)
ROWS = [(START + QUARTER * n, [Decimal(1000 + n).scaleb(-1), -n]) for n in (2, 3, 4)]
REQUESTS = {
    "GetList": Request(
        lambda connection, options: sml.get_list(connection, LIST, options),
        lambda found: [(record.obis, record.value, record.unit, record.time) for record in found.records],
        [
            ("1-0:1.8.0*255", Decimal("12345.6"), "Wh", START),
            ("129-129:199.130.3*255", b"PMX", None, START),
        ],
    ),
    "GetProcParameter": Request(
        lambda connection, options: sml.get_proc_parameter(connection, [ROOT], None, options),
        lambda found: [(path, value.value) for path, value in found.tree.leaves((ROOT,))],
        [
            ((ROOT,), -1),
            ((ROOT, NUMBER), 5),
            ((ROOT, NAME), b"name"),
            ((ROOT, LOG, STATE), True),
        ],
    ),
    "SetProcParameter": Request(
        lambda connection, options: sml.set_proc_parameter(
            connection, [ROOT, NUMBER], sml.Parameter(NUMBER, sml.unsigned(7, 2)), options
        ),
        str,
        "done",
    ),
    "GetProfileList": Request(
        lambda connection, options: sml.get_profile_list(
            connection, [PROFILE], START + 2 * QUARTER, START + 4 * QUARTER, (), options
        ),
        rows_of,
        ROWS,
    ),
    "GetProfilePack": Request(
        lambda connection, options: sml.get_profile_pack(
            connection, [PROFILE], START + 2 * QUARTER, START + 4 * QUARTER, (), options
        ),
        rows_of,
        ROWS,
    ),
}
each_request = pytest.mark.parametrize("name", REQUESTS)


def answered(name: str, options: sml.Options = OPTIONS, **line: Any) -> object:
    request = REQUESTS[name]
    return request.says(asked(request.make(sml.Connection(), options), **line))


@each_request
@each_shell
def test_every_request_is_answered_over_every_shell(shell: Shell, name: str) -> None:
    request = REQUESTS[name]
    procedure = request.make(sml.Connection(), OPTIONS)
    end = sml.serve(list, 0, meter().meter.answer)
    assert request.says(shell(procedure, end)) == request.wanted


@each_request
@given(cuts=st.lists(st.integers(1, 60), max_size=30))
def test_an_answer_in_any_pieces_says_the_same(name: str, cuts: list[int]) -> None:
    assert answered(name, cuts=cuts) == REQUESTS[name].wanted


@each_request
@pytest.mark.parametrize("checksum", [sml.X25, sml.KERMIT], ids=lambda checksum: checksum.name)
def test_both_check_sums_do(name: str, checksum: sml.Checksum) -> None:
    request = REQUESTS[name]
    procedure = request.make(sml.Connection(checksum), OPTIONS)
    assert request.says(asked(procedure, checksum=checksum)) == request.wanted


@each_request
def test_a_meter_goes_on_pushing_while_it_is_asked(name: str) -> None:
    assert answered(name, change=lambda answer: PUSH * 5 + answer) == REQUESTS[name].wanted


@each_request
def test_a_head_that_repeats_what_it_is_told_does_no_harm(name: str) -> None:
    request = REQUESTS[name]
    procedure = request.make(sml.Connection(), OPTIONS)
    sent = advance(request.make(sml.Connection(), OPTIONS), None)
    assert isinstance(sent, Send)
    assert request.says(asked(procedure, change=lambda answer: sent.data + answer)) == request.wanted


@each_request
def test_a_meter_that_pushes_and_never_answers_ends_the_wait(name: str) -> None:
    with pytest.raises(TimedOut, match="none answers"):
        answered(name, change=lambda answer: PUSH * 40)


@each_request
def test_an_answer_cut_anywhere_is_silence(name: str) -> None:
    whole = len(captured(name))
    for end in range(whole):
        with pytest.raises(TimedOut):
            answered(name, change=lambda answer, end=end: answer[:end])


def captured(name: str) -> bytes:
    """The bytes that answer a request."""
    seen: list[bytes] = []
    answered(name, change=lambda answer: seen.append(answer) or answer)
    return seen[0]


@each_request
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_answers_only_our_errors_come(name: str, data: st.DataObject) -> None:
    def spoil(answer: bytes) -> bytes:
        """Change octets of the messages and make their check sums good again."""
        content = bytearray(sml.decode_frame(answer).content)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255))
        found, at = b"", 0
        while at < len(content):
            try:
                message, _ = sml.decode_message(bytes(content), at)
            except RemoteProtocolError:
                break
            assert message.element is not None
            found += sml.encode_message(message._replace(element=None, group=0, abort_on_error=0))
            at = message.element.end
        return sml.encode_frame(found + bytes(content[at:]))

    with suppress(ProtocolError):
        answered(name, change=spoil)


@each_request
def test_without_user_or_password_access_is_denied(name: str) -> None:
    for wrong in (sml.Options(SERVER), replace(OPTIONS, password=b"x"), replace(OPTIONS, username=None)):
        with pytest.raises(AccessDenied, match="8181C7C7FE02 to transaction 00000000000000010"):
            answered(name, wrong)


@each_request
def test_another_server_is_told_by_its_number(name: str) -> None:
    with pytest.raises(RemoteProtocolError, match=r"8181C7C7FE03 to transaction 0{15}10000: no such"):
        answered(name, replace(OPTIONS, server=b"stranger"))


@each_request
def test_without_a_server_id_whoever_is_there_answers(name: str) -> None:
    assert answered(name, replace(OPTIONS, server=None)) == REQUESTS[name].wanted


def test_silence_is_asked_again_under_another_id_unless_it_changes_something() -> None:
    for name, request in REQUESTS.items():
        files = []
        procedure = request.make(sml.Connection(files=6), replace(OPTIONS, repeats=2))
        step = advance(procedure, None)
        with pytest.raises(TimedOut):
            while True:
                if isinstance(step, Send):
                    files.append(sml.decode_messages(sml.decode_frame(step.data).content)[0])
                    step = advance(procedure, b"")
                step = advance(procedure, TimedOut("silence"))
        ids = [file.transaction_id for file in files]
        assert ids == [bytes((*bytes(7), n, 0, 0)) for n in (7, 8, 9)[: 1 if name.startswith("Set") else 3]]


def test_an_answer_that_comes_late_is_not_taken_for_another() -> None:
    late = captured("GetList")
    connection = sml.Connection()
    connection.next_file_id()
    with pytest.raises(TimedOut):
        asked(sml.get_list(connection, LIST, OPTIONS), change=lambda answer: late)


def test_what_is_set_is_read() -> None:
    played = meter()
    tree = sml.Parameter(
        ROOT,
        children=(
            sml.Parameter(NAME, sml.octets(b"other")),
            sml.Parameter(LOG, children=(sml.Parameter(STATE, sml.boolean(False)),)),
        ),
    )
    told = asked(sml.set_proc_parameter(sml.Connection(), [ROOT], tree, OPTIONS), played.meter)
    assert told.good
    found = asked(sml.get_proc_parameter(sml.Connection(), [ROOT, LOG], None, OPTIONS), played.meter)
    assert [(record.name, record.value) for record in found.records] == [
        ("129-129:199.137.225*255/129-129:199.130.14*255", 0)
    ]
    assert played.store[NAME].value == b"other"


def test_a_list_has_a_name_a_time_and_who_sent_it() -> None:
    found = asked(sml.get_list(sml.Connection(), None, OPTIONS))
    assert (found.server, found.name, found.time) == (SERVER, LIST, START)
    assert found.records[0].raw == sml.encode_element(sml.integer(123456, 4))


def test_columns_are_chosen_and_periods_told() -> None:
    for get in (sml.get_profile_list, sml.get_profile_pack):
        found = asked(get(sml.Connection(), [PROFILE], objects=[ENERGY], options=OPTIONS))
        assert (found.server, found.period_s, len(found.rows)) == (SERVER, 900, 8)
        assert [row.status for row in found.rows] == [n % 3 for n in range(8)]
        assert {len(row.records) for row in found.rows} == {1}


def test_a_meter_without_a_clock_counts() -> None:
    counting = meter(clock=False).meter
    for get in (sml.get_profile_list, sml.get_profile_pack):
        begin = sml.sec_index(NOW + 6 * 900)
        found = asked(get(sml.Connection(), [PROFILE], begin, None, (), OPTIONS), counting)
        assert [(row.time, row.sec_index) for row in found.rows] == [(None, NOW + 900 * n) for n in (6, 7)]
        with pytest.raises(RemoteProtocolError, match="8181C7C7FE0F"):
            asked(get(sml.Connection(), [PROFILE], START, None, (), OPTIONS), counting)


def test_a_range_without_rows_is_no_error() -> None:
    for get in (sml.get_profile_list, sml.get_profile_pack):
        later = START + timedelta(days=9)
        assert asked(get(sml.Connection(), [PROFILE], later, options=OPTIONS)) == sml.Profile()
        assert asked(get(sml.Connection(), [EMPTY], options=OPTIONS)) == sml.Profile()


@pytest.mark.parametrize(
    ("procedure", "number"),
    [
        (lambda line: sml.get_list(line, b"unknown", OPTIONS), "FE0A"),
        (lambda line: sml.get_proc_parameter(line, [NUMBER], None, OPTIONS), "FE0A"),
        (lambda line: sml.get_proc_parameter(line, [], None, OPTIONS), "FE0A"),
        (lambda line: sml.get_proc_parameter(line, [ROOT], b"attribute", OPTIONS), "FE10"),
        (lambda line: sml.get_profile_list(line, [NAME], options=OPTIONS), "FE0A"),
        (lambda line: sml.get_profile_pack(line, [PROFILE], objects=[NAME], options=OPTIONS), "FE0E"),
        (lambda line: sml.get_profile_pack(line, [PROFILE], START, START - QUARTER, (), OPTIONS), "FE12"),
        (lambda line: setting(line, NUMBER, sml.unsigned(99, 2)), "FE09"),
        (lambda line: setting(line, NUMBER, sml.octets(b"5")), "FE0F"),
        (lambda line: setting(line, PROFILE, sml.octets(b"5")), "FE0A"),
        (lambda line: setting(line, LOG, sml.octets(b"5")), "FE0A"),
        (
            lambda line: sml.set_proc_parameter(
                line, [ROOT], sml.Parameter(ROOT, sml.integer(1, 1)), OPTIONS
            ),
            "FE05",
        ),
        (lambda line: sml.set_proc_parameter(line, [ROOT], sml.Parameter(ROOT), OPTIONS), "FE0A"),
        (lambda line: sml.set_proc_parameter(line, [ROOT], sml.Parameter(NAME), OPTIONS), "FE0A"),
    ],
)
def test_what_a_meter_refuses_is_told_by_number_words_and_transaction(
    procedure: Callable[[sml.Connection], Procedure[Any]], number: str
) -> None:
    words = WORDS[int(number, 16)]
    with pytest.raises(
        RemoteProtocolError, match=f"reports 8181C7C7{number} to transaction 00000000000000010001: {words}"
    ):
        asked(procedure(sml.Connection()))


def set_root(line: sml.Connection, tree: sml.Parameter) -> Procedure[sml.Attention]:
    return sml.set_proc_parameter(line, [ROOT], tree, OPTIONS)


def setting(line: sml.Connection, name: bytes, value: Element) -> Procedure[sml.Attention]:
    return sml.set_proc_parameter(line, [ROOT, name], sml.Parameter(name, value), OPTIONS)


def test_what_cannot_be_asked_is_our_mistake() -> None:
    line = sml.Connection()
    for procedure, words in [
        (sml.ask(line, []), "1 to 1000 requests, not 0"),
        (sml.ask(line, [CLOSE] * 1001), "not 1001"),
        (sml.get_profile_list(line, [PROFILE], datetime(2026, 1, 1)), "no time zone"),
        (sml.get_profile_list(line, [PROFILE], datetime(1960, 1, 1, tzinfo=UTC)), "between 1970 and 2106"),
        (sml.set_proc_parameter(line, [ROOT], deep(14)), "at most 13 levels"),
    ]:
        with pytest.raises(LocalProtocolError, match=words):
            advance(procedure, None)
    with pytest.raises(RemoteProtocolError, match="FE0A"):
        asked(sml.set_proc_parameter(line, [ROOT], deep(13), OPTIONS))


def deep(levels: int) -> sml.Parameter:
    tree = sml.Parameter(ROOT, sml.unsigned(1, 1))
    for _ in range(levels - 1):
        tree = sml.Parameter(ROOT, children=(tree,))
    return tree


def test_several_requests_go_in_one_file_and_a_refusal_leaves_the_others() -> None:
    requests = [
        sml.request("GetList.Req", OPTIONS),
        sml.request("GetList.Req", OPTIONS, listName=sml.octets(b"unknown")),
        sml.request("GetProfilePack.Req", OPTIONS, parameterTreePath=sml.listing(sml.octets(PROFILE))),
    ]
    first, second, third = asked(sml.ask(sml.Connection(), requests, OPTIONS))
    assert [message.name for message in (*first.messages, *third.messages)] == [
        "GetList.Res",
        "GetProfilePack.Res",
    ]
    assert second.messages == ()
    assert "FE0A to transaction 00000000000000010002" in str(second.refusal)


@pytest.mark.parametrize(
    ("abort", "carried_out"),
    [(0, "a b c d e"), (1, "a b d e"), (2, "a b c"), (0xFF, "a b"), (7, "a b")],
)
def test_what_follows_a_refusal_is_said_by_groups_and_abort_on_error(abort: int, carried_out: str) -> None:
    listed = sml.request("GetList.Req", OPTIONS)
    unknown = sml.request("GetList.Req", OPTIONS, listName=sml.octets(b"unknown"))
    requests = [
        listed._replace(group=1),
        unknown._replace(group=2, abort_on_error=abort),
        listed._replace(group=2),
        listed._replace(group=3),
        listed._replace(group=1),
    ]
    found = asked(sml.ask(sml.Connection(), requests, OPTIONS))
    told = [
        name
        for name, answer in zip("abcde", found, strict=True)
        if answer.messages or answer.attention is not None
    ]
    assert " ".join(told) == carried_out


def test_work_grows_as_the_answer_does() -> None:
    def work(rows: int) -> int:
        played = meter(rows=rows).meter
        return steps(
            lambda: asked(sml.get_profile_list(sml.Connection(), [PROFILE], options=OPTIONS), played)
        )

    few, many = work(100), work(400)
    assert many < 4.2 * few


def test_an_answer_too_long_for_a_file_is_refused_in_words() -> None:
    full = meter(rows=5000).meter
    with pytest.raises(RemoteProtocolError, match="ask for less"):
        asked(sml.get_profile_list(sml.Connection(), [PROFILE], options=OPTIONS), full)
