"""The meter's end: what is pushed is read, what is asked is answered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.procedure import Receive, Send, advance
from polymeter.protocols.sml.attentions import ATTENTION, attention_of
from polymeter.protocols.sml.elements import ABSENT
from polymeter.protocols.sml.grammar import SERVERS
from polymeter.protocols.sml.requests import request_file
from polymeter.protocols.wire import Decoded, LocalProtocolError, NeedData, TimedOut
from tests.effort import check_linear
from tests.protocols.sml.playing import NAME, OPTIONS, ROOT, SERVER, meter
from tests.protocols.sml.strategies import messages

CODE = b"\x01\x00\x01\x08\x00\xff"
entries = st.builds(
    sml.Entry,
    st.binary(min_size=6, max_size=6),
    st.integers(-(2**63), 2**63 - 1) | st.binary(min_size=1, max_size=70),
    st.none() | st.just(30),
    st.none() | st.integers(-10, 10),
    st.none() | st.integers(0, 2**32 - 1),
)


def read(messages: tuple[sml.Message, ...]) -> Decoded:
    (decoded,) = sml.decode(sml.Connection().send(messages))
    assert decoded.valid, decoded.errors
    return decoded


@given(st.lists(entries, max_size=20), st.integers(0, 2**32 - 1))
def test_what_is_pushed_is_read(pushed: list[sml.Entry], file_id: int) -> None:
    found = read(sml.pushed(SERVER, sml.sec_index(5), pushed, file_id))
    assert found.meter.id == SERVER.hex()
    assert len(found.records) == len(pushed)
    for record, entry in zip(found.records, pushed, strict=True):
        if isinstance(entry.value, bytes):
            assert record.value == entry.value
        else:
            assert record.value == Decimal(entry.value).scaleb(entry.scaler or 0)
        assert record.unit == ("Wh" if entry.unit else None)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "5200"),
        (127, "527f"),
        (128, "530080"),
        (-129, "53ff7f"),
        (2**31, "590000000080000000"),
        (b"PMX", "04504d58"),
    ],
)
def test_a_number_takes_as_many_octets_as_it_needs(value: int | bytes, octets: str) -> None:
    assert sml.encode_element(sml.Entry(CODE, value).element()).endswith(bytes.fromhex(octets) + b"\x01")


def test_a_number_of_more_than_eight_octets_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="eight octets"):
        sml.Entry(CODE, 2**63).element()
    with pytest.raises(LocalProtocolError, match="does not fit"):
        sml.encode_element(sml.Entry(CODE, 1, unit=256).element())


def test_transactions_are_numbered_on_and_begin_again() -> None:
    messages = sml.pushed(SERVER, sml.sec_index(5), [], 0xFFFFFFFE)
    assert [message.transaction_id for message in messages] == [
        b"\xff\xff\xff\xfe",
        b"\xff\xff\xff\xff",
        bytes(4),
    ]


def test_a_timestamp_is_the_time_of_its_values() -> None:
    found = read(sml.pushed(SERVER, sml.timestamp(1769882400), [sml.Entry(CODE, 1, 30, 0)], 1))
    assert found.records[0].time == datetime(2026, 1, 31, 18, tzinfo=UTC)
    assert (
        read(sml.pushed(SERVER, sml.sec_index(1769882400), [sml.Entry(CODE, 1)], 1)).records[0].time is None
    )


# asking


REQUEST = request_file([sml.request("GetList.Req", OPTIONS)], OPTIONS)


def changed(**fields: Any) -> tuple[sml.Message, ...]:
    opened, asked, closed = REQUEST
    return opened, asked._replace(**fields), closed


def names(messages: Sequence[sml.Message]) -> list[str]:
    return [
        attention_of(message.body).number.hex()[-4:] if message.tag == ATTENTION else message.name
        for message in messages
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (REQUEST, ["PublicOpen.Res", "GetList.Res", "PublicClose.Res"]),
        (REQUEST[:2], ["PublicOpen.Res", "GetList.Res", "fe14"]),
        (REQUEST[1:], ["fe0d", "PublicClose.Res"]),
        (REQUEST[1:2], ["fe0d", "fe14"]),
        ((REQUEST[0], *REQUEST), ["PublicOpen.Res", "fe0d", "GetList.Res", "PublicClose.Res"]),
        (
            (REQUEST[0], REQUEST[1]._replace(tag=0x800), REQUEST[2]),
            ["PublicOpen.Res", "fe01", "PublicClose.Res"],
        ),
        (
            (REQUEST[0], REQUEST[1]._replace(body=ABSENT), REQUEST[2]),
            ["PublicOpen.Res", "fe08", "PublicClose.Res"],
        ),
        ((REQUEST[2], REQUEST[0]), ["PublicClose.Res"]),
        (sml.pushed(SERVER, sml.sec_index(1), [], 1), []),
        ((), []),
    ],
)
def test_a_file_is_answered_by_a_file(file: tuple[sml.Message, ...], said: list[str]) -> None:
    assert names(meter().meter.answer(file)) == said


def test_an_answer_has_the_transactions_and_groups_of_its_requests() -> None:
    file = [message._replace(group=number + 300) for number, message in enumerate(REQUEST)]
    said = meter().meter.answer(file)
    assert [message.transaction_id for message in said] == [message.transaction_id for message in REQUEST]
    assert [message.group for message in said] == [300 & 255, 301 & 255, 302 & 255]
    assert sml.field(said[0].body, "PublicOpen.Res", "reqFileId").value == bytes(8)
    sml.Connection().send(said)


def test_an_open_may_leave_user_and_password_to_the_requests() -> None:
    silent = sml.structure("PublicOpen.Req", reqFileId=sml.octets(b"1"))
    wrong = sml.structure("PublicOpen.Req", reqFileId=sml.octets(b"1"), username=sml.octets(b"x"))
    answer = meter().meter.answer
    assert names(answer((REQUEST[0]._replace(body=silent), *REQUEST[1:])))[1] == "GetList.Res"
    assert names(answer((REQUEST[0]._replace(body=wrong), *REQUEST[1:]))) == ["fe02", "PublicClose.Res"]


def test_a_meter_without_a_password_asks_for_none() -> None:
    for options in (sml.Options(), OPTIONS):
        file = request_file([sml.request("GetList.Req", options)], options)
        assert names(meter(guarded=False).meter.answer(file))[1] == "GetList.Res"


def test_nothing_is_written_where_one_of_many_cannot_be() -> None:
    played = meter()
    tree = sml.Parameter(
        ROOT,
        sml.integer(5, 1),
        (sml.Parameter(NAME, sml.octets(b"new")),),
    )
    asked = sml.request(
        "SetProcParameter.Req",
        OPTIONS,
        parameterTreePath=sml.listing(sml.octets(ROOT)),
        parameterTree=tree.element(),
    )
    assert names(played.meter.answer(request_file([asked], OPTIONS)))[1] == "fe05"
    assert played.store[NAME].value == b"name"


@pytest.mark.parametrize("name", sorted(sml.TAGS))
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_whatever_is_asked_the_answer_can_be_sent(name: str, data: st.DataObject) -> None:
    drawn = data.draw(messages(name))
    server = SERVERS.get(drawn.tag)
    if server is not None and data.draw(st.booleans()):
        drawn.body.value[server] = ABSENT
    written = sml.encode_message(drawn)
    heard = sml.decode_messages(written)
    said = meter(guarded=False).meter.answer((REQUEST[0], *heard, REQUEST[2]))
    assert names(said)[0] in ("PublicOpen.Res", "fe0d")
    found = sml.Connection()
    found.receive_data(sml.Connection().send(said))
    assert not isinstance(found.next_event(), NeedData)


# the line


def test_a_line_pushes_at_once_and_after_each_silence() -> None:
    frames = iter([[b"1"], [b"2"]])
    line = sml.serve(lambda: next(frames), 2)
    assert advance(line, None) == Send(b"1")
    assert advance(line, b"") == Receive(2)
    assert advance(line, b"noise") == Receive(2)
    assert advance(line, TimedOut("silence")) == Send(b"2")
    assert advance(line, b"") == Receive(2)
    with pytest.raises(StopIteration):
        advance(line, b"")


def test_a_line_that_does_not_push_waits_to_be_asked() -> None:
    line = sml.serve(lambda: [b"never"], 0, meter().meter.answer, sml.KERMIT)
    step = advance(line, None)
    assert step == Receive(3600)
    assert advance(line, TimedOut("silence")) == step
    answer = advance(line, sml.Connection().send(REQUEST))
    assert isinstance(answer, Send)
    assert sml.decode_frame(answer.data).checksum is sml.KERMIT
    assert advance(line, b"") == step


def test_its_own_echo_is_not_answered() -> None:
    line = sml.serve(list, 0, meter().meter.answer)
    advance(line, None)
    answer = advance(line, sml.Connection().send(REQUEST))
    assert isinstance(answer, Send)
    advance(line, b"")
    assert advance(line, answer.data) == Receive(3600)


@given(st.lists(st.binary(max_size=60), max_size=10), st.integers(0, 100), st.integers(0, 255))
def test_noise_and_damage_are_not_answered_and_spoil_nothing(noise: list[bytes], at: int, octet: int) -> None:
    line = sml.serve(list, 0, meter().meter.answer)
    advance(line, None)
    request = sml.Connection().send(REQUEST)
    damaged = bytearray(request)
    damaged[at] ^= octet or 1
    for heard in (*noise, bytes(damaged), request):
        step = advance(line, heard or b"\0")
    while isinstance(step, Send):
        (decoded,) = sml.decode(step.data)
        assert decoded.valid
        assert len(decoded.records) == 2
        step = advance(line, b"")
        if step == Receive(3600):
            return
    raise AssertionError("the request behind the noise was not answered")


def test_work_grows_as_what_is_heard_does() -> None:
    played = meter().meter

    def make(size: int) -> bytes:
        asked = sml.request("GetList.Req", OPTIONS, listName=sml.octets(b"x"))
        count = size // 80
        groups = (asked._replace(group=n % 256, abort_on_error=n % 2) for n in range(count))
        return sml.Connection().send(request_file(list(groups), OPTIONS))

    def run(data: bytes) -> None:
        line = sml.serve(list, 0, played.answer)
        advance(line, None)
        assert isinstance(advance(line, data), Send)

    check_linear(make, run, 30)
