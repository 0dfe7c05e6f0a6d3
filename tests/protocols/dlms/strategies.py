"""APDUs of every class, made from the very tables that encode them."""

from typing import Any

from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import base, fields, initiate, notify
from polymeter.protocols.dlms.apdus.short_names import _Nothing
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, octet_string, structure

octets = st.binary(max_size=150)
data = st.recursive(
    st.one_of(
        st.integers(0, 0xFFFF).map(lambda value: Item(Tag.LONG_UNSIGNED, value)),
        octets.map(octet_string),
        st.just(Item(Tag.NULL_DATA)),
    ),
    lambda inner: st.lists(inner, max_size=4).map(lambda items: structure(*items)),
    max_leaves=6,
).map(Data.of)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this kind may have."""
    match kind:
        case fields.Integer(size, signed):
            bits = 8 * size
            return (
                st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
                if signed
                else st.integers(0, (1 << bits) - 1)
            )
        case fields.Enumerated() | fields._Boolean():
            return st.integers(0, 255)
        case fields._Octets() | notify._TimeKind():
            return octets
        case fields.Fixed(size, make):
            return st.binary(min_size=size, max_size=size).map(make)
        case fields._Data():
            return data
        case fields.Optional(inner):
            return st.none() | values(inner)
        case fields.ListOf(inner):
            return st.lists(values(inner), max_size=4).map(tuple)
        case fields.Tupled(make, parts):
            return st.tuples(*[values(part) for _, part in parts]).map(lambda found: make(*found))
        case fields.Choice(kinds):
            return st.one_of(*[values(inner) for inner in kinds.values()])
        case initiate._ConformanceKind():
            both = st.integers(0, (1 << 24) - 1).map(initiate.Conformance)
            return both | both.map(initiate.NegotiatedConformance)
        case _Nothing():
            return st.none()
    raise AssertionError(f"no strategy for {kind!r}")


def apdus(cls: type[base.APDU]) -> st.SearchStrategy[base.APDU]:
    """APDUs of one class."""
    if cls.TITLE == "exception-response":
        counters = st.integers(0, (1 << 32) - 1)
        return st.tuples(st.integers(0, 255), st.integers(0, 5)).map(
            lambda codes: cls(*codes)
        ) | counters.map(lambda counter: cls(1, 6, counter))
    if "service" in cls.FIELDS and "content" in cls.FIELDS:
        return octets.map(lambda content: cls(cls.LAYOUT[0].tag, content))
    return st.tuples(*[values(kind) for kind in cls.LAYOUT]).map(lambda found: cls(*found))


CLASSES = sorted(base._CLASSES.items())
any_apdu = st.sampled_from([cls for _, cls in CLASSES]).flatmap(apdus)
