"""What the fuzzer is aimed at: every protocol that is registered, and whatever else reads bytes from outside.

A target gives good inputs and a function that takes any input. That function may raise `ProtocolError`; any
other exception is a bug. The protocols' targets also hold what must be true of every result. Their good
inputs are the conformance cases, those of ``POLYMETER_VECTORS`` included.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polymeter.protocols.wire import Decoded

__all__ = ["Target", "Violation", "targets"]


class Violation(AssertionError):
    """The decoder raised nothing, but its result cannot be right."""


@dataclass(frozen=True)
class Target:
    """``seeds()`` gives inputs that decode; ``run`` decodes one and raises what it finds wrong."""

    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], None]


def targets() -> dict[str, Target]:
    """All targets by name."""
    return {**_protocol_targets(), **EXTRA}


def _hear(end: str, state: str, data: bytes) -> None:
    """Feed a connection of IEC 62056-21 in pieces, until it has nothing more to say or refuses."""
    from polymeter.protocols.iec62056_21 import Connection
    from polymeter.protocols.wire import NEED_DATA

    connection = Connection(end)  # type: ignore[arg-type]
    connection.state = state
    for start in range(0, len(data), 7):
        connection.receive_data(data[start : start + 7])
        while connection.next_event() is not NEED_DATA:
            pass


def _push(data: bytes) -> None:
    """Feed a receiver of pushed read-outs in pieces; what it gives must be what came."""
    from polymeter.protocols.iec62056_21.pushes import PushedReadOuts
    from polymeter.protocols.wire import NeedData

    receiver = PushedReadOuts()
    for start in range(0, len(data), 11):
        receiver.receive_data(data[start : start + 11])
        while not isinstance(frame := receiver.next_frame(), NeedData):
            if frame not in data:
                raise Violation("a pushed read-out is not what came")


def _iec62056_21() -> list[bytes]:
    return _cases("iec62056-21")


def _p1_bodies() -> list[bytes]:
    """Telegrams up to their ``!``."""
    from polymeter.protocols.p1.marks import find_span

    found = []
    for data in _cases("p1"):
        span = find_span(data)
        if span is not None and span.sound and data[span.start] == ord("/"):
            found.append(data[span.start : data.index(b"\n!", span.start) + 2])
    return found


def _checked_telegram(data: bytes) -> None:
    """A telegram with a good checksum, whatever it says: what is behind the checksum is reached."""
    from polymeter.protocols import p1

    _decode(p1, data + p1.checksum_text(data).encode("ascii") + b"\r\n")


def _sml_bodies() -> list[bytes]:
    """Messages up to their check sum."""
    from polymeter.protocols import sml

    found: set[bytes] = set()
    for data in _cases("sml"):
        for frame in sml.decode(data, explain=False):
            messages = sml.decode_messages(frame.frame.content) if frame.valid else []
            found.update(sml.encode_message(message)[:-4] for message in messages)
    return sorted(found)


def _checked_message(data: bytes) -> None:
    """A message with a good check sum, whatever it says."""
    from polymeter.protocols import sml

    _decode(sml, data + b"\x63" + sml.X25.compute(data).to_bytes(2, "little") + b"\x00")


def _asked_message(data: bytes) -> None:
    """Put a message to a meter, and to a reader as the answer to each request, between open and close."""
    from polymeter.protocols import sml
    from polymeter.protocols.procedure import advance
    from polymeter.protocols.wire import ProtocolError
    from tests.protocols.sml.playing import OPTIONS, PROFILE, ROOT, SERVER, meter

    checked = data + b"\x63" + sml.X25.compute(data).to_bytes(2, "little") + b"\x00"
    (message,) = sml.decode_messages(checked)
    played, line = meter(guarded=False, rows=3).meter, sml.Connection()
    opened, _, closed = sml.pushed(SERVER, sml.sec_index(1), [], 1)
    for procedure in (
        sml.get_list(line, None, OPTIONS),
        sml.get_proc_parameter(line, [ROOT], None, OPTIONS),
        sml.get_profile_list(line, [PROFILE], options=OPTIONS),
        sml.get_profile_pack(line, [PROFILE], options=OPTIONS),
        sml.set_proc_parameter(line, [ROOT], sml.Parameter(ROOT), OPTIONS),
    ):
        sent = advance(procedure, None)
        first, second, third = sml.decode_messages(sml.decode_frame(sent.data).content)  # type: ignore[union-attr]
        line.send(played.answer((first, message._replace(transaction_id=second.transaction_id), third)))
        advance(procedure, b"")
        answer = [
            one._replace(transaction_id=asked.transaction_id, element=None)
            for one, asked in zip((opened, message, closed), (first, second, third), strict=True)
        ]
        try:
            advance(procedure, line.send([one._replace(group=0, abort_on_error=0) for one in answer]))
        except (StopIteration, ProtocolError):
            continue


def _pushed(protocol: str, data: bytes) -> None:
    """Feed a receiver of pushed frames in pieces of all sizes: every way gives the same frames."""
    from polymeter.protocols import p1, sml
    from tests.pushing import frames_of

    make = {"p1": p1.PushedTelegrams, "sml": sml.PushedFrames}[protocol]
    heard = [
        frames_of(make(), (data[start : start + size] for start in range(0, len(data), size)))
        for size in (1 if len(data) < 1500 else 13, 64, len(data) or 1)
    ]
    if any(frames != heard[0] for frames in heard):
        raise Violation("what is heard depends on how it comes")


EXTRA: dict[str, Target] = {
    "p1-push": Target(lambda: _cases("p1"), lambda data: _pushed("p1", data)),
    "sml-push": Target(lambda: _cases("sml"), lambda data: _pushed("sml", data)),
    "p1-checked": Target(_p1_bodies, _checked_telegram),
    "sml-checked": Target(_sml_bodies, _checked_message),
    "sml-asked": Target(_sml_bodies, _asked_message),
    "iec62056-21-reader": Target(_iec62056_21, lambda data: _hear("reader", "requested", data)),
    "iec62056-21-asking": Target(_iec62056_21, lambda data: _hear("reader", "asked", data)),
    "iec62056-21-meter": Target(_iec62056_21, lambda data: _hear("meter", "idle", data)),
    "iec62056-21-push": Target(_iec62056_21, _push),
}


def _protocol_targets() -> dict[str, Target]:
    """One per protocol of the catalogue's registry: a new protocol is fuzzed without a line here."""
    if not importlib.util.find_spec("polymeter.catalogue"):
        return {}
    registry = importlib.import_module("polymeter.catalogue.registry")
    return {
        name: Target(seeds=lambda name=name: _cases(name), run=lambda data, of=protocol: _decode(of, data))  # type: ignore[misc]
        for name, protocol in registry.PROTOCOLS.items()
    }


