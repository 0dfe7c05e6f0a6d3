"""Conformance cases: loading them, and judging what a decoder made of one.

Ours lie in ``tests/vectors/<protocol>/*.jsonl``; ``POLYMETER_VECTORS`` may name a folder of further ones with
the same shape. A test parametrized over `load_vectors` is counted by itself in the summary::

    @pytest.mark.parametrize("case", load_vectors("mbus"), ids=vector_id)
    def test_vectors(case): assert not check_case(case, decode_to_json(case))
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.vector_values import answers

__all__ = ["Case", "check_case", "context", "count_line", "load_vectors", "telegram", "vector_id"]

Case = dict[str, Any]

OURS = Path(__file__).resolve().parent / "vectors"
# wM-Bus classes of which only header, soundness and absence of crashes are asked.
VALUES_NOT_COMPARED = frozenset(
    {"header-only", "manufacturer-ci", "manufacturer-data", "compact", "fixed", "irregular"}
)


def load_vectors(protocol: str) -> list[Case]:
    """Every case for a protocol's folder, ours first.

    Each has, besides what the file says, ``folder`` (the protocol asked for), ``origin`` (``ours`` or
    ``further``) and ``id`` (unique within the folder).
    """
    further = os.environ.get("POLYMETER_VECTORS")
    places = [("ours", OURS)] + ([("further", Path(further))] if further else [])
    cases = []
    for origin, place in places:
        for path in sorted((place / protocol).glob("*.jsonl")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if line.strip():
                    case = json.loads(line)
                    identity = f"{origin}-{path.stem}-{number}-{case['name']}"
                    cases.append(case | {"folder": protocol, "origin": origin, "id": identity})
    return cases


def vector_id(case: Case) -> str:
    """A name for the test of this case."""
    return str(case["id"])


def telegram(case: Case) -> bytes:
    """The bytes of a case."""
    return bytes.fromhex(case["input"]) if case.get("input") is not None else case["text"].encode("latin-1")


def context(case: Case) -> list[bytes]:
    """The telegrams of the same meter that came before a case's own."""
    return [bytes.fromhex(each) for each in case.get("context") or ()]


