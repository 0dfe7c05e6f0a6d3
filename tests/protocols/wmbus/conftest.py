"""Meters to make telegrams with."""

import pytest

from polymeter.protocols.wmbus import LinkHeader
from polymeter.protocols.wmbus.meter import Sender

KEY = bytes(range(16))


@pytest.fixture
def link() -> LinkHeader:
    return LinkHeader(0x44, "PMX", "12345678", 1, 7)


@pytest.fixture
def plain(link: LinkHeader) -> bytes:
    return Sender(link).telegram(bytes.fromhex("0413d2040000426cbf25"), access_number=7)
