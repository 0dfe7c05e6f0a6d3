"""The tree of SML messages: each element by the name that the grammar gives it."""

from __future__ import annotations

from typing import Any, Final

from polymeter.protocols import obis
from polymeter.protocols.sml.attentions import attention_words
from polymeter.protocols.sml.elements import BOOLEAN, END, LIST, OCTETS, Element
from polymeter.protocols.sml.grammar import BODIES, CHOICES, STRUCTURES, UNDESCRIBED
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.sml.readings import instant
from polymeter.protocols.units import COSEM_UNITS
from polymeter.protocols.wire import Tree

__all__ = ["explain_message"]

_MESSAGE: Final = (
    ("transactionId", "octets"),
    ("groupNo", "number"),
    ("abortOnError", "number"),
    ("messageBody", "body"),
    ("crc16", "number"),
    ("endOfSmlMsg", "end"),
)
_ABORTS: Final = {1: "go on with the next group", 2: "go on to the end of the group", 255: "stop at once"}
"""What is done after an error; 0, with which everything goes on, needs no words."""
_OBJECTS: Final = ("objName", "parameterName", "listName")
"""Fields that name an object; the elements of a path do so, too."""
_TIMES: Final = {1: "secIndex", 2: "timestamp", 3: "timestampLocal"}


def explain_message(message: Message, offset: int, tree: Tree, *, sound: bool) -> None:
    """Explain a message that was decoded; `offset` is where the decoded bytes begin in the layer."""
    element = message.element
    assert element is not None  # it was decoded
    tree.open(message.name, offset + element.start)
    first = element.value[0].start
    tree.leaf("list", offset + element.start, offset + first, 6)
    for part, (name, what) in zip(element.value, _MESSAGE, strict=True):
        if name == "messageBody":
            _body(part, offset, tree)
        elif name == "crc16":
            told = "good" if sound else "does not fit"
            tree.leaf(name, offset + part.start, offset + part.end, part.value, told)
        else:
            _element(part, name, what, offset, tree)
    tree.close(offset + element.end)


def _body(choice: Element, offset: int, tree: Tree) -> None:
    tag, body = choice.value
    known = BODIES.get(tag.value, "any")
    tree.open("messageBody", offset + choice.start)
    tree.leaf("choice", offset + choice.start, offset + tag.start, 2)
    told = known if known != "any" else UNDESCRIBED.get(tag.value, "unknown")
    tree.leaf("tag", offset + tag.start, offset + tag.end, tag.value, told)
    _element(body, known if known != "any" else "body", known, offset, tree)
    tree.close(offset + choice.end)


def _element(element: Element, name: str, what: str, offset: int, tree: Tree) -> None:
    """One element and what is in it. The depth is bounded by what the decoder lets pass."""
    start, end = offset + element.start, offset + element.end
    if element.kind != LIST:
        value = element.value
        shown = int(value != 0) if element.kind == BOOLEAN else value
        tree.leaf(name, start, end, shown, _meaning(name, what, element))
        return
    parts: list[Element] = element.value
    tree.open(name, start)
    tree.leaf("list", start, offset + parts[0].start if parts else end, len(parts))
    names = _names(element, what)
    for index, part in enumerate(parts):
        child, holds = names[index] if index < len(names) else (f"[{index}]", "any")
        _element(part, child, holds, offset, tree)
    when = instant(element) if what in ("time", "value") else None
    tree.close(end, when)


def _names(element: Element, what: str) -> list[tuple[str, str]]:
    """What the elements of a list are called, and what they hold."""
    parts: list[Element] = element.value
    if what[0] == "[":
        inner = what[1:-1]
        return [(inner if inner in STRUCTURES else f"[{index}]", inner) for index in range(len(parts))]
    if what in CHOICES and len(parts) == 2:
        tag: Any = parts[0].value
        holds = CHOICES[what].get(tag, "any") if isinstance(tag, int) else "any"
        named = _TIMES.get(tag, holds) if what == "time" and isinstance(tag, int) else holds
        return [("tag", "number"), (named, holds)]
    fields = STRUCTURES.get(what, ())
    return list(fields) if len(fields) == len(parts) else []


def _meaning(name: str, what: str, element: Element) -> str | None:
    value = element.value
    if element.kind == END:
        return None
    if value is None:
        return "absent"
    if what == "unit":
        return COSEM_UNITS.get(value, "no unit")
    if name == "attentionNo" and element.kind == OCTETS:
        return attention_words(value)
    in_path = what == "octets" and name[0] == "["
    if element.kind == OCTETS and len(value) == 6 and (in_path or name in _OBJECTS):
        return str(obis.from_bytes(value))
    if name == "abortOnError":
        return _ABORTS.get(value)
    if name == "scaler":
        return f"times 10^{value}"
    if what == "time":
        return "a bare number in place of the choice: secIndex"
    return None
