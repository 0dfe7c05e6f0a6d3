"""Writes tests/vectors/dlms/ours.jsonl: cases made with our own encoder, keys and titles made up.

    python -m tests.protocols.dlms.make_vectors

The expectations are written by hand; the encoder is proven by properties and by others' captures.
"""

import json
from pathlib import Path
from typing import Any

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.acse import AARE, AARQ, Context, Mechanism
from polymeter.protocols.dlms.apdus import (
    AttributeDescriptor,
    CaptureObject,
    DataNotification,
    EventNotificationRequest,
    ExceptionResponse,
    GeneralBlockTransfer,
    GeneralDedCiphering,
    GeneralGloCiphering,
    GetRequestNormal,
    GetResponseNormal,
    ServiceCiphering,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.compact_arrays import Description, compact_array
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.hdlc import LLC_COMMAND, Address, Frame, encode_frame
from polymeter.protocols.dlms.mbus_frames import Segment, encode_segment
from polymeter.protocols.dlms.security import Keys, protect
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.obis import OBIS, parse

KEY, AUTH = bytes(range(0x40, 0x50)), bytes(range(0x60, 0x70))
KEYS = Keys(KEY, AUTH, broadcast=KEY)
TITLE = b"XYZ\x10\x00\x00\x00\x01"
TIME = bytes.fromhex("07ea0301070c1e00ff800000")
CASES: list[dict[str, Any]] = []


def code(text: str) -> OBIS:
    found = parse(text)
    assert found is not None
    return found


def name(text: str) -> Item:
    return octet_string(bytes(code(text)))


def u32(value: int) -> Item:
    return Item(Tag.DOUBLE_LONG_UNSIGNED, value)


def u16(value: int) -> Item:
    return Item(Tag.LONG_UNSIGNED, value)


def i8(value: int) -> Item:
    return Item(Tag.INTEGER, value)


def scaler_unit(scaler: int, unit: int) -> Item:
    return structure(i8(scaler), Item(Tag.ENUM, unit))


def register(text: str, value: Item, scaler: int, unit: int) -> Item:
    return structure(name(text), value, scaler_unit(scaler, unit))


def push(body: Item, moment: bytes = TIME) -> bytes:
    return bytes(DataNotification(0x40000001, moment, Data.of(body)))


def ui(information: bytes, segmented: bool = False) -> bytes:
    return encode_frame(Frame("UI", Address(103), Address(1, 17, 2), information, segmented=segmented))


def sealed(plain: bytes, control: int = 0x30, counter: int = 7) -> bytes:
    return bytes(GeneralGloCiphering(TITLE, protect(plain, control, KEYS, TITLE, counter)))


def case(title: str, octets: bytes, readings: list[dict[str, Any]] | None = None, **more: Any) -> None:
    expect = {"valid": True, "meter": {}, "readings": readings or [], "count": None}
    options: dict[str, Any] = {"keys": [], "auth_key": None, "class": "push", "note": ""}
    for key, value in more.items():
        (expect if key in ("valid", "meter", "count", "encrypted", "frames", "plaintext") else options)[
            key
        ] = value
    CASES.append(
        {
            "name": title,
            "protocol": "dlms",
            "input": octets.hex(),
            **options,
            "expect": expect,
            "source": "polymeter, made by tests/protocols/dlms/make_vectors.py",
            "licence": "Apache-2.0",
            "tolerance": {"abs": "0", "rel": "0"},
        }
    )


def read(obis: str, value: str, unit: str | None = None, **more: str) -> dict[str, Any]:
    return {"obis": obis + "*255", "value": value, "unit": unit, **more}


LIST = array(
    structure(name("0-0:96.1.0"), octet_string(b"10000001")),
    register("1-0:1.7.0", u32(280), 0, 27),
    register("1-0:1.8.0", u32(123456), 1, 30),
    register("1-0:32.7.0", u16(2274), -1, 35),
    register("1-0:71.7.0", Item(Tag.LONG, -9), -1, 33),
)
LIST_READ = [
    read("0-0:96.1.0", "10000001", kind="text"),
    read("1-0:1.7.0", "280", "W"),
    read("1-0:1.8.0", "1234560", "Wh"),
    read("1-0:32.7.0", "227.4", "V"),
    read("1-0:71.7.0", "-0.9", "A"),
]


def make() -> None:
    plain = push(LIST)
    numbered = {"meter": {"id": "10000001"}, "count": 6}
    case("list-bare", plain, LIST_READ, **numbered)
    case("list-hdlc", ui(LLC_COMMAND + plain), LIST_READ, **numbered)
    halves = LLC_COMMAND + plain[:50], plain[50:]
    segments = ui(halves[0], True) + ui(halves[1])
    case("list-hdlc-segments", segments, LIST_READ, **numbered)
    case("list-hdlc-segments-shared-flag", ui(halves[0], True) + ui(halves[1])[1:], LIST_READ, **numbered)
    case("two-pushes-after-noise", b"\x7e\x11" + 2 * ui(LLC_COMMAND + plain), frames=3, valid=None)
    case("list-wrapper", encode_wrapper(Wrapper(1, 16, plain)), LIST_READ, **numbered)
    blocks = [GeneralBlockTransfer(0x40, 1, 0, plain[:60]), GeneralBlockTransfer(0xC0, 2, 0, plain[60:])]
    case("list-blocks-hdlc", b"".join(ui(bytes(block)) for block in blocks), LIST_READ, **numbered)
    case(
        "list-blocks-wrapper",
        b"".join(encode_wrapper(Wrapper(1, 16, bytes(block))) for block in blocks),
        LIST_READ,
        **numbered,
    )
    keyed = {"keys": [KEY.hex()], "auth_key": AUTH.hex(), "encrypted": True}
    meter = {"id": "10000001", "manufacturer": "XYZ"}
    case("ciphered", sealed(plain), LIST_READ, meter=meter, plaintext=plain.hex(), **keyed)
    case(
        "ciphered-no-authentication-key",
        sealed(plain),
        LIST_READ,
        meter=meter,
        keys=[KEY.hex()],
        encrypted=True,
    )
    case("ciphered-encrypted-only", sealed(plain, 0x20), LIST_READ, meter=meter, **keyed)
    case("ciphered-broadcast-key", sealed(plain, 0x70), LIST_READ, meter=meter, **keyed)
    case("authenticated-only-needs-no-key", sealed(plain, 0x10), LIST_READ, meter=meter)
    case("ciphered-unkeyed", sealed(plain), count=0, encrypted=True, **{"class": "unkeyed"})
    wrong = {"keys": ["00" * 16], "encrypted": True, "count": 0, "class": "unkeyed"}
    case("ciphered-wrong-key", sealed(plain), **wrong)
    ded = bytes(GeneralDedCiphering(TITLE, protect(plain, 0x30, KEYS, TITLE, 0)))
    case("ciphered-dedicated-counter-zero", ded, LIST_READ, **keyed)
    whole = sealed(plain)
    mbus = encode_segment(Segment(whole[:90], 0, False)) + encode_segment(Segment(whole[90:], 1))
    case("ciphered-mbus-segments", mbus, LIST_READ, meter=meter, **keyed)
    case("mbus-plain-one-segment", encode_segment(Segment(plain)), LIST_READ, **numbered)
    objects = [
        CaptureObject(40, code("0-0:25.9.0"), 2),
        CaptureObject(8, code("0-0:1.0.0"), 2),
        CaptureObject(3, code("7-0:13.2.0"), 2),
        CaptureObject(3, code("7-0:13.2.0"), 3),
        CaptureObject(1, code("0-0:96.5.4"), 2),
    ]
    body = structure(
        array(*(entry.item() for entry in objects)),
        octet_string(bytes.fromhex("07ea0301070600000000c480")),
        u32(1234567),
        scaler_unit(-3, 13),
        Item(Tag.UNSIGNED, 3),
    )
    case(
        "object-list-first-gas",
        push(body, b""),
        [
            read("7-0:13.2.0", "1234.567", "m3", timestamp="2026-03-01T06:00:00"),
            read("0-0:96.5.4", "3"),
        ],
        count=3,
    )
    pairs = structure(
        Item(Tag.VISIBLE_STRING, "LIST_1"),
        name("1-0:1.8.0"), u32(5), Item(Tag.NULL_DATA),
        name("1-0:2.8.0"), u32(6), Item(Tag.NULL_DATA),
        name("1-0:3.8.0"), Item(Tag.NULL_DATA),
        name("1-0:4.8.0"), Item(Tag.LONG64_UNSIGNED, 1 << 60),
    )  # fmt: skip
    case(
        "pairs-with-nulls-between",
        push(pairs),
        [read("1-0:1.8.0", "5"), read("1-0:2.8.0", "6"), read("1-0:4.8.0", str(1 << 60))],
        count=5,
    )
    flat = structure(
        name("1-0:1.8.0"), u32(5), i8(3), Item(Tag.ENUM, 30),
        name("1-0:32.7.0"), u16(2301), scaler_unit(-1, 35),
    )  # fmt: skip
    case(
        "pairs-with-scalers",
        push(flat),
        [read("1-0:1.8.0", "5000", "Wh"), read("1-0:32.7.0", "230.1", "V")],
        count=3,
    )
    described = array(
        structure(u16(3), name("1-0:1.8.0"), i8(2), u32(77)),
        structure(u16(1), name("0-0:96.1.1"), i8(2), octet_string(b"E1")),
    )
    case(
        "class-code-attribute-value",
        push(described),
        [read("1-0:1.8.0", "77"), read("0-0:96.1.1", "E1", kind="text")],
        count=3,
    )
    backwards = array(structure(u32(42), u16(3), scaler_unit(-2, 27), name("1-0:1.7.0")))
    case("value-first", push(backwards), [read("1-0:1.7.0", "0.42", "W")], count=2)
    bare = structure(octet_string(b"KFM_X"), u32(5852), octet_string(TIME), Item(Tag.FLOAT32, "0.1"))
    case(
        "bare-values",
        push(bare, b""),
        [
            {"value": "5852"},
            {"value": "0.1"},
            {"value": "KFM_X", "kind": "text"},
            {"value": "2026-03-01T12:30:00", "kind": "datetime"},
        ],
        count=4,
    )
    untagged = bytes.fromhex(
        "0f0000000100 0202 1601 01020202 0003 0100010800ff 02 06000000050202 0001 0000600101ff 02 09024131"
    )
    case(
        "descriptors-without-tags",
        untagged,
        [read("1-0:1.8.0", "5"), read("0-0:96.1.1", "A1", kind="text")],
        count=3,
    )
    swapped = bytes.fromhex("0f00000001000202060901001f0700ff120017")
    case("code-with-swapped-tag", swapped, [read("1-0:31.7.0", "23")], count=1)
    tagged_time = bytes.fromhex("0f00000001") + b"\x09\x0c" + TIME + axdr.encode(structure(u32(9)))
    case(
        "notification-time-with-a-tag",
        tagged_time,
        [{"value": "9", "timestamp": "2026-03-01T12:30:00"}],
        count=2,
    )
    rows = array(
        structure(octet_string(bytes.fromhex("07ea0301070000000000c400")), u32(10), i8(0)),
        structure(octet_string(bytes.fromhex("07ea0301070100000000c400")), u32(12), i8(0)),
    )
    profile = bytes(GetResponseNormal(0xC1, Data.of(rows)))
    case(
        "profile-buffer",
        profile,
        [
            {"value": "10", "timestamp": "2026-03-01T00:00:00"},
            {"value": "12", "timestamp": "2026-03-01T01:00:00"},
        ],
        count=6,
    )
    kind = Description(Tag.STRUCTURE, (Description(Tag.OCTET_STRING), Description(Tag.DOUBLE_LONG_UNSIGNED)))
    compact = compact_array(kind, structure(name("1-0:1.8.0"), u32(8)), structure(name("1-0:2.8.0"), u32(9)))
    case("compact-array", push(compact), [read("1-0:1.8.0", "8"), read("1-0:2.8.0", "9")], count=3)
    odd = structure(
        name("1-0:1.8.0"), Item(Tag.DELTA_LONG, -5),
        name("1-0:2.8.0"), Item(Tag.BCD, 42),
        name("1-0:3.8.0"), Item(Tag.FLOAT64, "-238.5"),
        name("0-0:97.97.0"), Item(Tag.UTF8_STRING, "Zähler"),
    )  # fmt: skip
    case(
        "rare-types",
        push(odd),
        [
            read("1-0:1.8.0", "-5"),
            read("1-0:2.8.0", "42"),
            read("1-0:3.8.0", "-238.5"),
            read("0-0:97.97.0", "Zähler", kind="text"),
        ],
        count=5,
    )
    event = EventNotificationRequest(
        TIME, AttributeDescriptor(1, code("0-0:96.11.0"), 2), Data.of(Item(Tag.UNSIGNED, 17))
    )
    case(
        "event-notification",
        bytes(event),
        [read("0-0:96.11.0", "17", timestamp="2026-03-01T12:30:00")],
        count=1,
    )
    refused = {"class": "device-error", "count": 0, "valid": None}
    case("exception-response", bytes(ExceptionResponse(1, 2)), **refused)
    case("get-refused", bytes(GetResponseNormal(0xC1, 3)), **refused)
    asked = GetRequestNormal(0xC1, AttributeDescriptor(3, code("1-0:1.8.0"), 2))
    told = GetResponseNormal(0xC1, Data.of(u32(4711)))
    talk = encode_wrapper(Wrapper(16, 1, bytes(asked))) + encode_wrapper(Wrapper(1, 16, bytes(told)))
    case("a-question-names-the-answer", talk, [read("1-0:1.8.0", "4711")], frames=2)
    client = b"XYZ\0\0\0\0\2"
    proposal = protect(bytes.fromhex("01000000065f1f0400001e1dffff"), 0x30, KEYS, client, 1)
    grant = protect(bytes.fromhex("0800065f1f0400001e1d04000007"), 0x30, KEYS, TITLE, 1)
    proposed, granted = bytes(ServiceCiphering.of(0x01, proposal)), bytes(ServiceCiphering.of(0x08, grant))
    session = [
        bytes(AARQ.of(Context.LN_CIPHERED, Mechanism.NONE, None, client, proposed)),
        bytes(AARE.of(Context.LN_CIPHERED, Mechanism.NONE, None, TITLE, granted)),
        bytes(ServiceCiphering.of(0xC0, protect(bytes(asked), 0x30, KEYS, client, 2))),
        bytes(ServiceCiphering.of(0xC4, protect(bytes(told), 0x30, KEYS, TITLE, 2))),
    ]
    wrapped = b"".join(
        encode_wrapper(Wrapper(16 if at % 2 == 0 else 1, 1 if at % 2 == 0 else 16, apdu))
        for at, apdu in enumerate(session)
    )
    case("titles-of-the-association-open-the-answer", wrapped, [read("1-0:1.8.0", "4711")], frames=4, **keyed)
    request = {"class": "request", "count": 0}
    case("association-request", session[0], **request)
    broken = bytearray(ui(LLC_COMMAND + plain))
    broken[-2] ^= 0xFF
    case("wrong-check-sequence", bytes(broken), valid=False, **{"class": "refuse"})
    case("wrong-check-sequence-lenient", bytes(broken), LIST_READ, lenient=True, valid=None)
    case("cut", plain[:-3], valid=False, **{"class": "refuse"})
    case("nested-too-deep", plain[:18] + b"\x02\x01" * 40 + b"\x00", valid=False, **{"class": "refuse"})
    case(
        "truncated-selection",
        bytes.fromhex("c001c100070100630100ff020101020402"),
        valid=False,
        **{"class": "refuse"},
    )


TARGET = Path(__file__).resolve().parents[2] / "vectors" / "dlms" / "ours.jsonl"


def written() -> str:
    """The file as it has to be: these cases and those of `push_shapes`."""
    from tests.protocols.dlms import push_shapes

    CASES.clear()
    make()
    push_shapes.make()
    assert len({entry["name"] for entry in CASES}) == len(CASES)
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in CASES)


if __name__ == "__main__":
    from tests.protocols.dlms import make_vectors  # not this module: `push_shapes` adds to that one's cases

    TARGET.write_text(make_vectors.written(), encoding="utf-8")
