"""Associations of every kind, over every framing, and every way in which they fail."""

from __future__ import annotations

import pytest

from polymeter.protocols.dlms.apdus import AttributeDescriptor
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.framing import Framing
from polymeter.protocols.dlms.procedures import get
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure

from . import conversations as c

NAME = AttributeDescriptor(1, OBIS(0, 0, 42, 0, 0), 2)


def read_name(connection: Connection) -> Procedure[object]:
    result = yield from get(connection, NAME)
    return getattr(result, "value", result)


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("sap", sorted(c.BY_SAP))
def test_every_kind_of_association_reads_the_logical_device_name(framing: Framing, sap: int) -> None:
    assert c.converse(framing, sap, read_name) == b"PMX0000000000001"
