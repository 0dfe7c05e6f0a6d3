"""Decoding of whole inputs: conformance cases, trees, hostile bytes, the pitfalls of others."""

import random

import pytest

from polymeter.catalogue.decoding import decode_frames
from polymeter.protocols.dlms import axdr, decode, detect
from polymeter.protocols.dlms.apdus import DataNotification, GeneralBlockTransfer
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, octet_string, structure
from polymeter.protocols.dlms.hdlc import (
    LLC_COMMAND,
    Address,
    Frame,
    Parameters,
    encode_frame,
    encode_parameters,
)
from polymeter.protocols.wire import DecodeOptions
from tests.effort import check_linear
from tests.protocols.dlms import make_vectors
from tests.protocols.dlms.make_vectors import AUTH, KEY, LIST, TITLE, push, sealed, ui
from tests.vectors import Case, check_case, load_vectors, telegram, vector_id
from tools.fuzz_targets import check_cover

CASES = load_vectors("dlms")


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_vectors(case: Case) -> None:
    frames = decode_frames(
        telegram(case),
        "dlms",
        keys=case["keys"],
        auth_key=case["auth_key"],
        lenient=bool(case.get("lenient")),
    )
    assert not check_case(case, [frame.as_dict() for frame in frames])
    for frame in frames:
        check_cover(frame.decoded)


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_what_is_valid_is_recognised(case: Case) -> None:
    if case["expect"]["valid"] and case["class"] != "device-error":
        assert detect(telegram(case))


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_what_is_valid_is_decoded_without_being_told_the_protocol(case: Case) -> None:
    if case["expect"]["valid"] and case["class"] != "device-error":
        given = {name: case[name] for name in ("keys", "auth_key")}
        told, detected = (decode_frames(telegram(case), name, **given) for name in ("dlms", "auto"))
        assert [frame.readings for frame in detected] == [frame.readings for frame in told]


def test_our_cases_are_what_their_maker_makes() -> None:
    assert make_vectors.TARGET.read_text(encoding="utf-8") == make_vectors.written()


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_cut_at_every_byte_nothing_crashes_and_the_tree_is_whole(case: Case) -> None:
    data = telegram(case)
    options = DecodeOptions(tuple(bytes.fromhex(key) for key in case["keys"]))
    for cut in range(0, len(data), 1 + len(data) // 60):
        for frame in decode(data[:cut], options):
            check_cover(frame)
            assert frame.valid or frame.errors


def test_mutations_raise_nothing_and_agree_without_the_tree() -> None:
    chance = random.Random(11)
    seeds = [telegram(case) for case in CASES]
    options = DecodeOptions((KEY,), AUTH)
    for number in range(5000):
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 5)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        mutated = bytes(octets[: chance.randint(1, len(octets))] if number % 3 == 0 else octets)
        explained = decode(mutated, options)
        for frame in explained:
            check_cover(frame)
            assert frame.valid or frame.errors
        if number % 5 == 0:
            plain = decode(mutated, options, explain=False)
            assert [(frame.valid, frame.records) for frame in plain] == [
                (frame.valid, frame.records) for frame in explained
            ]
        detect(mutated)


PUSH = b"\x0f\0\0\0\0\0"
ENTRY = structure(
    Item(Tag.LONG_UNSIGNED, 3),
    octet_string(b"\1\0\1\x08\0\xff"),
    Item(Tag.INTEGER, 3),
    Item(Tag.LONG_UNSIGNED, 0),
)
SEGMENT = encode_frame(Frame("UI", Address(1), Address(2), b"x", segmented=True))
BLOCK = ui(bytes(GeneralBlockTransfer(0x40, 1, 0, b"x")))


def two(number: int) -> bytes:
    return number.to_bytes(2, "big")


