"""Wireless telegrams of the conformance cases, as the wireless benchmarks take them.

With ``POLYMETER_VECTORS`` these are telegrams of real meters, else our own cases. Only those that every
contender opens and reads without an error are taken. Ours gives exact decimals, names and times,
pymbusparser a dictionary; both are given the one key of the meter, and the telegram as bytes.
"""

from collections.abc import Callable

from tools.bench_worker import Contender, Work

__all__ = ["contenders", "telegrams"]

REQUIREMENTS = ("pymbusparser==0.5.3",)


def telegrams(encrypted: bool) -> list[tuple[bytes, bytes | None]]:
    """Telegrams with their keys: those of security mode 5, or those that are plain records."""
    from tests.vectors import load_vectors, telegram

    found: dict[str, list[tuple[bytes, bytes | None]]] = {"ours": [], "further": []}
    for case in load_vectors("wmbus"):
        data, keys = telegram(case), case.get("keys") or []
        if case["class"] != "generic-all" or len(keys) != encrypted or not case["expect"].get("readings"):
            continue
        if len(data) != data[0] + 1 or data[10] not in (0x72, 0x7A):
            continue
        at = 23 if data[10] == 0x72 else 15
        mode, plain = data[at - 1] & 0x1F, data[at : at + 2] == b"\x2f\x2f"
        if mode == (5 if encrypted else 0) and not (encrypted and plain):
            found[case["origin"]].append((data, bytes.fromhex(keys[0]) if keys else None))
    return found["further"] or found["ours"]


def contenders(encrypted: bool) -> list[Contender]:
    """Ours and the peer, over the same telegrams."""
    return [
        Contender("polymeter", lambda: _ours(encrypted), distribution="polymeter"),
        Contender("pymbusparser", lambda: _peer(encrypted), "pymbusparser", REQUIREMENTS),
    ]


def _work(decode: Callable[[bytes, bytes | None], object], encrypted: bool) -> Work:
    data = telegrams(encrypted)

    def run() -> None:
        for telegram, key in data:
            decode(telegram, key)

    run()
    return Work(run, f"{len(data)} telegrams")


def _ours(encrypted: bool) -> Work:
    from polymeter.protocols import wmbus
    from polymeter.protocols.wire import Decoded, DecodeOptions

    def decode(data: bytes, key: bytes | None) -> list[Decoded]:
        options = DecodeOptions((key,) if key is not None else ())
        return wmbus.decode(data, options, explain=False)

    for data, key in telegrams(encrypted):
        (decoded,) = decode(data, key)
        assert decoded.valid
        assert decoded.records
        assert not decoded.encrypted
    return _work(decode, encrypted)


def _peer(encrypted: bool) -> Work:
    import pymbusparser  # type: ignore[import-not-found]

    def decode(data: bytes, key: bytes | None) -> dict[str, object]:
        parsed: dict[str, object] = pymbusparser.parse(data, key=key, include_enrichment=False)
        return parsed

    for data, key in telegrams(encrypted):
        assert decode(data, key)["records"], data.hex()
    return _work(decode, encrypted)
