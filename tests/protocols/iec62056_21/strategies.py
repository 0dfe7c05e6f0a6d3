"""Hypothesis strategies: every frame that this protocol has, and conversations in pieces."""

from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import (
    BAUD_RATES,
    Acknowledge,
    Break,
    Command,
    DataMessage,
    DataSet,
    Identification,
    OptionSelect,
    Repeat,
    Request,
)

__all__ = ["cuts", "data_lines", "frames", "line_texts", "messages"]


def _texts(excluded: str, **sizes: int) -> st.SearchStrategy[str]:
    alphabet = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=excluded)
    return st.text(alphabet, **sizes)


line_texts = _texts("/!\\?", max_size=16)
set_texts = _texts("()*!/", max_size=20)
block_texts = _texts("", max_size=60)

identifications = st.builds(
    Identification,
    _texts("/?\\!", min_size=3, max_size=3),
    st.sampled_from([*BAUD_RATES, "A", "7", " "]),
    line_texts,
    _texts("/!", max_size=2),
)
requests = st.builds(Request, line_texts)
options = st.builds(OptionSelect, *[_texts("/!", min_size=1, max_size=1)] * 3)
commands = st.builds(
    Command,
    st.sampled_from(["P0", "P1", "P2", "R1", "R5", "W1", "W5", "E2"]),
    st.none() | block_texts,
    st.booleans(),
)
data_sets = st.builds(DataSet, set_texts, set_texts, st.none() | set_texts)
data_lines = st.lists(
    st.lists(data_sets, min_size=1, max_size=3).map(tuple).filter(lambda line: line[0].address != "!"),
    max_size=8,
).map(tuple)
messages = st.builds(DataMessage, block_texts, st.booleans())
frames = (
    identifications
    | requests
    | options
    | commands
    | messages
    | st.sampled_from([Acknowledge(), Repeat(), Break()])
)


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """`data` in pieces."""
    places = st.lists(st.integers(0, len(data)), max_size=8).map(sorted)
    return places.map(
        lambda at: [data[start:stop] for start, stop in zip([0, *at], [*at, len(data)], strict=True)]
    )
