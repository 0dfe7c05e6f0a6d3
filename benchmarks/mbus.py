"""Decoding M-Bus frames of the conformance cases: bytes in, values, units and header out, frame checked.

With ``POLYMETER_VECTORS`` these are captures of real meters, else our own cases, which are shorter. Only
frames with records that every contender reads without an error are taken, so that all do the same work.
Ours gives exact decimals, names and times, pyMeterBus values and units, pymbusparser a dictionary.
"""

import functools

from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY", "frames"]

SUMMARY = "decode every long frame with records, one iteration is one pass over all of them"

_REFUSED_BY_PEERS = {"short-header", "plain-text-unit", "two-frames", "damage-between"}


def frames() -> list[bytes]:
    """The frames that are measured."""
    from tests.vectors import load_vectors, telegram

    cases = [
        case
        for case in load_vectors("mbus")
        if case["class"] == "variable" and case["name"] not in _REFUSED_BY_PEERS
    ]
    real = [case for case in cases if case["origin"] == "further"]
    return [telegram(case) for case in real or cases]


def _work(decode: object, data: list[bytes]) -> Work:
    def run() -> None:
        for frame in data:
            decode(frame)  # type: ignore[operator]

    run()
    return Work(run, f"{len(data)} frames")


def _ours() -> Work:
    from polymeter.protocols import mbus

    data = frames()
    decode = functools.partial(mbus.decode, explain=False)
    assert all(frame.valid for each in data for frame in decode(each))
    return _work(decode, data)


def _pymeterbus() -> Work:
    import meterbus  # type: ignore[import-not-found]

    def decode(frame: bytes) -> list[object]:
        return [(record.value, record.unit) for record in meterbus.load(frame).records]

    return _work(decode, frames())


def _pymbusparser() -> Work:
    import pymbusparser  # type: ignore[import-not-found]

    return _work(pymbusparser.parse, frames())


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("pyMeterBus", _pymeterbus, distribution="pyMeterBus", requirements=("pyMeterBus==0.8.5",)),
    Contender(
        "pymbusparser", _pymbusparser, distribution="pymbusparser", requirements=("pymbusparser==0.5.3",)
    ),
]
