"""Elements and messages of every kind that the grammar allows."""

from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, Element
from polymeter.protocols.sml.grammar import CHOICES, STRUCTURES, TAGS

__all__ = ["messages", "of_kind"]


@st.composite
def of_kind(draw: st.DrawFn, what: str, depth: int = 0) -> Element:
    """Any element that the grammar allows in place of `what`."""
    if draw(st.integers(0, 9)) == 0 or depth > 6:
        return ABSENT
    if what[0] == "[":
        count = draw(st.integers(0, 3))
        return sml.listing(*(draw(of_kind(what[1:-1], depth + 1)) for _ in range(count)))
    if what in STRUCTURES:
        return sml.listing(*(draw(of_kind(holds, depth + 1)) for _, holds in STRUCTURES[what]))
    if what in CHOICES and draw(st.booleans()):
        tag = draw(st.sampled_from(sorted(CHOICES[what])))
        return sml.listing(sml.unsigned(tag, 1), draw(of_kind(CHOICES[what][tag], depth + 1)))
    if what == "scaler":
        return sml.integer(draw(st.integers(-128, 127)), 1)
    if what in ("number", "unit", "time"):
        size = draw(st.integers(1, 8))
        return sml.unsigned(draw(st.integers(0, (1 << 8 * size) - 1)), size)
    if what == "boolean":
        return sml.boolean(draw(st.booleans()))
    if what == "value":
        return draw(
            st.one_of(of_kind("octets"), of_kind("number"), of_kind("boolean"), st.just(sml.integer(-5, 3)))
        )
    if what == "ProcParValue":
        return ABSENT
    return sml.octets(draw(st.binary(min_size=1, max_size=40)))


def messages(name: str) -> st.SearchStrategy[sml.Message]:
    """Messages with a body of this name."""
    return st.builds(
        sml.Message,
        st.binary(min_size=1, max_size=20),
        st.integers(0, 255),
        st.integers(0, 255),
        st.just(TAGS[name]),
        of_kind(name).filter(lambda element: element.value is not None),
        st.none(),
    )
