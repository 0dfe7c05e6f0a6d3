"""Captures are read whole, in order, and to where they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.transports.pcap import Capture, is_capture, read_capture
from tests.captures import RAW, SLL, ethernet, ip, pcap, pcapng, sll, tcp, udp

TEXT = b"/PMX5SIM100\r\n"
FRAMES = [ethernet(ip(udp(TEXT)))]


def said(data: bytes) -> list[bytes]:
    capture = read_capture(data)
    assert capture.problem is None
    return [conversation.data for conversation in capture.conversations]


@pytest.mark.parametrize(
    "capture",
    [
        pcap(FRAMES),
        pcap(FRAMES, order=">"),
        pcap(FRAMES, nanoseconds=True),
        pcap(FRAMES, order=">", nanoseconds=True),
        pcap([ethernet(ip(udp(TEXT)), vlans=1)]),
        pcap([ethernet(ip(udp(TEXT)), vlans=2)]),
        pcap([ip(udp(TEXT))], link=RAW),
        pcap([sll(ip(udp(TEXT)))], link=SLL),
        pcap([b"\x02\x00\x00\x00" + ip(udp(TEXT))], link=0),
        pcap([b"\x08\x00" + b"\x00" * 18 + ip(udp(TEXT))], link=276),
        pcap([ethernet(ip(udp(TEXT), "2001:db8::1", "2001:db8::2"))]),
        pcapng(FRAMES),
        pcapng(FRAMES, order=">"),
        pcapng(FRAMES, simple=True),
        pcapng([ip(udp(TEXT))], link=RAW),
    ],
)
def test_every_kind_of_capture_is_read(capture: bytes) -> None:
    assert is_capture(capture)
    assert [data[: len(TEXT)] for data in said(capture)] == [TEXT]


def test_the_ends_of_a_conversation_are_named() -> None:
    four, six = read_capture(
        pcap([ethernet(ip(udp(b"x"))), ethernet(ip(udp(b"y"), "2001:db8::1", "2001:db8::2"))])
    ).conversations
    assert (four.source, four.destination, four.transport) == ("192.0.2.1:1000", "192.0.2.2:2000", "udp")
    assert six.source.startswith("[2001:0db8:")
    assert six.source.endswith("]:1000")


def test_padding_of_short_frames_is_not_said() -> None:
    assert said(pcap([ethernet(ip(udp(b"x")), padding=b"\x00" * 20)])) == [b"x"]


def test_each_datagram_stands_for_itself() -> None:
    assert said(pcap([ethernet(ip(udp(word))) for word in (b"one", b"two", b"")])) == [b"one", b"two"]


def test_other_packets_are_passed_over() -> None:
    arp = b"\xaa" * 12 + b"\x08\x06" + b"\x00" * 28
    icmp = ethernet(ip((1, b"\x08\x00" + b"\x00" * 30)))
    fragment = ethernet(ip(udp(b"second part"), offset=100))
    short = ethernet(b"\x45\x00")
    assert said(pcap([arp, icmp, fragment, short, b"", *FRAMES])) == [TEXT]
    assert said(pcap(FRAMES, link=147)) == []


# TCP


def stream(*segments: tuple[int, bytes], syn: int | None = 99) -> list[bytes]:
    frames = [] if syn is None else [ethernet(ip(tcp(b"", syn, syn=True)))]
    return frames + [ethernet(ip(tcp(data, sequence))) for sequence, data in segments]


@pytest.mark.parametrize(
    "segments",
    [
        [(100, b"abc"), (103, b"def"), (106, b"ghi")],
        [(100, b"abc"), (100, b"abc"), (103, b"def"), (106, b"ghi")],
        [(106, b"ghi"), (103, b"def"), (100, b"abc")],
        [(100, b"abcd"), (102, b"cdef"), (106, b"ghi")],
        [(100, b"a"), (100, b"abc"), (103, b"defghi")],
        [(100, b"abcdefghi"), (103, b"def"), (99, b"?")],
        [(100, b"abc"), (103, b""), (103, b"defghi")],
    ],
)
def test_segments_are_put_in_order_and_counted_once(segments: list[tuple[int, bytes]]) -> None:
    assert said(pcap(stream(*segments))) == [b"abcdefghi"]


def test_without_its_begin_a_stream_is_put_in_order_too() -> None:
    assert said(pcap(stream((106, b"ghi"), (100, b"abc"), (103, b"def"), syn=None))) == [b"abcdefghi"]


def test_sequence_numbers_wrap() -> None:
    top = (1 << 32) - 4
    assert said(pcap(stream((top, b"abcd"), (0, b"efgh"), syn=top - 1))) == [b"abcdefgh"]
    assert said(pcap(stream((0, b"efgh"), (top, b"abcd"), syn=None))) == [b"abcdefgh"]


def test_what_was_not_captured_is_left_out() -> None:
    assert said(pcap(stream((100, b"abc"), (106, b"ghi")))) == [b"abcghi"]


def test_both_directions_are_conversations_of_their_own() -> None:
    frames = [
        ethernet(ip(tcp(b"/?!\r\n", 1))),
        ethernet(ip(tcp(TEXT, 1, source=2000, destination=1000), "192.0.2.2", "192.0.2.1")),
        ethernet(ip(tcp(b"\x06050\r\n", 6))),
    ]
    assert said(pcap(frames)) == [b"/?!\r\n\x06050\r\n", TEXT]


def test_a_port_that_is_used_again_begins_anew() -> None:
    assert said(pcap(stream((100, b"one")) + stream((700, b"two"), syn=699))) == [b"one", b"two"]


def test_options_of_a_segment_are_not_said() -> None:
    assert said(pcap([ethernet(ip(tcp(b"abc", 1, options=b"\x01" * 12)))])) == [b"abc"]


def test_data_with_the_begin_is_kept() -> None:
    frames = [ethernet(ip(tcp(b"abc", 99, syn=True))), ethernet(ip(tcp(b"def", 103)))]
    assert said(pcap(frames)) == [b"abcdef"]


@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=4))
def test_any_order_and_any_repeat_give_the_same(order: list[int], again: list[int]) -> None:
    text = bytes(range(80))
    pieces = [(100 + 10 * number, text[10 * number : 10 * number + 10]) for number in [*order, *again]]
    assert said(pcap(stream(*pieces))) == [text]


# damage


@pytest.mark.parametrize("whole", [pcap(FRAMES * 2), pcapng(FRAMES * 2)], ids=["pcap", "pcapng"])
def test_a_cut_capture_gives_what_is_there_and_says_so(whole: bytes) -> None:
    complete = 0
    for size in range(len(whole)):
        capture = read_capture(whole[:size])
        complete = max(complete, len(capture.conversations))
        assert all(TEXT.startswith(conversation.data[: len(TEXT)]) for conversation in capture.conversations)
        if capture.problem is not None:
            assert 0 <= capture.problem.offset <= size
    assert complete == 2
    assert read_capture(whole[:-20]).problem is not None
    assert read_capture(whole).problem is None


@pytest.mark.parametrize("data", [b"", b"hello", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a" + b"\xff" * 20])
def test_what_is_no_capture_is_a_problem(data: bytes) -> None:
    capture = read_capture(data)
    assert isinstance(capture, Capture)
    assert capture.problem is not None
    assert capture.conversations == []


def test_a_packet_of_absurd_size_is_a_problem() -> None:
    capture = read_capture(pcap(FRAMES) + b"\x00" * 8 + b"\xff" * 8)
    assert len(capture.conversations) == 1
    assert "packet of" in str(capture.problem)


@given(st.data())
def test_damaged_captures_raise_nothing(data: st.DataObject) -> None:
    whole = bytearray(
        data.draw(st.sampled_from([pcap(FRAMES * 2), pcapng(FRAMES * 2), pcap(stream((1, b"abc")))]))
    )
    for place in data.draw(st.lists(st.integers(4, len(whole) - 1), min_size=1, max_size=6)):
        whole[place] = data.draw(st.integers(0, 255))
    read_capture(bytes(whole))
