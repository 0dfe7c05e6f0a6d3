"""The TCP and UDP wrapper."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.wrapper import Wrapper, decode_wrapper, encode_wrapper, wrapper_size
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

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
