"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may hold several telegrams, plain and ciphered, and anything between them. What lies
before a telegram belongs to it as noise, what follows the last one to that. A damaged telegram
gives an error with its place, and the reading goes on behind it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from polymeter.protocols.p1.ciphering import Damaged, decipher
from polymeter.protocols.p1.explain import explain_ciphered, explain_tag, explain_telegram
from polymeter.protocols.p1.frames import ENVELOPE, Ciphered, Telegram, decode_ciphered, read_telegram
from polymeter.protocols.p1.marks import find_span, without_parity
from polymeter.protocols.p1.readings import records
from polymeter.protocols.p1.sub_meters import identity
from polymeter.protocols.spans import Span
from polymeter.protocols.wire import (
    AccessDenied,
    Decoded,
    DecodeOptions,
    LocalProtocolError,
    MeterIdentity,
    Problem,
    Record,
    RemoteProtocolError,
    Tree,
    nothing_found,
)

__all__ = ["PROTOCOL", "decode", "detect"]

PROTOCOL: Final = "p1"
_BEGINNING: Final = re.compile(rb"[^\r\n]*\r?\n\r?\n(?:[^\r\n()]*\(|!)")


def detect(data: bytes) -> str | None:
    """Why `data` looks like P1, `None` if it does not."""
    data = without_parity(data)
    span = find_span(data)
    if span is None:
        return None
    frame = data[span.start : span.end]
    if frame.startswith(ENVELOPE):
        whole = span.sound and span.start == 0 and len(frame) == len(data)
        return "a general-glo-ciphering envelope" if whole else None
    if _BEGINNING.match(frame) is not None:
        return "/ … ! behind an empty line" if span.sound else "/ … with data lines behind an empty one"
    return "/ … ! with a good checksum" if span.sound and _is_checked(frame) else None


