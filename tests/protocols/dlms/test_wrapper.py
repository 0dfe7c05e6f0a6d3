"""The TCP and UDP wrapper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.pushes import PushedWrappers
from polymeter.protocols.dlms.wrapper import Wrapper, decode_wrapper, encode_wrapper, wrapper_size
from polymeter.protocols.wire import LocalProtocolError, NeedData, RemoteProtocolError, Tree

ports = st.integers(0, 0xFFFF)


@given(st.builds(Wrapper, ports, ports, st.binary(max_size=200)))
def test_what_is_encoded_is_decoded_again(wrapper: Wrapper) -> None:
    encoded = encode_wrapper(wrapper)
    tree = Tree(encoded, "wrapper")
    assert decode_wrapper(encoded, tree) == wrapper
    for cut in range(len(encoded)):
        assert wrapper_size(encoded[:cut]) == (None if cut < 8 else len(encoded))
        with pytest.raises(RemoteProtocolError):
            decode_wrapper(encoded[:cut])


def test_another_version_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="version 2"):
        wrapper_size(b"\x00\x02")


def test_ports_have_16_bits() -> None:
    with pytest.raises(LocalProtocolError):
        encode_wrapper(Wrapper(1 << 16, 1, b""))


def test_pushed_frames_are_cut_out_of_any_pieces() -> None:
    frames = [encode_wrapper(Wrapper(1, 16, bytes((15,)) * size)) for size in (1, 300, 2)]
    for step in (1, 7, 1000):
        pushed, found = PushedWrappers(), []
        stream = b"".join(frames)
        for at in range(0, len(stream), step):
            pushed.receive_data(stream[at : at + step])
            while not isinstance(frame := pushed.next_frame(), NeedData):
                found.append(frame)
        assert found == frames


def test_pushed_noise_is_dropped_with_its_place_and_an_empty_wrapper_alone() -> None:
    frame = encode_wrapper(Wrapper(1, 16, b"\x0f"))
    pushed = PushedWrappers()
    pushed.receive_data(encode_wrapper(Wrapper(1, 16, b"")) + frame + b"noise" + frame)
    with pytest.raises(RemoteProtocolError, match="without an APDU"):
        pushed.next_frame()
    assert pushed.next_frame() == frame
    with pytest.raises(RemoteProtocolError, match="wrapper version") as caught:
        pushed.next_frame()
    assert caught.value.offset == 8 + len(frame)
    assert isinstance(pushed.next_frame(), NeedData)
    pushed.receive_data(frame)
    assert pushed.next_frame() == frame