HOSTILE = {
    "deep": lambda size: PUSH + b"\x02\x01" * (size // 2),
    "wide": lambda size: PUSH + b"\x02\x82" + two(size) + b"\0" * size,
    "empty structures": lambda size: PUSH + b"\x01\x82" + two(size // 2) + b"\x02\0" * (size // 2),
    "compact nulls": lambda size: PUSH + b"\x13\x01\xff\xff\0\x82" + two(size) + bytes(size),
    "compact structures": lambda size: PUSH + b"\x13\x02\x03\x11\0\0\x82" + two(size) + bytes(size),
    "flags": lambda size: b"\x7e" * size,
    "starts": lambda size: b"\x7e\xa0\x09" * (size // 3),
    "long starts": lambda size: b"\x7e\xa7\xff" * (size // 3),
    "M-Bus starts": lambda size: b"\x68\xf0\xf0\x68\x53\xff\0" * (size // 7),
    "tiny segments": lambda size: SEGMENT * (size // len(SEGMENT)),
    "tiny blocks": lambda size: BLOCK * (size // len(BLOCK)),
    "wrapper starts": lambda size: b"\xff" + b"\0\1\0\1\0\x10\0\x03\x0f" * (size // 9),
    "headers within each other": lambda size: b"\0\1\0\1\0\x10\x03\xff" * (size // 8),
    "long wrappers": lambda size: (b"\0\1\0\1\0\x10" + two(size // 2) + b"\x0f\xee") * (size // 10),
    "LLC headers": lambda size: LLC_COMMAND * (size // 3),
    "blocks without frames": lambda size: bytes(GeneralBlockTransfer(0x40, 2, 0, b"x")) * (size // 9),
    "APDUs without frames": lambda size: (PUSH + b"\x11\1") * (size // 8),
    "ciphered without frames": lambda size: sealed(b"x") * (size // 29),
    "LLC headers in a frame": lambda size: b"".join(
        ui((LLC_COMMAND + PUSH + b"\0") * 100) for _ in range(size // 1000)
    ),
    "object lists": lambda size: push(structure(*[ENTRY] * (size // 18))),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_pitfall_1_2_work_grows_at_most_linearly_with_the_input(kind: str) -> None:
    """Pitfalls 1 and 2: bounded counts, bounded nesting, no endless loops."""
    check_linear(HOSTILE[kind], lambda data: decode(data, explain=False), per_byte=400)


def test_each_trouble_with_keys_has_its_own_words() -> None:
    def words(data: bytes, *keys: bytes, auth: bytes | None = None) -> str:
        frames = decode(data, DecodeOptions(keys, auth))
        assert all(frame.valid for frame in frames)
        return "; ".join(problem.message for frame in frames for problem in frame.errors)

    message = sealed(push(LIST))
    assert "encryption key is missing" in words(message)
    assert "XYZ 1000000001" in words(message)
    assert "encryption key is wrong" in words(message, bytes(16), auth=AUTH)
    assert "authentication key is wrong" in words(message, KEY, auth=bytes(16))
    assert "not the sender's" in words(message.replace(TITLE, b"ABC" + TITLE[3:]), KEY, auth=AUTH)
    assert "16 octets" in words(message, b"short")
    wrapped = b"".join(b"\0\1\0\1\0\x10" + len(one).to_bytes(2, "big") + one for one in (message, message))
    assert "replayed" in words(wrapped, KEY, auth=AUTH)
    assert words(message, bytes(16), KEY, auth=AUTH) == ""


def test_without_an_authentication_key_what_comes_out_tells_the_right_key() -> None:
    message = sealed(push(LIST))
    for number in range(300):
        wrong = number.to_bytes(16, "big")
        (refused,) = decode(message, DecodeOptions((wrong,)))
        assert (refused.valid, refused.records) == (True, ())
        assert "encryption key is wrong" in refused.errors[0].message
        (opened,) = decode(message, DecodeOptions((wrong, KEY)))
        assert len(opened.records) == 6


def test_pitfall_6_without_an_authentication_key_the_tree_says_unverified() -> None:
    """Pitfall 6."""
    (frame,) = decode(sealed(push(LIST)), DecodeOptions((KEY,)))
    assert frame.tree is not None
    assert any("unverified" in (node.meaning or "") for node in frame.tree.walk())
    assert len(frame.records) == 6


def test_after_a_bad_frame_reading_goes_on() -> None:
    good = ui(b"\xe6\xe7\x00" + push(LIST))
    bad = bytearray(good)
    bad[40] ^= 1
    frames = decode(bytes(bad) + good + b"\x7e\xa0" + good[:20] + good)
    assert [frame.valid for frame in frames] == [False, True, False, True]
    assert frames[1].records == frames[3].records


def test_a_lenient_reader_believes_a_wrong_check_sequence_and_says_so() -> None:
    bad = bytearray(ui(push(LIST)))
    bad[-2] ^= 1
    (strict,) = decode(bytes(bad))
    (lenient,) = decode(bytes(bad), DecodeOptions(lenient=True))
    assert (strict.valid, lenient.valid) == (False, True)
    assert "frame check sequence" in lenient.errors[0].message
    assert len(lenient.records) == 6


def test_a_negotiation_is_explained() -> None:
    frame = encode_frame(
        Frame("SNRM", Address(1, 17, 2), Address(16), encode_parameters(Parameters(512, 512)))
    )
    (decoded,) = decode(frame)
    assert decoded.valid
    assert decoded.tree is not None
    assert [node.value for node in decoded.tree.walk() if "information field length" in node.name] == [
        512,
        512,
    ]


def test_long_answers_in_blocks_are_put_together() -> None:
    from polymeter.protocols.dlms.apdus import GetResponseWithDatablock
    from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper

    value = axdr.encode(LIST)
    blocks = [value[:40], value[40:80], value[80:]]
    stream = b"".join(
        encode_wrapper(Wrapper(1, 16, bytes(GetResponseWithDatablock(0xC1, at == 2, at + 1, block))))
        for at, block in enumerate(blocks)
    )
    frames = decode(stream)
    assert [len(frame.records) for frame in frames] == [0, 0, 5]
    for frame in frames:
        check_cover(frame)


def test_what_is_no_dlms_is_not_claimed() -> None:
    for data in (
        b"",
        b"/ISk5MT174\r\n",
        b"\x10\x5b\x01\x5c\x16",
        bytes(20),
        b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01",
        b"\x60\x05\xa2\x03\x02\x01\x00",
    ):
        assert detect(data) is None


def test_a_notification_from_the_library_decodes_as_itself() -> None:
    (frame,) = decode(bytes(DataNotification(1, b"", Data.of(LIST))))
    assert isinstance(frame.frame, DataNotification)


def test_a_list_of_bare_values_says_whose_it_is() -> None:
    texts = [octet_string(text) for text in (b"ABC_001", b"6970000000000001", b"MODEL3")]
    (frame,) = decode(push(structure(*texts, Item(Tag.UNSIGNED, 5))))
    assert (frame.meter.id, frame.meter.identification) == ("6970000000000001", "ABC_001 MODEL3")
    (frame,) = decode(push(LIST))
    assert (frame.meter.id, frame.meter.identification) == ("10000001", None)
    assert frame.meter.medium == "electricity"


def test_an_opened_envelope_tells_title_counter_and_proof() -> None:
    (frame,) = decode(sealed(push(LIST), counter=9), DecodeOptions((KEY,), AUTH))
    (seal,) = frame.seals
    assert (seal.system_title, seal.invocation_counter, seal.verified) == (TITLE, 9, True)
    (frame,) = decode(sealed(push(LIST), counter=9), DecodeOptions((KEY,)))
    assert [seal.verified for seal in frame.seals] == [False]
    (frame,) = decode(sealed(push(LIST), 0x20), DecodeOptions((KEY,)))
    assert [seal.verified for seal in frame.seals] == [None]
    assert KEY.hex() not in repr(frame.seals)
    (frame,) = decode(sealed(push(LIST)))
    assert frame.seals == ()
