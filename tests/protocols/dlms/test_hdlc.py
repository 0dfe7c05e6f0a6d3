"""HDLC frames, exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.hdlc import (
    Address,
    Frame,
    Parameters,
    decode_frame,
    decode_parameters,
    encode_frame,
    encode_parameters,
    scan,
)
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

seven = st.integers(0, 0x7F)
addresses = st.one_of(
    seven.map(Address),
    st.builds(Address, seven, seven, st.just(2)),
    st.builds(Address, st.integers(0, 0x3FFF), st.integers(0, 0x3FFF), st.just(4)),
)
kinds = st.sampled_from(["SNRM", "UA", "DISC", "DM", "FRMR", "UI"])
contents = st.binary(max_size=300)
frames = st.one_of(
    st.builds(Frame, kinds, addresses, addresses, contents, st.booleans(), st.booleans()),
    st.builds(
        Frame,
        st.sampled_from(["I"]),
        addresses,
        addresses,
        contents,
        st.booleans(),
        st.booleans(),
        st.integers(0, 7),
        st.integers(0, 7),
    ),
    st.builds(
        Frame,
        st.sampled_from(["RR", "RNR"]),
        addresses,
        addresses,
        poll_final=st.booleans(),
        receive=st.integers(0, 7),
    ),
)


@given(frames)
def test_pitfall_5_mixed_address_sizes_pass_both_check_sequences(frame: Frame) -> None:
    """Pitfall 5: the header check covers the addresses as received."""
    encoded = encode_frame(frame)
    assert decode_frame(encoded) == frame


@given(frames, frames, st.binary(max_size=20).map(lambda noise: noise.replace(b"\x7e", b"")))
def test_frames_are_found_in_noise_and_may_share_a_flag(first: Frame, second: Frame, noise: bytes) -> None:
    one, two = encode_frame(first), encode_frame(second)
    stream = noise + one + two[1:]
    start, end = scan(stream)
    assert stream[start:end] == one
    start, end = scan(stream, end - 1)
    assert stream[start:end] == two
    for cut in range(len(noise) + 1, len(noise) + len(one)):
        assert scan(stream[:cut]) == (len(noise), -1)


@given(frames, st.data())
def test_any_flipped_bit_is_an_error_with_its_place(frame: Frame, data: st.DataObject) -> None:
    encoded = bytearray(encode_frame(frame))
    at = data.draw(st.integers(1, len(encoded) - 2))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RemoteProtocolError) as caught:
        decode_frame(bytes(encoded))
    assert 0 <= caught.value.offset < len(encoded)


@given(st.binary(max_size=40))
def test_hostile_octets_raise_only_protocol_errors(noise: bytes) -> None:
    for data in (noise, b"\x7e\xa0" + noise, noise + b"\x7e"):
        start, end = scan(data)
        assert start <= len(data)
        try:
            decode_frame(data if end < 0 else data[start:end], problems=[])
        except RemoteProtocolError:
            continue


def test_a_wrong_check_sequence_can_be_a_note() -> None:
    encoded = bytearray(encode_frame(Frame("I", Address(1), Address(16), b"abc")))
    encoded[-2] ^= 1
    problems: list = []
    assert decode_frame(bytes(encoded), problems=problems).information == b"abc"
    assert [problem.offset for problem in problems] == [len(encoded) - 3]


def test_the_tree_covers_the_frame() -> None:
    encoded = encode_frame(Frame("UI", Address(1, 17, 2), Address(16), b"abc"))
    tree = Tree(encoded, "frame")
    decode_frame(encoded, tree)
    assert b"".join(leaf.raw for leaf in tree.finish().leaves()) == encoded


def test_parameters_as_meters_send_them() -> None:
    """The example of the public Green Book excerpts: 128 octets, windows of 1."""
    usual = bytes.fromhex("818012050180060180070400000001080400000001")
    assert decode_parameters(usual) == Parameters()
    assert encode_parameters(Parameters(2030, 2030, 1, 7)).hex() == (
        "818014050207ee060207ee070400000001080400000007"
    )
    assert decode_parameters(b"") == Parameters()
    assert decode_parameters(bytes.fromhex("8180030501ff")) == Parameters(255)
    for octets in ("81", "818005", "8180020502", "828000"):
        with pytest.raises(RemoteProtocolError):
            decode_parameters(bytes.fromhex(octets))


@given(st.builds(Parameters, *[st.integers(1, 0xFFFF)] * 2, *[st.integers(1, 7)] * 2))
def test_parameters_round_trip(parameters: Parameters) -> None:
    assert decode_parameters(encode_parameters(parameters)) == parameters


def test_what_does_not_fit_is_our_error() -> None:
    for frame in (
        Frame("I", Address(128), Address(1)),
        Frame("I", Address(1, 1, 3), Address(1)),
        Frame("I", Address(1), Address(1), bytes(2047)),
        Frame("I", Address(1), Address(1), send=8),
    ):
        with pytest.raises(LocalProtocolError):
            encode_frame(frame)
