"""What a meter answers within an association: rights, lists, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from polymeter.protocols.dlms.apdus import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseWithList,
    ActionResult,
    AttributeDescriptor,
    DataAccessResult,
    ExceptionResponse,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseWithList,
    MethodDescriptor,
    ReadRequest,
    SelectedAttribute,
    SetRequestNormal,
    SetRequestWithList,
    SetResponseWithList,
    VariableName,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, octet_string, plain
from polymeter.protocols.dlms.objects import Level
from polymeter.protocols.dlms.services import CONFIRMED, View
from polymeter.protocols.obis import OBIS

from . import conversations as c

NULL = Item(Tag.NULL_DATA)


def view(level: Level) -> View:
    return View(level, {one.name: one for one in c.objects()})


@pytest.mark.parametrize("level", list(Level))
def test_the_object_list_tells_the_rights_that_are_enforced(level: Level) -> None:
    seen = view(level)
    for element in seen.object_list().value:
        class_id, _, name, rights = plain(element)
        instance = OBIS(*name)
        for number, mode, _ in rights[0]:
            got = seen.answer(GetRequestNormal(0x41, AttributeDescriptor(class_id, instance, number)))
            assert isinstance(got.result, Data), (instance, number)  # type: ignore[union-attr]
            value = Data.of(NULL)
            answer: Any = seen.answer(
                SetRequestNormal(0x41, AttributeDescriptor(class_id, instance, number), None, value)
            )
            assert (answer.result == DataAccessResult.READ_WRITE_DENIED) == (mode == 1)
        for number, mode in rights[1]:
            acted: Any = seen.answer(ActionRequestNormal(0x41, MethodDescriptor(class_id, instance, number)))
            assert (acted.response.result == ActionResult.READ_WRITE_DENIED) == (mode == 0)


def test_lists_of_writes_and_calls_are_answered_one_by_one() -> None:
    seen = view(Level.MANAGEMENT)
    writable = SelectedAttribute(AttributeDescriptor(1, c.WRITABLE, 2))
    locked = SelectedAttribute(AttributeDescriptor(3, c.ENERGY, 2))
    value = Data.of(octet_string(b"new"))
    assert seen.answer(SetRequestWithList(0x41, (writable, locked), (value, value))) == SetResponseWithList(
        0x41, (0, DataAccessResult.READ_WRITE_DENIED)
    )
    method = MethodDescriptor(70, OBIS(0, 0, 96, 3, 10), 1)
    unknown = MethodDescriptor(70, OBIS(0, 0, 96, 3, 99), 1)
    wrong = MethodDescriptor(3, OBIS(0, 0, 96, 3, 10), 1)
    none = Data.of(NULL)
    answer = seen.answer(ActionRequestWithList(0x41, (method, unknown, wrong), (none,) * 3))
    assert isinstance(answer, ActionResponseWithList)
    assert [one.result for one in answer.responses] == [0, 4, 9]
    assert isinstance(seen.answer(SetRequestWithList(0x41, (writable,), ())), ExceptionResponse)
    assert isinstance(seen.answer(ActionRequestWithList(0x41, (method,), ())), ExceptionResponse)


@pytest.mark.parametrize("confirmed", [True, False])
def test_writes_and_calls_that_are_not_confirmed_are_done_and_not_answered(confirmed: bool) -> None:
    """Reading is always answered: what else would it be for?"""
    invoke = CONFIRMED | 1 if confirmed else 1
    attribute = AttributeDescriptor(1, c.WRITABLE, 2)
    switch = AttributeDescriptor(70, OBIS(0, 0, 96, 3, 10), 2)
    value = Data.of(octet_string(b"quiet"))
    seen = view(Level.MANAGEMENT)
    requests = [
        SetRequestNormal(invoke, attribute, None, value),
        SetRequestWithList(invoke, (SelectedAttribute(attribute),), (value,)),
        ActionRequestNormal(invoke, MethodDescriptor(70, switch.instance, 1), Data.of(NULL)),
        ActionRequestWithList(invoke, (MethodDescriptor(70, switch.instance, 1),), (Data.of(NULL),)),
    ]
    assert [seen.answer(request) is not None for request in requests] == [confirmed] * 4
    got = seen.answer(GetRequestWithList(invoke, (SelectedAttribute(attribute), SelectedAttribute(switch))))
    assert isinstance(got, GetResponseWithList)
    assert got == GetResponseWithList(invoke, (value, Data.of(Item(Tag.BOOLEAN, False))))


def test_other_services_are_refused() -> None:
    assert isinstance(view(Level.READING).answer(ReadRequest((VariableName(8),))), ExceptionResponse)