def _cases(protocol: str) -> list[bytes]:
    from tests.vectors import load_vectors, telegram

    return sorted({telegram(case) for case in load_vectors(protocol)})


def _decode(protocol: Any, data: bytes) -> None:
    """Decode with and without the tree; both must agree, and the tree must be whole."""
    from polymeter.protocols.wire import RemoteProtocolError

    plain = protocol.decode(data, explain=False)
    explained = protocol.decode(data, explain=True)
    if [(frame.valid, frame.records) for frame in plain] != [
        (frame.valid, frame.records) for frame in explained
    ]:
        raise Violation("the result depends on whether the tree is recorded")
    for frame in explained:
        check_cover(frame)
    problems = [problem for frame in explained for problem in frame.errors]
    if not all(frame.valid for frame in explained):
        if not problems:
            raise Violation("a frame is invalid without a reason")
        raise RemoteProtocolError(problems[0].message, problems[0].offset)


def check_cover(frame: "Decoded") -> None:
    """The leaves of the tree cover every byte of each layer exactly once.

    Raises:
        Violation: they do not; says where.
    """
    if frame.tree is None:
        raise Violation("no tree was recorded")
    reached: dict[int, int] = {}
    for leaf in frame.tree.leaves():
        if leaf.offset != reached.get(leaf.layer, 0):
            raise Violation(
                f"layer {leaf.layer}: {leaf.name!r} is at {leaf.offset}, not {reached.get(leaf.layer, 0)}"
            )
        reached[leaf.layer] = leaf.offset + leaf.length
    for index, layer in enumerate(frame.layers):
        if reached.get(index, 0) != layer.length:
            raise Violation(f"layer {index} is covered up to {reached.get(index)} of {layer.length}")