def count_line(ran: Iterable[str]) -> str:
    """The summary of what ran; each entry is ``folder|origin|id``."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"ours": 0, "further": 0})
    for entry in set(ran):
        folder, origin, _ = entry.split("|", 2)
        counts[folder][origin] += 1
    parts = [
        f"{folder} {ours + further} ({ours} ours + {further} further)"
        for folder, (ours, further) in sorted((name, tuple(count.values())) for name, count in counts.items())
    ]
    return "vectors: " + ", ".join(parts)


def check_case(case: Case, decoded_json: Sequence[dict[str, Any]]) -> list[str]:
    """Compare a case with what ``polymeter decode --json`` prints, one object per frame.

    Returns:
        What differs, one sentence each; empty where the case is met.
    """
    if not decoded_json:
        return ["nothing was decoded, not even an invalid frame"]
    expect = case["expect"]
    readings = [reading for frame in decoded_json for reading in frame.get("readings") or []]
    return [
        *_check_frames(expect, decoded_json),
        *_check_valid(expect, decoded_json),
        *_check_meter(expect.get("meter") or {}, decoded_json),
        *_check_encrypted(case, decoded_json),
        *_check_plaintext(expect.get("plaintext"), decoded_json),
        *_check_counts(case, len(readings)),
        *_check_readings(case, readings),
    ]


def _check_frames(expect: Case, frames: Sequence[Case]) -> list[str]:
    wanted = expect.get("frames")
    return [f"{wanted} frames expected, {len(frames)} decoded"] if wanted not in (None, len(frames)) else []


def _check_valid(expect: Case, frames: Sequence[Case]) -> list[str]:
    valid = all(frame["valid"] for frame in frames)
    if expect.get("valid") is True and not valid:
        said = [error["message"] for frame in frames for error in frame.get("errors") or []]
        return [f"valid expected, but: {'; '.join(said) or 'no reason given'}"]
    if expect.get("valid") is False:
        if valid:
            return ["invalid expected, but taken as valid"]
        errors = [error for frame in frames if not frame["valid"] for error in frame.get("errors") or []]
        if not any(isinstance(error.get("offset"), int) for error in errors):
            return ["invalid as expected, but no error has an offset"]
    return []


def _check_meter(wanted: Case, frames: Sequence[Case]) -> list[str]:
    problems = []
    for key, value in wanted.items():
        given = [(frame.get("meter") or {}).get(key) for frame in frames]
        if value is not None and not any(
            _meter_field(key, value) == _meter_field(key, each) for each in given
        ):
            problems.append(f"meter {key} {value!r} expected, got {given[0]!r}")
    return problems


def _meter_field(key: str, value: object) -> str | None:
    if value is None:
        return None
    text = str(value)
    return "".join(text.split()).casefold().lstrip("0") if key == "id" else text


def _check_encrypted(case: Case, frames: Sequence[Case]) -> list[str]:
    encrypted = case["expect"].get("encrypted")
    if encrypted is None:
        return []
    flagged = [frame for frame in frames if frame.get("encrypted")]
    if not encrypted:
        return ["called encrypted, but it is not"] if flagged else []
    if case.get("keys"):
        return []  # decrypted: whether it still counts as encrypted is not asked
    if not flagged:
        return ["it is encrypted and no key was given: `encrypted` expected"]
    said = " ".join(error["message"] for frame in flagged for error in frame.get("errors") or [])
    return [] if "key" in said.lower() else ["no error says that the key is missing"]


def _check_plaintext(wanted: str | None, frames: Sequence[Case]) -> list[str]:
    if not wanted:
        return []
    plaintext = bytes.fromhex(wanted)
    found = any(plaintext in raw for frame in frames for raw in _raws(frame.get("tree")))
    return [] if found else [f"decrypted bytes {wanted[:40]}… are not in the tree"]


def _raws(node: Case | None) -> Iterable[bytes]:
    todo = [node] if node else []
    while todo:
        each = todo.pop()
        if each.get("raw"):
            yield bytes.fromhex(each["raw"])
        todo += each.get("children") or []


def _check_counts(case: Case, count: int) -> list[str]:
    expect, problems = case["expect"], []
    if expect.get("count") is not None:
        least, most = expect["count"], expect["count"] + (expect.get("count_extra") or 0)
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            problems.append(f"{wanted} readings expected, {count} decoded")
    if case.get("at_least") is not None and count < case["at_least"]:
        problems.append(f"at least {case['at_least']} readings expected, {count} decoded")
    return problems


def _check_readings(case: Case, readings: Sequence[Case]) -> list[str]:
    if case["class"] in VALUES_NOT_COMPARED and case.get("folder", case["protocol"]) == "wmbus":
        return []
    wanted = [reading for reading in case["expect"].get("readings") or [] if not reading.get("driver_only")]
    tolerance = case.get("tolerance") or {}
    fits = [[n for n, each in enumerate(readings) if answers(item, each, tolerance)] for item in wanted]
    # wM-Bus fields are the source's own view: two of them may be the same record.
    shared = [case["protocol"] in ("wmbus", "mbus") and "field" in item for item in wanted]
    taken = _assign([fit if not share else [] for fit, share in zip(fits, shared, strict=True)])
    return [
        f"no reading for {json.dumps(item, ensure_ascii=False)}" + (" that is not taken" if fits[n] else "")
        for n, item in enumerate(wanted)
        if not (fits[n] if shared[n] else n in taken)
    ]


def _assign(fits: Sequence[Sequence[int]]) -> set[int]:
    """The largest set of expected readings that can each have a decoded reading to itself."""
    owner: dict[int, int] = {}

    def place(item: int, seen: set[int]) -> bool:
        for candidate in fits[item]:
            if candidate not in seen:
                seen.add(candidate)
                if candidate not in owner or place(owner[candidate], seen):
                    owner[candidate] = item
                    return True
        return False

    return {item for item in range(len(fits)) if place(item, set())}