def _is_checked(frame: bytes) -> bool:
    """Whether a telegram has a checksum that fits."""
    telegram, problem = read_telegram(frame)
    return problem is None and telegram.checksum is not None


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every telegram of `data`. Never raises: what is wrong is told in the result.

    With `options.lenient` values are listed although the checksum or the tag does not fit.
    """
    stripped = without_parity(data)
    if stripped is not data:
        return [_with_parity(data, one) for one in _decode_all(stripped, options, explain)]
    return _decode_all(data, options, explain)


def _with_parity(data: bytes, decoded: Decoded) -> Decoded:
    """The same with the parity bits back in layer 0: every offset stays, only a bit is gone."""
    if decoded.tree is not None:
        start = decoded.layers[0].start
        for node in decoded.tree.walk():
            if node.layer == 0:
                node.raw = data[start + node.offset : start + node.offset + node.length]
        decoded.tree.meaning = "7 bits, even parity"
    return decoded


def _decode_all(data: bytes, options: DecodeOptions, explain: bool) -> list[Decoded]:
    spans: list[Span] = []
    at = 0
    while (span := find_span(data, at)) is not None:
        spans.append(span)
        assert span.end is not None  # only a stream leaves a frame open
        at = span.end
    if not spans:
        problem = f"{len(data)} bytes that begin no telegram"
        return [nothing_found(PROTOCOL, "nothing that P1 knows", problem, data, explain=explain)]
    found = []
    begin = 0
    for index, span in enumerate(spans):
        assert span.end is not None
        stop = span.end if index + 1 < len(spans) else len(data)
        found.append(_decode_span(data[begin:stop], begin, span, options, explain))
        begin = stop
    return found


def _decode_span(part: bytes, begin: int, span: Span, options: DecodeOptions, explain: bool) -> Decoded:
    """Decode the frame at `span` of an input, of which `part` is what belongs to it from `begin` on."""
    start = span.start - begin
    assert span.end is not None
    frame = part[start : span.end - begin]
    ciphered = frame.startswith(ENVELOPE)
    tree = Tree(part, "ciphered" if ciphered else "telegram", start=begin) if explain else None
    if tree is not None and start:
        tree.leaf("noise", 0, start, None, "before the telegram")
    if ciphered:
        decoded = _decode_envelope(frame, start, options, tree)
    else:
        decoded = _decode_plain(frame, start, 0, options, tree)
    if tree is not None:
        if start + len(frame) < len(part):
            tree.leaf("noise", start + len(frame), len(part), None, "after the telegram")
        decoded = replace(decoded, layers=tree.layers, tree=tree.finish())
    return decoded


def _decode_plain(
    frame: bytes, offset: int, layer: int, options: DecodeOptions, tree: Tree | None
) -> Decoded:
    try:
        telegram, damage = read_telegram(frame, offset)
    except RemoteProtocolError as error:
        return _refused(str(error), error.offset, layer)
    errors: list[Problem] = []
    if damage is not None:
        errors.append(Problem(str(damage), damage.offset, layer))
    found: list[Record] = []
    if damage is None or options.lenient:
        first = 1 + len(telegram.identification)
        raw = frame[first : first + len(telegram.data)]
        checked = telegram.checksum is not None and damage is None
        try:
            strict = not (checked or options.lenient)
            records(raw, offset + first, layer, strict=strict, into=found)
        except RemoteProtocolError as error:
            errors.append(Problem(str(error), error.offset, layer))
    meter = identity(telegram.identification, found)
    if tree is not None:
        explain_telegram(frame, telegram, offset, tree, sound=damage is None)
    why = "/ … ! with a good checksum" if telegram.checksum is not None else "/ … !, without a checksum"
    return Decoded(
        PROTOCOL,
        not errors,
        why if damage is None else "/ … !, but its checksum does not fit",
        meter,
        tuple(found),
        tuple(errors),
        frame=telegram,
    )


def _refused(
    message: str,
    offset: int,
    layer: int,
    *,
    encrypted: bool = False,
    frame: Ciphered | Telegram | None = None,
) -> Decoded:
    why = "a general-glo-ciphering envelope" if encrypted else "/ … and no ! line"
    title = frame.system_title.hex() if isinstance(frame, Ciphered) else None
    return Decoded(
        PROTOCOL,
        valid=False,
        why=why,
        meter=MeterIdentity(system_title=title),
        errors=(Problem(message, offset, layer),),
        encrypted=encrypted,
        frame=frame,
    )


def _decode_envelope(frame: bytes, offset: int, options: DecodeOptions, tree: Tree | None) -> Decoded:
    try:
        envelope = decode_ciphered(frame, offset)
    except RemoteProtocolError as error:
        return _refused(str(error), error.offset, 0, encrypted=True)
    content = offset + len(frame) - len(envelope.tag) - len(envelope.ciphertext)
    if tree is not None:
        explain_ciphered(envelope, offset, content, tree)
    decoded = _open_envelope(envelope, content, options, tree)
    if tree is not None:
        explain_tag(envelope, content, tree)
    return decoded


def _open_envelope(envelope: Ciphered, content: int, options: DecodeOptions, tree: Tree | None) -> Decoded:
    try:
        plaintext = decipher(envelope, options.keys, options.auth_key)
    except AccessDenied as error:
        refused = _refused(str(error), content, 0, encrypted=True, frame=envelope)
        return replace(refused, valid=not options.keys)
    except LocalProtocolError as error:
        return _refused(str(error), content, 0, encrypted=True, frame=envelope)
    except Damaged as error:
        refused = _refused(str(error), content, 0, encrypted=True, frame=envelope)
        if not options.lenient:
            return refused
        inner = _decode_plaintext(error.plaintext, options, tree, envelope)
        return replace(inner, valid=False, errors=(*refused.errors, *inner.errors))
    return _decode_plaintext(plaintext, options, tree, envelope)


def _decode_plaintext(
    plaintext: bytes, options: DecodeOptions, tree: Tree | None, envelope: Ciphered
) -> Decoded:
    """What was inside an envelope: a telegram, in a layer of its own."""
    below = tree.layer("deciphered", plaintext, "telegram") if tree is not None else None
    span = find_span(plaintext)
    if span is None or plaintext.startswith(ENVELOPE, span.start):
        inner = _refused(f"the content begins with {plaintext[:4].hex(' ')}: no P1 telegram", 0, 1)
        inner = replace(inner, encrypted=False)
    else:
        inner = _decode_plain(plaintext[span.start : span.end], span.start, 1, options, below)
    if below is not None:
        below.finish()
    meter = replace(inner.meter, system_title=envelope.system_title.hex())
    return replace(inner, meter=meter, why=f"ciphered, and inside {inner.why}")
