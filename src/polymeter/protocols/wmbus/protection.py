"""Opens what is protected: finds out whether data is encrypted, and which given key fits.

Rules that meters in the field teach (EN 13757-7 § 7.7 says the rest): the configuration field may
announce encryption while the data is plain already, because a gateway decrypted it or the meter is
not yet armed; only some blocks may be encrypted, and then the tail goes on in clear, in the middle
of a record if need be; and a signature of wired M-Bus may stand where radio has its modes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from polymeter.protocols.mbus import decode_records
from polymeter.protocols.wire import Seal, key_fingerprint
from polymeter.protocols.wmbus import security
from polymeter.protocols.wmbus.headers import AFL, Configuration
from polymeter.protocols.wmbus.plausibility import are_records, make_sense
from polymeter.protocols.wmbus.security import BLOCK, DES_BLOCK, PLAIN_START
from polymeter.protocols.wmbus.walk import Telegram, Walk

__all__ = ["is_authentic", "open_application", "open_link"]

AES_KEY: Final = 16
DES_KEY: Final = 8
_DIGEST: Final = 16
_SESSION: Final = 0x1FFFFFFF
"""Of a session number, what counts up; the other bits say how it encrypts."""
_COUNTED: Final = 7
"""The first security mode with a message counter."""
_CODED: Final = (7, 8)
_TAGGED: Final = (9, 10)
"""Modes proven by the code of the AFL, where it has one, and by a tag of their own."""


def open_link(walk: Walk) -> int | None:
    """Open what follows the extended link layer; gives where to go on, `None` if it stays shut."""
    telegram, data = walk.telegram, walk.data
    ell, link = telegram.ell, telegram.link
    assert ell is not None
    assert link is not None
    if ell.crc is None:
        return ell.end
    at = ell.payload
    if security.ell_crc_fits(data[at:]):
        said = "announced as encrypted, and plain already" if ell.encryption else "fits"
        walk.leaf("payload CRC", at, ell.end, ell.crc, said)
        return ell.end
    if ell.encryption == 0:
        walk.leaf("payload CRC", at, ell.end, ell.crc, "does not fit")
        walk.problem(
            f"the CRC of the extended link layer is {ell.crc:04X}, which does not fit", at, invalid=True
        )
        return ell.end if walk.options.lenient else None
    keys = [key for key in walk.options.keys if len(key) == AES_KEY]
    if ell.encryption == 1:
        for key in keys:
            for address in filter(None, (ell.address, link.address)):
                plain = security.decrypt_ell(key, ell.counter_block(address), data[at:])
                if plain is not None:
                    number = int.from_bytes(ell.session, "little") & _SESSION
                    _sealed(walk, address, key, number, True, plain)
                    walk.leaf("encrypted data", at, len(data), None, "AES-CTR")
                    walk.push("decrypted", plain, "extended link layer, decrypted")
                    walk.leaf("payload CRC", 0, 2, int.from_bytes(plain[:2], "little"), "fits")
                    return 2
        _shut(walk, at, "AES-CTR of the extended link layer", keys, link.id)
    else:
        walk.encrypted = True
        walk.problem(f"encryption {ell.encryption} of the extended link layer is reserved", at)
    walk.leaf("encrypted data", at, len(data))
    return None


def _shut(walk: Walk, at: int, how: str, keys: list[bytes], meter: str) -> None:
    walk.encrypted = True
    if keys:
        count = "the key given does" if len(keys) == 1 else f"none of the {len(keys)} keys given does"
        not_ = " not" if len(keys) == 1 else ""
        walk.problem(f"wrong key: {count}{not_} open {how} of meter {meter}", at)
    else:
        walk.problem(f"encrypted, {how}: the key of meter {meter} is missing", at)


def open_application(walk: Walk, start: int, at: int, *, records: bool) -> int | None:
    """Open the application data at `at`; gives where to go on, `None` if it stays shut.

    Args:
        walk: is moved into a new layer where something was decrypted.
        start: where the CI field of the header stands: codes cover the message from there.
        at: where the data begins.
        records: whether M-Bus records follow, which can show that data is plain.
    """
    configuration = walk.telegram.configuration
    if configuration is None or configuration.mode == 0 or at >= len(walk.data):
        return at
    mode = configuration.mode
    payload = walk.data[at:]
    if mode not in security.MODES:
        if not records or payload[:2] == PLAIN_START or are_records(decode_records(payload)):
            return at
        walk.encrypted = True
        walk.problem(f"security mode {mode} is reserved, and the data is not plain", at)
        walk.leaf("encrypted data", at, len(walk.data))
        return None
    size = encrypted_size(configuration, len(payload))
    if size == 0:
        return at
    keys = [key for key in walk.options.keys if len(key) == (DES_KEY if mode in (2, 3) else AES_KEY)]
    how = f"mode {mode} ({security.MODES[mode]})"
    if mode != 13 and size <= len(payload):
        opened = _decrypted(walk, start, at, size, keys)
        if opened is not None:
            key, plain = opened
            counter, proven = _proof(walk.telegram, mode)
            _sealed(walk, walk.telegram.address, key, counter, proven, plain)
            return _descend(walk, at, size, plain, how)
    # Ciphertext may begin like plain text too, so a key that opens it goes before.
    if payload[:2] == PLAIN_START and not walk.encrypted and not (keys and _broken(payload)):
        return at
    if mode == 13:
        walk.encrypted = True
        walk.problem("encrypted, mode 13 (TLS): only the two ends of the session have its key", at)
    elif size > len(payload):
        if records and are_records(decode_records(payload)):
            return at
        walk.encrypted = True
        walk.problem(f"{size} encrypted bytes are announced, {len(payload)} are left", at, invalid=True)
    elif not walk.encrypted:
        _shut(walk, at, how, keys, walk.telegram.meter_id)
    end = at + min(size, len(payload))
    walk.leaf("encrypted data", at, end, None, how)
    walk.leaf("clear data", end, len(walk.data), None, "may begin in the middle of an encrypted record")
    return None


def _descend(walk: Walk, at: int, size: int, plain: bytes, how: str) -> int:
    """Go on in what was decrypted, with the clear bytes behind it; gives where that begins."""
    walk.leaf("encrypted data", at, at + size, None, how)
    outer, end = walk.tree, len(walk.data)
    walk.push("decrypted", plain + walk.data[at + size :], "application data, decrypted")
    if outer is not None and end > at + size:
        outer.leaf("clear data", at + size, end, None, "the message goes on unencrypted")
    return 0


def encrypted_size(configuration: Configuration, available: int) -> int:
    """How many bytes a configuration field announces as encrypted."""
    mode = configuration.mode
    if mode in (4, 5, 7):
        size = BLOCK * configuration.blocks
        whole = available // BLOCK * BLOCK
        # Fifteen blocks are as many as the field can tell: of a longer message, if it is whole blocks, all.
        all_of_it = configuration.blocks == security.ALL_BLOCKS and (size > available or whole == available)
        return whole if all_of_it else size
    if mode in (2, 3):
        return configuration.field & 0xFF
    return available


def _broken(payload: bytes) -> bool:
    return decode_records(payload).broken


def _sealed(
    walk: Walk, address: bytes, key: bytes, counter: int | None, proven: bool | None, plain: bytes
) -> None:
    """Note how what was opened just now was protected."""
    digest = hashlib.sha256(plain).digest()[:_DIGEST]
    walk.seals.append(Seal(address, key_fingerprint(key), counter, proven, digest))


def _proof(telegram: Telegram, mode: int) -> tuple[int | None, bool | None]:
    """The message counter of the modes that have one, and whether a code or tag proves it."""
    counter = _counter(telegram) if mode >= _COUNTED else b""
    coded = telegram.afl is not None and bool(telegram.afl.mac)
    proven = True if mode in _TAGGED or (mode in _CODED and coded) else None
    return int.from_bytes(counter, "little") if counter else None, proven


def _decrypted(walk: Walk, start: int, at: int, size: int, keys: list[bytes]) -> tuple[bytes, bytes] | None:
    """The first key that opens the data, and the plain bytes."""
    mode = walk.telegram.configuration.mode if walk.telegram.configuration is not None else 0
    for key in keys:
        plain = _OPENERS[mode](walk, key, start, at, size)
        if plain is not None:
            return key, plain
    return None


def _proven(plain: bytes) -> bytes | None:
    return plain if plain[:2] == PLAIN_START else None


def _opened(plain: bytes) -> bool:
    """Whether a key was right where no code and no filler has to show it."""
    return plain[:2] == PLAIN_START or make_sense(decode_records(plain))


def _mode_des(walk: Walk, key: bytes, _: int, at: int, size: int) -> bytes | None:
    """Modes 2 and 3: no fillers are prescribed, so the records themselves must show the key."""
    mode = walk.telegram.configuration.mode if walk.telegram.configuration is not None else 2
    if size % DES_BLOCK:
        return None
    iv = bytes(DES_BLOCK) if mode == 2 else walk.telegram.address
    plain = security.decrypt_des(key, iv, walk.data[at : at + size])
    return plain if _opened(plain + walk.data[at + size :]) else None


def _mode_4(walk: Walk, key: bytes, _: int, at: int, size: int) -> bytes | None:
    return _proven(security.decrypt_cbc(key, bytes(BLOCK), walk.data[at : at + size]))


def _mode_5(walk: Walk, key: bytes, _: int, at: int, size: int) -> bytes | None:
    header = walk.telegram.header
    assert header is not None
    iv = security.iv_mode5(walk.telegram.address, header.access_number)
    return _proven(security.decrypt_cbc(key, iv, walk.data[at : at + size]))


def _number(telegram: Telegram) -> bytes:
    """The identification number that keys are derived with, as it travels."""
    return telegram.address[2:6]


def _derived(walk: Walk, key: bytes, counter: bytes) -> bytes:
    configuration = walk.telegram.configuration
    assert configuration is not None
    if configuration.derivation != 1 or not counter:
        return key
    return security.derive_key(key, "encryption", counter, _number(walk.telegram))


def _counter(telegram: Telegram) -> bytes:
    own = telegram.configuration.counter if telegram.configuration is not None else b""
    return own or (telegram.afl.counter if telegram.afl is not None else b"")


def _mode_7(walk: Walk, key: bytes, start: int, at: int, size: int) -> bytes | None:
    counter = _counter(walk.telegram)
    derived = _derived(walk, key, counter)
    plain = _proven(security.decrypt_cbc(derived, bytes(BLOCK), walk.data[at : at + size]))
    return plain if plain is not None and _authentic(walk, key, start) else None


def _authentic(walk: Walk, key: bytes, start: int) -> bool:
    """Whether the code of the AFL fits the message; if not, a right key found it out to be altered."""
    afl = walk.telegram.afl
    if afl is None or not afl.mac:
        return True
    if not afl.checkable:
        walk.problem("the authentication code is a GMAC, which is not checked", start)
        return True
    if _code_fits(afl, key, _counter(walk.telegram), _number(walk.telegram), walk.data[start:]):
        return True
    walk.encrypted = True
    walk.problem(
        "the key is right, but the message authentication code does not fit: the telegram was altered",
        start,
        invalid=True,
    )
    return False


def _code_fits(afl: AFL, key: bytes, counter: bytes, number: bytes, message: bytes) -> bool:
    """Whether an AFL has the code of this message (EN 13757-7 § 6.3.6)."""
    own = security.derive_key(key, "authentication", counter, number) if counter else key
    return security.authentication_code(own, afl.authenticated + message, len(afl.mac)) == afl.mac


def is_authentic(walk: Walk, afl: AFL, number: bytes, message: bytes) -> bool:
    """Whether one of the keys proves a message that is not opened yet, by the code of its AFL."""
    keys = (key for key in walk.options.keys if len(key) == AES_KEY)
    return afl.checkable and any(_code_fits(afl, key, afl.counter, number, message) for key in keys)


def _mode_8(walk: Walk, key: bytes, start: int, at: int, size: int) -> bytes | None:
    counter = _counter(walk.telegram)
    block = walk.telegram.address + counter.ljust(4, b"\0") + bytes(4)
    plain = security.ctr(_derived(walk, key, counter), block, walk.data[at : at + size])
    afl = walk.telegram.afl
    if afl is not None and afl.checkable:
        return plain if _code_fits(afl, key, counter, _number(walk.telegram), walk.data[start:]) else None
    return plain if _opened(plain) else None


def _associated(walk: Walk, start: int) -> bytes:
    """What GCM and CCM authenticate without encrypting: the header up to the counter."""
    configuration = walk.telegram.configuration
    assert configuration is not None
    return walk.data[start : configuration.end - len(configuration.counter)]


def _mode_9(walk: Walk, key: bytes, start: int, at: int, size: int) -> bytes | None:
    counter = _counter(walk.telegram)
    nonce = walk.telegram.address + counter.rjust(4, b"\0")[::-1]
    body = walk.data[at : at + size]
    headers = [_associated(walk, start)]
    if walk.options.auth_key is not None:
        headers.append(walk.options.auth_key)
    for own in (_derived(walk, key, counter), key):
        for header in headers:
            plain = security.decrypt_gcm(own, nonce, header, body)
            if plain is not None:
                return plain
    return None


def _mode_10(walk: Walk, key: bytes, start: int, at: int, size: int) -> bytes | None:
    configuration = walk.telegram.configuration
    assert configuration is not None
    counter, tag = _counter(walk.telegram), configuration.tag_size
    if len(counter) != 4 or size < tag:
        return None
    nonce = security.nonce_ccm(walk.telegram.address, counter)
    body = walk.data[at : at + size]
    return security.decrypt_ccm(_derived(walk, key, counter), nonce, _associated(walk, start), body, tag)


_OPENERS: Final[dict[int, Callable[[Walk, bytes, int, int, int], bytes | None]]] = {
    2: _mode_des,
    3: _mode_des,
    4: _mode_4,
    5: _mode_5,
    7: _mode_7,
    8: _mode_8,
    9: _mode_9,
    10: _mode_10,
}
