"""What follows the CI field: header and records, or one of the small messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.mbus import security
from polymeter.protocols.mbus.control import (
    BAUD_RATES,
    CI_NAMES,
    MSB_FIRST,
    RESET_SUBCODES,
    application_error,
)
from polymeter.protocols.mbus.data_types import decode_local_time
from polymeter.protocols.mbus.explain import explain_records
from polymeter.protocols.mbus.fixed import FIXED_SIZE, FixedData, decode_fixed, explain_fixed, fixed_records
from polymeter.protocols.mbus.records import decode_records
from polymeter.protocols.mbus.tpl import (
    LONG_HEADER_SIZE,
    SHORT_HEADER_SIZE,
    LongHeader,
    ShortHeader,
    decode_long_header,
    decode_manufacturer,
    decode_short_header,
    explain_header,
    medium_name,
    status_text,
)
from polymeter.protocols.wire import Problem, Record, RemoteProtocolError, Tree

__all__ = ["Body", "read_body"]

_OPAQUE: Final = ("opaque", "none", "opaque")
_CLOCK_SIZE: Final = 7
"""TC field and six bytes of time; some that are reserved may follow (EN 13757-3 § 8)."""
_ENCRYPTED_MODES: Final = {5: "AES-CBC", 7: "AES-CBC with a derived key"}


@dataclass(slots=True)
class Body:
    """The application data of one frame."""

    header: LongHeader | ShortHeader | None = None
    fixed: FixedData | None = None
    records: tuple[Record, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False
    more: bool = False
    encrypted: bool = False


def read_body(
    data: bytes,
    at: int,
    end: int,
    ci: int,
    *,
    from_master: bool = False,
    tree: Tree | None = None,
    layer: int = 0,
    keys: Sequence[bytes] = (),
) -> Body:
    """Read the application data between `at` and `end`, announced by the CI field `ci`.

    What is encrypted by mode 5 is opened by one of the `keys`, and its records lie in a layer below.

    Raises:
        RemoteProtocolError: a header or a fixed part is not whole.
    """
    body = Body()
    _, header_kind, kind = CI_NAMES.get(ci, _OPAQUE)
    if kind == "clock" and end - at >= LONG_HEADER_SIZE + _CLOCK_SIZE:
        header_kind = "long"  # since the edition of 2018; before it there was none
    if header_kind != "none":
        needed = LONG_HEADER_SIZE if header_kind == "long" else SHORT_HEADER_SIZE
        if end - at < needed:
            raise RemoteProtocolError(f"the header needs {needed} bytes, {end - at} are left", at, layer)
        body.header = (
            decode_long_header(data, at, layer=layer, msb_first=ci in MSB_FIRST)
            if header_kind == "long"
            else decode_short_header(data, at, layer=layer)
        )
        if tree is not None:
            explain_header(tree, body.header, at)
        at += needed
    match kind:
        case "records":
            _records(body, data, at, end, ci, from_master, tree, layer, keys)
        case "fixed":
            _fixed(body, data, at, end, ci, tree, layer)
        case "error":
            code = data[at] if at < end else 0
            _small(body, tree, "error code", at, end, application_error(code))
            body.problems.append(
                Problem(f"the meter reports: {application_error(code)}", min(at, end - 1), layer)
            )
        case "alarm":
            words = status_text(data[at]) if at < end else "no status"
            _small(body, tree, "alarm status", at, end, words)
        case "reset":
            if at < end:
                subcode = data[at]
                words = RESET_SUBCODES.get(subcode >> 4, "reserved")
                _small(body, tree, "subcode", at, at + 1, f"{words}, telegram {subcode & 15}")
            _rest(body, data, at + 1, end, ci, tree, layer)
        case "select":
            _select(body, data, at, end, ci, tree, layer)
        case "clock":
            _clock(data, at, end, ci, tree, layer)
        case "baud":
            _small(body, tree, "data", at, end, f"{BAUD_RATES[ci]} Bd")
        case _:
            _rest(body, data, at, end, ci, tree, layer)
    return body


def _small(body: Body, tree: Tree | None, name: str, at: int, end: int, meaning: str) -> None:
    if tree is not None and end > at:
        tree.leaf(name, at, end, None, meaning)


def _rest(body: Body, data: bytes, at: int, end: int, ci: int, tree: Tree | None, layer: int) -> None:
    """Bytes whose meaning is not ours to know: one opaque record keeps them."""
    if at >= end:
        return
    raw = data[at:end]
    name = "manufacturer_data" if 0xA0 <= ci <= 0xB7 else f"ci.{ci:02x}"
    body.records += (Record(name, raw, layer=layer, offset=at, raw=raw),)
    if tree is not None:
        tree.leaf("data", at, end)


def _records(
    body: Body,
    data: bytes,
    at: int,
    end: int,
    ci: int,
    from_master: bool,
    tree: Tree | None,
    layer: int,
    keys: Sequence[bytes] = (),
) -> None:
    header, below = body.header, None
    if header is not None and header.configuration and (size := _encrypted_size(body, data, at, end)):
        plain = _opened(body, data[at : at + size], keys, at, layer)
        if tree is not None:
            tree.leaf("encrypted data", at, at + size)
        if plain is None:
            if tree is not None and at + size < end:
                tree.leaf("clear data", at + size, end, None, "may begin in the middle of a record")
            return
        data, layer = plain + data[at + size : end], layer + 1
        if tree is not None:
            outer, tree = tree, tree.layer("decrypted", data, "data, decrypted")
            below = tree
            if at + size < end:
                outer.leaf("clear data", at + size, end, None, "the message goes on unencrypted")
        at, end = 0, len(data)
    found = decode_records(
        data, at, end, layer=layer, command=from_master, spans=tree is not None, msb_first=ci in MSB_FIRST
    )
    body.records, body.problems = tuple(found.records), body.problems + found.problems
    body.broken, body.more = found.broken, found.more
    if tree is not None:
        device_type = header.device_type if isinstance(header, LongHeader) else None
        explain_records(tree, data, found, device_type)
    if below is not None:
        below.finish()


def _encrypted_size(body: Body, data: bytes, at: int, end: int) -> int:
    """How many bytes the configuration field announces as encrypted, 0 where the data is plain.

    Old meters have a signature in its place, so the announced blocks must also fit.
    """
    assert body.header is not None
    mode, blocks = body.header.configuration >> 8 & 0x1F, body.header.configuration >> 4 & 0x0F
    size = security.BLOCK * blocks
    if mode not in _ENCRYPTED_MODES or size > end - at or data[at : at + 2] == security.PLAIN_START:
        return 0
    return size


def _opened(body: Body, sealed: bytes, keys: Sequence[bytes], at: int, layer: int) -> bytes | None:
    """The plain bytes by the first key that opens them; says why, if none does."""
    header = body.header
    assert header is not None
    mode = header.configuration >> 8 & 0x1F
    how = f"mode {mode} ({_ENCRYPTED_MODES[mode]})"
    fitting = [key for key in keys if len(key) == security.BLOCK]
    if mode == 5 and isinstance(header, LongHeader):
        own = header.address
        iv = security.iv_mode5(own[4:6] + own[:4] + own[6:8], header.access_number)
        for key in fitting:
            plain = security.decrypt_cbc(key, iv, sealed)
            if plain[:2] == security.PLAIN_START:
                return plain
        words = f"wrong key: no key given opens {how}" if fitting else f"encrypted, {how}: the key is missing"
    else:
        words = f"encrypted, {how}: no key opens it on wire"
    body.encrypted = True
    body.problems.append(Problem(words, at, layer))
    return None


def _fixed(body: Body, data: bytes, at: int, end: int, ci: int, tree: Tree | None, layer: int) -> None:
    fixed = decode_fixed(data[:end], at, msb_first=ci in MSB_FIRST, layer=layer)
    body.fixed = fixed
    body.records = fixed_records(fixed, data, at, layer)
    if tree is not None:
        explain_fixed(tree, fixed, body.records, at, status_text(fixed.status & 0xFC))
    _rest(body, data, at + FIXED_SIZE, end, ci, tree, layer)


def _select(body: Body, data: bytes, at: int, end: int, ci: int, tree: Tree | None, layer: int) -> None:
    """A secondary address, with F for any digit and FF for any maker's byte; records may refine it."""
    if end - at < 8:
        raise RemoteProtocolError(f"a secondary address has 8 bytes, {end - at} are left", at, layer)
    if tree is not None:
        wild = data[at + 4 : at + 6] == b"\xff\xff"
        tree.leaf("identification number", at, at + 4, data[at : at + 4][::-1].hex().upper())
        maker = "any" if wild else decode_manufacturer(data[at + 4 : at + 6])
        tree.leaf("manufacturer", at + 4, at + 6, None, maker)
        tree.leaf("version", at + 6, at + 7, data[at + 6], "any" if data[at + 6] == 0xFF else None)
        medium = "any" if data[at + 7] == 0xFF else medium_name(data[at + 7])
        tree.leaf("device type", at + 7, at + 8, data[at + 7], medium)
    if end > at + 8:
        _records(body, data, at + 8, end, ci, True, tree, layer)


def _clock(data: bytes, at: int, end: int, ci: int, tree: Tree | None, layer: int) -> None:
    """The time that a meter is told, or the seconds that it shall go forward or back."""
    if end - at < _CLOCK_SIZE:
        raise RemoteProtocolError(f"a clock command has 7 bytes or more, {end - at} are left", at, layer)
    if tree is None:
        return
    tree.leaf("TC field", at, at + 1, data[at])
    if ci == 0x6C:
        tree.leaf("time", at + 1, at + 7, decode_local_time(data[at + 1 : at + 7]))
    else:
        tree.leaf("seconds", at + 1, at + 7, int.from_bytes(data[at + 1 : at + 7], "little", signed=True))
    if end > at + 7:
        tree.leaf("reserved", at + 7, end)
