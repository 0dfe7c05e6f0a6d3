"""What a meter answers within an association: GET, SET and ACTION on its objects, pure.

A `View` is the meter as one client sees it: the objects that its level may read, and the
association objects that describe the association itself. A request goes in, a response comes out;
whole ones, since blocks are the connection's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponse,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResult,
    AttributeDescriptor,
    Conformance,
    DataAccessResult,
    ExceptionResponse,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
    MethodDescriptor,
    Selection,
    ServiceError,
    SetRequestNormal,
    SetRequestWithList,
    SetResponseNormal,
    SetResponseWithList,
    StateError,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import BitString, Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.objects import COSEMObject, Level
from polymeter.protocols.obis import OBIS

__all__ = ["CONFIRMED", "CURRENT_ASSOCIATION", "View", "association_object"]

CURRENT_ASSOCIATION: Final = OBIS(0, 0, 40, 0, 0)
CONFIRMED: Final = 0x40
"""The bit of the invoke id that asks for a response."""
_WRITING: Final = (SetRequestNormal, SetRequestWithList, ActionRequestNormal, ActionRequestWithList)
_NULL: Final = Item(Tag.NULL_DATA)


@dataclass(slots=True)
class View:
    """The meter as one client sees it."""

    level: Level
    objects: Mapping[OBIS, COSEMObject]

    def visible(self) -> list[COSEMObject]:
        """The objects that this client may read, in order of name."""
        return [one for _, one in sorted(self.objects.items()) if one.read_level <= self.level]

    def object_list(self) -> Item:
        """Attribute 2 of the association."""
        return array(*(one.object_list_element(self.level) for one in self.visible()))

    def answer(self, request: APDU) -> APDU | None:
        """The response to a whole request; `None` to a write or call that wants none."""
        response = self._answer(request)
        if isinstance(request, _WRITING) and not request.invoke & CONFIRMED:
            return None
        return response

    def _answer(self, request: APDU) -> APDU:
        match request:
            case GetRequestNormal(invoke, attribute, selection):
                return GetResponseNormal(invoke, self._get(attribute, selection))
            case GetRequestWithList(invoke, attributes):
                return GetResponseWithList(invoke, tuple(self._get(*one) for one in attributes))
            case SetRequestNormal(invoke, attribute, selection, value):
                return SetResponseNormal(invoke, self._set(attribute, selection, value))
            case SetRequestWithList(invoke, attributes, values):
                if len(attributes) != len(values):
                    return _NOT_POSSIBLE
                pairs = zip(attributes, values, strict=True)
                return SetResponseWithList(invoke, tuple(self._set(*one, value) for one, value in pairs))
            case ActionRequestNormal(invoke, method, parameters):
                return ActionResponseNormal(invoke, self._act(method, parameters))
            case ActionRequestWithList(invoke, methods, several):
                if len(methods) != len(several):
                    return _NOT_POSSIBLE
                acts = zip(methods, several, strict=True)
                return ActionResponseWithList(invoke, tuple(self._act(*act) for act in acts))
            case _:
                return ExceptionResponse(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)

    def _get(self, attribute: AttributeDescriptor, selection: Selection | None) -> Data | int:
        one = self.objects.get(attribute.instance)
        if one is None:
            return DataAccessResult.OBJECT_UNDEFINED
        if one.class_id != attribute.class_id:
            return DataAccessResult.OBJECT_CLASS_INCONSISTENT
        got = one.get(attribute.attribute, self.level, selection)
        return Data.of(got) if isinstance(got, Item) else got

    def _set(self, attribute: AttributeDescriptor, selection: Selection | None, value: Data) -> int:
        one = self.objects.get(attribute.instance)
        if one is None:
            return DataAccessResult.OBJECT_UNDEFINED
        if one.class_id != attribute.class_id:
            return DataAccessResult.OBJECT_CLASS_INCONSISTENT
        if selection is not None:
            return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
        return one.set(attribute.attribute, self.level, value.item())

    def _act(self, method: MethodDescriptor, parameters: Data | None) -> ActionResponse:
        one = self.objects.get(method.instance)
        if one is None:
            return ActionResponse(ActionResult.OBJECT_UNDEFINED)
        if one.class_id != method.class_id:
            return ActionResponse(ActionResult.OBJECT_CLASS_INCONSISTENT)
        result = one.act(method.method, self.level, parameters.item() if parameters is not None else _NULL)
        if isinstance(result, Item):
            return ActionResponse(ActionResult.SUCCESS, Data.of(result))
        return ActionResponse(result)


_NOT_POSSIBLE: Final = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)


@dataclass(frozen=True, slots=True)
class AssociationFacts:
    """What an association object tells about its association."""

    client: int
    server: int
    context_id: int
    mechanism_id: int
    conformance: Conformance
    receive_max: int
    send_max: int
    status: int
    """0 not associated, 1 association pending, 2 associated."""
    security_setup: OBIS | None = None


def association_object(
    facts: Callable[[], AssociationFacts],
    object_list: Callable[[], Item],
    name: OBIS = CURRENT_ASSOCIATION,
    reply_to_hls: Callable[[Item], ActionResult | Item] | None = None,
) -> COSEMObject:
    """Class 15. Its secret is not given away."""

    def context() -> Item:
        now = facts()
        conformance = BitString(24, int(now.conformance).to_bytes(3, "big"))
        return structure(
            Item(Tag.BIT_STRING, conformance),
            Item(Tag.LONG_UNSIGNED, now.receive_max),
            Item(Tag.LONG_UNSIGNED, now.send_max),
            Item(Tag.UNSIGNED, 6),
            Item(Tag.INTEGER, 0),
            octet_string(b""),
        )

    return COSEMObject(
        15,
        1,
        name,
        {
            2: object_list,
            3: lambda: structure(Item(Tag.INTEGER, facts().client), Item(Tag.LONG_UNSIGNED, facts().server)),
            4: lambda: _oid(1, facts().context_id),
            5: context,
            6: lambda: _oid(2, facts().mechanism_id),
            8: lambda: Item(Tag.ENUM, facts().status),
            9: lambda: octet_string(bytes(facts().security_setup or OBIS(0, 0, 0, 0, 0, 0))),
        },
        methods={1: reply_to_hls} if reply_to_hls is not None else {},
        read_level=Level.PUBLIC,
        write_level=Level.PUBLIC,
    )


def _oid(arc: int, last: int) -> Item:
    """2.16.756.5.8.arc.last as the structure that attributes 4 and 6 are."""
    tags = (Tag.UNSIGNED, Tag.UNSIGNED, Tag.LONG_UNSIGNED, *(Tag.UNSIGNED,) * 4)
    numbers = (2, 16, 756, 5, 8, arc, last)
    return structure(*(Item(tag, number) for tag, number in zip(tags, numbers, strict=True)))
