"""Shapes in which meters of many countries push: one case each, with what must come out.

The shapes are those seen in the field, in documents of network operators and in reports of people who read
their meters; bytes, numbers and keys are ours. `make_vectors` writes them among its own.
"""

from typing import Any

from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.apdus import (
    AgreedKey,
    DataNotification,
    GeneralBlockTransfer,
    GeneralCiphering,
    GeneralGloCiphering,
    GeneralSigning,
    IdentifiedKey,
    WrappedKey,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.compact_arrays import Description, compact_array
from polymeter.protocols.dlms.data import BitString, Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.hdlc import LLC_COMMAND, LLC_RESPONSE, Address, Frame, encode_frame
from polymeter.protocols.dlms.mbus_frames import Segment, encode_segment
from polymeter.protocols.dlms.security import Keys, protect
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from tests.protocols.dlms.make_vectors import (
    AUTH,
    KEY,
    KEYS,
    LIST,
    LIST_READ,
    TIME,
    TITLE,
    CaptureObject,
    case,
    code,
    i8,
    name,
    push,
    read,
    register,
    scaler_unit,
    sealed,
    u16,
    u32,
    ui,
)

MASTER = bytes(range(0x70, 0x80))
LONG_KEY, LONG_AUTH = bytes(range(32)), bytes(range(32, 64))
KEYED: dict[str, Any] = {"keys": [KEY.hex()], "auth_key": AUTH.hex(), "encrypted": True}
REFUSED: dict[str, Any] = {"valid": False, "class": "refuse"}
CLOCK = octet_string(bytes.fromhex("07ea0301070c1e00ff800000"))
MORNING = octet_string(bytes.fromhex("07ea030107060000ff800000"))
NOON, SIX = "2026-03-01T12:30:00", "2026-03-01T06:00:00"
NULL = Item(Tag.NULL_DATA)


def text(value: str) -> Item:
    return Item(Tag.VISIBLE_STRING, value)


def u8(value: int) -> Item:
    return Item(Tag.UNSIGNED, value)


def enum(value: int) -> Item:
    return Item(Tag.ENUM, value)


def listed(class_id: int, obis: str, attribute: int = 2, index: int = 0) -> Item:
    return CaptureObject(class_id, code(obis), attribute, index).item()


def objects(*entries: tuple[int, str] | tuple[int, str, int]) -> Item:
    return array(*(listed(*entry) for entry in entries))


def bare(value: str, **more: str) -> dict[str, Any]:
    return {"value": value, **more}


def moment(value: str, **more: str) -> dict[str, Any]:
    return {"value": value, "kind": "datetime", **more}


def wrapped(apdu: bytes) -> bytes:
    return encode_wrapper(Wrapper(1, 16, apdu))


def in_blocks(apdu: bytes, size: int) -> list[bytes]:
    parts = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    last = len(parts)
    return [
        bytes(GeneralBlockTransfer(0xC0 if number == last else 0x40, number, 0, part))
        for number, part in enumerate(parts, 1)
    ]


def in_segments(apdu: bytes, size: int) -> bytes:
    parts = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    return b"".join(
        encode_segment(Segment(part, number & 0x0F, number == len(parts) - 1))
        for number, part in enumerate(parts)
    )


def general(plain: bytes, key_info: Any, key: bytes = KEY, control: int = 0x30) -> bytes:
    """A general-ciphering envelope, its fields under the tag."""
    fields = (b"\0\0\0\0\0\0\0\7", TITLE, b"XYZ\0\0\0\0\2", TIME, b"")
    about = GeneralCiphering(*fields, key_info, b"").about
    content = protect(plain, control, Keys(key, AUTH, broadcast=key), TITLE, 7, about)
    return bytes(GeneralCiphering(*fields, key_info, content))


def make() -> None:
    _carriers()
    _damage()
    _envelopes()
    _times()
    _named_values()
    _lists()
    _bare_values()
    _odd_types()


def _carriers() -> None:
    plain, numbered = push(LIST), {"meter": {"id": "10000001"}, "count": 6}
    case("llc-without-frame", LLC_RESPONSE + plain, LIST_READ, **numbered)
    case(
        "apdus-one-after-the-other",
        plain + push(structure(u32(7))),
        [*LIST_READ, bare("7")],
        frames=2,
        count=8,
    )
    case("blocks-without-frame", b"".join(in_blocks(plain, 40)), LIST_READ, frames=1, **numbered)
    with_llc = b"".join(LLC_RESPONSE + block for block in in_blocks(plain, 40))
    case("blocks-with-llc-without-frame", with_llc, LIST_READ, frames=1, **numbered)
    blocks = in_blocks(sealed(plain), 50)
    hdlc = ui(LLC_RESPONSE + blocks[0]) + b"".join(map(ui, blocks[1:]))
    case("ciphered-in-blocks-hdlc", hdlc, LIST_READ, frames=1, **KEYED)
    case("ciphered-in-blocks-wrapper", b"".join(map(wrapped, blocks)), LIST_READ, frames=1, **KEYED)
    long_block = LLC_RESPONSE + in_blocks(plain, 90)[0]
    segmented = ui(long_block[:50], True) + ui(long_block[50:]) + ui(in_blocks(plain, 90)[1])
    case("blocks-in-segments-hdlc", segmented, LIST_READ, frames=1, **numbered)
    repeated = [*in_blocks(plain, 60)[:1] * 2, *in_blocks(plain, 60)[1:]]
    case("a-block-twice", b"".join(map(ui, repeated)), LIST_READ, frames=1, **numbered)
    small = [
        push(structure(u32(10 + number), u32(0)), TIME[:6] + bytes((number,)) + TIME[7:])
        for number in range(3)
    ]
    frame = ui(b"".join(LLC_RESPONSE + apdu for apdu in small))
    powers = [bare(str(10 + n), timestamp=f"2026-03-01T12:0{n}:00") for n in range(3)]
    case("three-apdus-in-one-frame", frame, powers, frames=1, count=9)
    case("mbus-three-segments", in_segments(sealed(plain), 60), LIST_READ, frames=1, **KEYED)
    case("mbus-seventeen-segments", in_segments(plain, 8), LIST_READ, frames=1, **numbered)
    case("mbus-two-messages", 2 * in_segments(plain, 60), [*LIST_READ, *LIST_READ], frames=2)
    body = b"\x53\xff\x00\x01\x67" + sealed(push(structure(octet_string(bytes(190)), u32(7), LIST)))[:252]
    rest = sealed(push(structure(octet_string(bytes(190)), u32(7), LIST)))[252:]
    overflown = b"\x68\x01\x01\x68" + body + bytes((sum(body) & 0xFF, 0x16))
    case(
        "mbus-length-overflown",
        overflown + encode_segment(Segment(rest, 1)),
        [*LIST_READ, bare("7")],
        frames=1,
        **KEYED,
        note="A segment of 257 octets says that it has 1, as Sagemcom's T210-D does.",
    )
    ports = encode_frame(Frame("UI", Address(103), Address(1, 17, 4), LLC_COMMAND + plain, poll_final=False))
    case("hdlc-long-addresses", ports, LIST_READ, **numbered)
    case("hdlc-without-llc", ui(plain), LIST_READ, **numbered)
    case(
        "hdlc-many-flags",
        b"\x7e\x7e" + ui(LLC_COMMAND + plain) + b"\x7e\x7e\x7e" + ui(plain) + b"\x7e",
        frames=2,
    )
    numbered_frame = Frame("I", Address(103), Address(1, 17, 2), LLC_RESPONSE + plain, True, False, 3, 5)
    case("hdlc-information-frame", encode_frame(numbered_frame), LIST_READ, **numbered)
    case("wrappers-of-two-meters", wrapped(plain) + encode_wrapper(Wrapper(2, 16, plain)), frames=2)


def _damage() -> None:
    plain = push(LIST)
    good = ui(LLC_RESPONSE + plain)
    lost_end = ui((LLC_RESPONSE + plain)[:60], True) + good
    case("rest-of-segments-lost", lost_end, LIST_READ, frames=2, valid=None)
    lost_begin = ui(plain[57:]) + good
    case("begin-of-segments-lost", lost_begin, LIST_READ, frames=2, valid=None)
    blocks = [ui(block) for block in in_blocks(plain, 30)]
    assert len(blocks) > 3
    case("a-block-lost", b"".join((blocks[0], *blocks[2:], *blocks)), LIST_READ, frames=2, valid=None)
    case("last-block-lost", b"".join((*blocks[:-1], *blocks)), LIST_READ, frames=2, valid=None)
    case("blocks-unfinished", b"".join(blocks[:-1]), **REFUSED)
    case("wrapper-after-noise", b"\xff\x13\x37" + wrapped(plain), LIST_READ, frames=2, valid=None)
    case(
        "wrapper-between-noise", b"\xff" + wrapped(plain) + b"\xaa\xbb" + wrapped(plain), frames=4, valid=None
    )
    case(
        "hdlc-after-noise",
        b"\x11\x22\x33" + good + b"\x55" + good,
        [*LIST_READ, *LIST_READ],
        frames=4,
        valid=None,
    )
    case("mbus-after-noise", b"\x11\x22\x33" + in_segments(plain, 60), LIST_READ, frames=2, valid=None)
    broken = bytearray(in_segments(plain, 60))
    broken[30] ^= 1
    case("mbus-wrong-checksum", bytes(broken), **REFUSED)
    broken = bytearray(in_segments(plain, 60))
    broken[69] ^= 1
    case("mbus-wrong-checksum-lenient", bytes(broken), LIST_READ, lenient=True, frames=1, count=6)
    case("mbus-second-segment-only", in_segments(plain, 60)[71:], **REFUSED)
    case("mbus-cut", in_segments(plain, 60)[:100], **REFUSED)
    case("wrapper-cut", wrapped(plain)[:-1], **REFUSED)
    case("octets-after-the-apdu", plain + b"\x02", **REFUSED)


def _envelopes() -> None:
    plain = push(LIST)
    meter = {"id": "10000001", "manufacturer": "XYZ"}
    case("general-ciphering", general(plain, None), LIST_READ, meter=meter, plaintext=plain.hex(), **KEYED)
    case("general-ciphering-identified-key", general(plain, IdentifiedKey(0)), LIST_READ, **KEYED)
    case(
        "general-ciphering-broadcast-key", general(plain, IdentifiedKey(1), control=0x70), LIST_READ, **KEYED
    )
    wrapped_key = WrappedKey(0, aes_key_wrap(MASTER, KEY))
    master = {**KEYED, "keys": [KEY.hex(), MASTER.hex()]}
    case("general-ciphering-wrapped-key", general(plain, wrapped_key), LIST_READ, **master)
    agreed = general(plain, AgreedKey(b"\1", bytes(64)))
    case("general-ciphering-agreed-key", agreed, count=0, **{**KEYED, "class": "unkeyed"})
    case("general-ciphering-unkeyed", general(plain, None), count=0, encrypted=True, **{"class": "unkeyed"})
    case("general-ciphering-hdlc", ui(LLC_RESPONSE + general(plain, None)), LIST_READ, **KEYED)
    signed = GeneralSigning(b"\1", TITLE, b"", b"", b"", sealed(plain), bytes(64))
    case("signed-and-ciphered", bytes(signed), LIST_READ, **KEYED)
    for suite, key, auth in ((1, KEY, AUTH), (2, LONG_KEY, LONG_AUTH)):
        content = protect(plain, 0x30 | suite, Keys(key, auth), TITLE, 7)
        keyed = {"keys": [key.hex()], "auth_key": auth.hex(), "encrypted": True}
        case(f"ciphered-suite-{suite}", bytes(GeneralGloCiphering(TITLE, content)), LIST_READ, **keyed)
    untold = bytes(GeneralGloCiphering(b"", protect(plain, 0x30, KEYS, TITLE, 7)))
    case("ciphered-title-untold", untold, count=0, **{**KEYED, "class": "unkeyed"})
    several = {**KEYED, "keys": ["00" * 16, MASTER.hex(), KEY.hex()]}
    case("ciphered-third-key-fits", sealed(plain), LIST_READ, **several)
    untagged = bytes.fromhex("0f0000000100 0202 1601 0101 0202 0003 0100010800ff 02 0600000005")
    case("ciphered-descriptors-without-tags", sealed(untagged), [read("1-0:1.8.0", "5")], count=2, **KEYED)


def _times() -> None:
    body = axdr.encode(structure(name("1-0:1.8.0"), u32(9)))
    head = bytes.fromhex("0f00000001")
    untimed = [read("1-0:1.8.0", "9")]
    timed = [read("1-0:1.8.0", "9", timestamp=NOON)]
    case("time-empty", head + b"\0" + body, untimed, count=1)
    case("time-left-out", head + body, untimed, count=1, note="Not even the length octet of no time.")
    case("time-tagged-as-date-time", head + b"\x19" + TIME + body, timed, count=2)
    case("time-tagged-as-octets", head + b"\x09\x0c" + TIME + body, timed, count=2)
    case("time-of-one-octet", head + b"\x01\x00" + body, untimed, count=1)
    case("time-of-wildcards", head + b"\x0c" + b"\xff" * 9 + b"\x80\x00\xff" + body, untimed, count=1)
    zoned = bytes.fromhex("07ea0701030c1e00ffff8880")
    offset = [read("1-0:1.8.0", "9", timestamp="2026-07-01T12:30:00")]
    case("time-with-deviation", head + b"\x0c" + zoned + body, offset, count=2)
    clock = structure(structure(name("0-0:1.0.0"), CLOCK), structure(name("1-0:1.8.0"), u32(9)))
    case("time-in-the-body", push(clock, b""), [moment(NOON, obis="0-0:1.0.0*255"), *timed], count=2)


def _named_values() -> None:
    """Each value comes with its code."""
    energy = read("1-0:1.8.0", "1234560", "Wh")
    volts = read("1-0:32.7.0", "230.1", "V")
    scale, volt = scaler_unit(1, 30), scaler_unit(-1, 35)
    wh, v = u32(123456), u16(2301)
    e, u = name("1-0:1.8.0"), name("1-0:32.7.0")

    def shape(title: str, body: Item, readings: list[dict[str, Any]], count: int, **more: Any) -> None:
        case(title, push(body), readings, count=count + 1, **more)

    both = [energy, volts]
    shape("code-value-scaler", array(structure(e, wh, scale), structure(u, v, volt)), both, 2)
    shape("code-scaler-value", array(structure(e, scale, wh), structure(u, volt, v)), both, 2)
    shape("code-scaler-value-flat", structure(e, scale, wh, u, volt, v), both, 2)
    shape("code-value-scaler-unit-in-a-row", array(structure(e, wh, i8(1), enum(30))), [energy], 1)
    shape("code-attribute-value", array(structure(e, i8(2), wh), structure(u, i8(2), v)),
        [read("1-0:1.8.0", "123456"), read("1-0:32.7.0", "2301")], 2)  # fmt: skip
    shape("class-code-attribute-value-scaler", array(structure(u16(3), e, i8(2), wh, scale)), [energy], 1)
    shape("class-code-value", array(structure(u16(3), e, wh), structure(u16(3), u, v)),
        [read("1-0:1.8.0", "123456"), read("1-0:32.7.0", "2301")], 2)  # fmt: skip
    shape("class-code-value-scaler", array(structure(u16(3), e, wh, scale)), [energy], 1)
    shape(
        "class-code-bare-scaler-value",
        array(structure(u16(3), u, i8(-1), v)),
        [read("1-0:32.7.0", "230.1")],
        1,
    )
    shape("class-code-attribute-flat", structure(u16(3), e, i8(2), wh, u16(3), u, i8(2), v),
        [read("1-0:1.8.0", "123456"), read("1-0:32.7.0", "2301")], 2)  # fmt: skip
    shape("descriptor-in-one-string", array(
        structure(octet_string(b"\0\3" + bytes(code("1-0:1.8.0")) + b"\2"), wh),
        structure(octet_string(b"\0\3" + bytes(code("1-0:32.7.0"))), v, volt),
    ), [read("1-0:1.8.0", "123456"), volts], 2)  # fmt: skip
    shape("code-in-words", array(
        structure(text("1-0:1.8.0*255"), wh, scale), structure(octet_string(b"32.7.0"), v, volt)
    ), both, 2)  # fmt: skip
    shape("value-scaler-code", array(structure(wh, scale, e), structure(v, volt, u)), both, 2)
    shape("value-code", array(structure(wh, e)), [read("1-0:1.8.0", "123456")], 1)
    shape("code-and-pair-of-value-and-scaler", array(
        structure(e, structure(wh, scale)), structure(u, structure(volt, v))
    ), both, 2)  # fmt: skip
    shape("code-value-scaler-time", array(structure(e, wh, scale, MORNING)), [energy | {"timestamp": SIX}], 2)
    shape(
        "code-value-time", array(structure(e, wh, MORNING)), [read("1-0:1.8.0", "123456", timestamp=SIX)], 2
    )
    shape("code-value-status-time", array(structure(e, wh, u8(0), MORNING)),
        [read("1-0:1.8.0", "123456", timestamp=SIX), bare("0")], 3)  # fmt: skip
    shape("code-and-pair-of-value-and-time", array(structure(e, structure(wh, MORNING))),
        [read("1-0:1.8.0", "123456", timestamp=SIX)], 1)  # fmt: skip
    shape("time-code-value-scaler", array(structure(MORNING, e, wh, scale)), [energy | {"timestamp": SIX}], 2)
    shape(
        "all-attributes-of-a-register",
        array(structure(u16(3), e, i8(0), structure(e, wh, scale))),
        [energy],
        1,
    )
    shape("scaler-as-an-attribute", array(
        structure(u16(3), e, i8(3), scale), structure(u16(3), e, i8(2), wh),
        structure(u16(3), u, i8(2), v), structure(u16(3), u, i8(3), volt),
    ), both, 2)  # fmt: skip
    shape("scalers-in-a-list-of-their-own", structure(
        array(structure(e, wh), structure(u, v)), array(structure(e, scale), structure(u, volt))
    ), both, 2)  # fmt: skip
    shape("capture-time-as-an-attribute", array(
        structure(u16(4), name("1-0:1.6.0"), i8(2), u32(5)),
        structure(u16(4), name("1-0:1.6.0"), i8(5), MORNING),
    ), [read("1-0:1.6.0", "5", timestamp=SIX), moment(SIX)], 2)  # fmt: skip
    shape("demand-register-by-attributes", array(
        structure(u16(5), name("1-0:1.4.0"), i8(2), u32(7)),
        structure(u16(5), name("1-0:1.4.0"), i8(3), u32(8)),
        structure(u16(5), name("1-0:1.4.0"), i8(4), scaler_unit(1, 27)),
    ), [read("1-0:1.4.0", "70", "W"), read("1-0:1.4.0", "80", "W")], 2)  # fmt: skip
    shape("null-for-a-value", structure(e, NULL, scale, u, v, volt), [volts], 1)
    shape("nulls-behind-values", structure(e, wh, NULL, u, v, NULL),
        [read("1-0:1.8.0", "123456"), read("1-0:32.7.0", "2301")], 2)  # fmt: skip
    shape(
        "time-first-then-pairs",
        structure(CLOCK, e, wh, u, v),
        [moment(NOON), read("1-0:1.8.0", "123456", timestamp=NOON), read("1-0:32.7.0", "2301")],
        3,
    )
    number = octet_string(b"1812200009")
    shape("time-first-then-triples-then-number", structure(CLOCK, e, wh, scale, u, v, volt, number),
        [*both, bare("1812200009", kind="text")], 4)  # fmt: skip
    shape("pair-then-structures", structure(
        name("0-0:1.0.0"), CLOCK,
        structure(name("0-0:96.1.0"), octet_string(b"1KFM0200")), register("1-0:1.8.0", wh, 1, 30),
    ), [
        moment(NOON, obis="0-0:1.0.0*255"), read("0-0:96.1.0", "1KFM0200", kind="text"), energy,
    ], 3)  # fmt: skip
    factor = structure(name("1-0:13.7.0"), Item(Tag.LONG, 859), scaler_unit(-3, 255))
    shape("count-without-unit", array(factor), [read("1-0:13.7.0", "0.859")], 1)
    kind = Description(Tag.STRUCTURE, (
        Description(Tag.OCTET_STRING), Description(Tag.DOUBLE_LONG_UNSIGNED),
        Description(Tag.STRUCTURE, (Description(Tag.INTEGER), Description(Tag.ENUM))),
    ))  # fmt: skip
    shape("compact-array-with-scalers", compact_array(
        kind, structure(e, wh, scale), structure(u, u32(2301), volt)
    ), both, 2)  # fmt: skip
    more = push(structure(e, wh, u, v))
    fewer = more.replace(b"\x02\x04\x09", b"\x02\x02\x09")
    case(
        "more-values-than-announced",
        fewer,
        [read("1-0:1.8.0", "123456"), read("1-0:32.7.0", "2301")],
        count=3,
    )
    shape("code-of-another-period", array(structure(octet_string(b"\1\0\1\x08\0\x65"), wh, scale)),
        [{"obis": "1-0:1.8.0*101", "value": "1234560", "unit": "Wh"}], 1)  # fmt: skip


def _lists() -> None:
    """What is pushed is said once, then come the values."""
    four = ((8, "0-0:1.0.0"), (1, "0-0:96.1.0"), (3, "1-0:1.8.0"), (3, "1-0:1.7.0"))
    values = (CLOCK, octet_string(b"10000001"), u32(5), u32(6))
    said = [
        moment(NOON, obis="0-0:1.0.0*255"),
        read("0-0:96.1.0", "10000001", kind="text"),
        read("1-0:1.8.0", "5", timestamp=NOON),
        read("1-0:1.7.0", "6", timestamp=NOON),
    ]
    setup = (40, "0-8:25.9.0")

    def shape(title: str, body: Item, readings: list[dict[str, Any]], count: int, **more: Any) -> None:
        case(title, push(body, b""), readings, count=count, **more)

    shape("list-then-values", structure(objects(*four), *values), said, 4)
    shape("list-then-a-structure-of-values", structure(objects(*four), structure(*values)), said, 4)
    shape("list-then-an-array-of-values", structure(objects(*four[2:]), array(u32(5), u32(6))),
        [read("1-0:1.8.0", "5"), read("1-0:1.7.0", "6")], 2)  # fmt: skip
    shape("list-is-its-own-first-value", structure(objects(setup, *four), *values), said, 4)
    two_names = (setup, (40, "0-8:25.9.0", 1))
    own_name = octet_string(bytes(code("0-8:25.9.0")))
    shape("list-and-its-own-name", structure(objects(*two_names, *four), own_name, *values), said, 5)
    shape(
        "list-is-its-own-second-value",
        structure(CLOCK, objects(four[0], setup, *four[1:]), *values[1:]),
        said[1:],
        4,
    )
    shape("list-after-a-text", structure(text("LIST_1"), objects(*four), *values), said, 5)
    shape("list-then-values-then-more", structure(objects(*four), *values, u32(77)), [*said, bare("77")], 5)
    with_scalers = ((3, "1-0:1.8.0"), (3, "1-0:1.8.0", 3), (3, "1-0:32.7.0"), (3, "1-0:32.7.0", 3))
    scaled = [read("1-0:1.8.0", "50", "Wh"), read("1-0:32.7.0", "230.1", "V")]
    shape("list-with-scalers", structure(
        objects(*with_scalers), u32(5), scaler_unit(1, 30), u16(2301), scaler_unit(-1, 35)
    ), scaled, 2)  # fmt: skip
    shape("list-values-scalers", structure(
        objects(with_scalers[0], with_scalers[2]), structure(u32(5), u16(2301)),
        array(scaler_unit(1, 30), scaler_unit(-1, 35)),
    ), scaled, 2)  # fmt: skip
    codes = array(name("1-0:1.8.0"), name("1-0:32.7.0"))
    shape("codes-then-values", structure(codes, structure(u32(5), u16(2301))),
        [read("1-0:1.8.0", "5"), read("1-0:32.7.0", "2301")], 2)  # fmt: skip
    shape("codes-then-values-then-scalers", structure(
        codes, structure(u32(5), u16(2301)), array(scaler_unit(1, 30), scaler_unit(-1, 35))
    ), scaled, 2)  # fmt: skip
    extended = ((4, "1-0:1.6.0"), (4, "1-0:1.6.0", 3), (4, "1-0:1.6.0", 5))
    shape("list-with-capture-time", structure(objects(*extended), u32(5), scaler_unit(1, 27), MORNING),
        [read("1-0:1.6.0", "50", "W", timestamp=SIX)], 2)  # fmt: skip
    whole = objects((3, "1-0:1.8.0", 0), (70, "0-0:96.3.10", 3))
    shape("list-of-whole-objects", structure(
        whole, structure(name("1-0:1.8.0"), u32(5), scaler_unit(1, 30)), enum(1)
    ), [read("1-0:1.8.0", "50", "Wh"), read("0-0:96.3.10", "1")], 2)  # fmt: skip
    columns = ((8, "0-0:1.0.0"), (1, "0-0:96.10.1"), (3, "1-0:1.8.0"))
    rows = array(structure(MORNING, u8(0), u32(5)), structure(CLOCK, u8(8), u32(6)))
    profile = [
        read("1-0:1.8.0", "5", timestamp=SIX), read("0-0:96.10.1", "0", timestamp=SIX),
        read("1-0:1.8.0", "6", timestamp=NOON), read("0-0:96.10.1", "8", timestamp=NOON),
    ]  # fmt: skip
    shape("list-then-rows", structure(objects(*columns), rows), profile, 6)
    buffer = ((7, "1-0:99.1.0", 3), (7, "1-0:99.1.0"))
    shape("list-with-a-profile", structure(objects(*buffer), objects(*columns), rows), profile, 6)
    shape("number-then-rows", structure(octet_string(b"10064526"), rows),
        [bare("10064526", kind="text"), bare("5", timestamp=SIX), bare("6", timestamp=NOON)], 7)  # fmt: skip
    case("list-without-values", push(structure(objects(*four), u32(1)), b""), [bare("1")], count=17,
        note="Its values are not there, so no reading may be named by the list.")  # fmt: skip
    version = array(structure(*listed(3, "1-0:1.8.0").value, structure(enum(0), NULL), array()))
    shape("list-of-a-later-version", structure(version, u32(5)), [read("1-0:1.8.0", "5")], 1)
    short = array(*(structure(*listed(*entry).value[:3]) for entry in four[2:]))
    shape("list-of-three-fields", structure(short, u32(5), u32(6)),
        [read("1-0:1.8.0", "5"), read("1-0:1.7.0", "6")], 2)  # fmt: skip


def _bare_values() -> None:
    """Only the push setup knows what they are: all must be there, none with a name that it has not."""
    vienna = structure(
        CLOCK, u32(222813), u32(13818), u32(10442), u32(116328), u32(2765), u32(0), u32(0), u32(428)
    )
    case("bare-time-and-energies", push(vienna), [bare("222813"), bare("428", timestamp=NOON)], count=10)
    graz = structure(u16(228), u16(226), u16(230), u16(781), u32(5432), octet_string(b"30052002"))
    case("bare-number-last", push(graz), [bare("228"), bare("5432"), bare("30052002", kind="text")], count=7)
    carinthia = structure(
        name("0-6:25.9.0"), octet_string(b"1121378381199"), octet_string(b"\x15\x0b\x11\x00"),
        octet_string(bytes.fromhex("07e8050702")), u32(14370048), u32(420837), octet_string(b""),
    )  # fmt: skip
    case("bare-date-and-time-apart", push(carinthia), [
        bare("1121378381199", kind="text"), bare("14370048"), bare("2024-05-07", kind="date"),
        bare("150b1100", kind="opaque"),
    ], count=7)  # fmt: skip
    case("bare-one-value", push(structure(u32(55))), [bare("55", timestamp=NOON)], count=2)
    case("bare-value-alone", push(u32(55)), [bare("55", timestamp=NOON)], count=2)
    case("bare-nested", push(structure(structure(u32(1), structure(u32(2), u32(3))), array(u32(4)))),
        [bare("1"), bare("2"), bare("3"), bare("4")], count=5)  # fmt: skip
    event = structure(
        octet_string(b"XYZ0000000000001"), name("0-7:25.9.0"), MORNING, name("0-0:96.11.0"), u8(17)
    )
    case("event-with-code-and-time", push(event), [read("0-0:96.11.0", "17"), moment(SIX)], count=4)


def _odd_types() -> None:
    def one(value: Item) -> Item:
        return structure(name("0-0:96.5.0"), value)

    def shape(title: str, value: Item, expected: str, **more: str) -> None:
        case(f"value-{title}", push(one(value), b""), [read("0-0:96.5.0", expected, **more)], count=1)

    shape("boolean", Item(Tag.BOOLEAN, True), "1")
    shape("bit-string", Item(Tag.BIT_STRING, BitString(8, b"\xa5")), "10100101", kind="opaque")
    shape("enum", enum(3), "3")
    shape("bcd", Item(Tag.BCD, 42), "42")
    shape("float", Item(Tag.FLOAT32, "230.1"), "230.1")
    shape("double", Item(Tag.FLOAT64, "0.1"), "0.1")
    shape("long64", Item(Tag.LONG64, -(1 << 62)), str(-(1 << 62)))
    shape("utf8", Item(Tag.UTF8_STRING, "Zähler"), "Zähler", kind="text")
    shape("visible", text("AB 12"), "AB 12", kind="text")
    shape("date-time", Item(Tag.DATE_TIME, TIME), NOON, kind="datetime")
    shape("date", Item(Tag.DATE, TIME[:5]), "2026-03-01", kind="date")
    shape("time", Item(Tag.TIME, TIME[5:9]), "12:30:00", kind="text")
    shape("octets", octet_string(b"\x01\x02\x03"), "010203", kind="opaque")
    compound = push(one(structure(u8(1), u8(2))), b"")
    case("value-compound", compound, [read("0-0:96.5.0", "1"), read("0-0:96.5.0", "2")], count=2)
    floats = push(structure(name("1-0:32.7.0"), Item(Tag.FLOAT32, "2301"), scaler_unit(-1, 35)), b"")
    case("value-float-scaled", floats, [read("1-0:32.7.0", "230.1", "V")], count=1)
    notification = bytes(DataNotification(1, b"", Data.of(array())))
    case("nothing-at-all", notification, count=0)
