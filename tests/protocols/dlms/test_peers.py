"""Other people's clients read our simulated meter over loopback TCP: exactly what it serves.

Each library lives in an environment of its own and is run as a program there. What a library itself
cannot do is listed in `SHORTCOMINGS`, with the error that it gives.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from polymeter import connect
from polymeter.testing import simulated_meter
from tests import peers

NOW = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
START = datetime(2026, 2, 20, tzinfo=UTC)
END = START + timedelta(minutes=15 * 199)
ORACLES = {"gurux-dlms": "gurux_dlms_client.py", "dlms-cosem": "dlms_cosem_client.py"}
SHORTCOMINGS: dict[str, dict[str, str]] = {
    "dlms-cosem": {"by_entry": "NotImplementedError"},
}


def ask(library: str, address: str, **wish: Any) -> dict[str, Any]:
    """What the library reads of the meter at `address`."""
    split = urlsplit(address)
    given = dict(parse_qsl(split.query))
    wish |= {
        "host": split.hostname,
        "port": split.port,
        "framing": given.get("framing", "wrapper"),
        "client": int(given.get("client", 16)),
        "server": int(given["server"]),
        "physical": int(given.get("physical", 0)) or None,
        "auth": given.get("auth", "none"),
        "password": given.get("password"),
        "key": given.get("key"),
        "auth_key": given.get("auth_key"),
        "title": "504d520000000002",  # its counter begins at 0, ours is far ahead
    }
    answer: dict[str, Any] = peers.ask_json(library, ORACLES[library], wish)
    return answer


@pytest.mark.parametrize("library", sorted(ORACLES))
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("auth", ["none", "low", "gmac"])
def test_a_peer_reads_what_we_serve(library: str, auth: str, framing: str) -> None:
    config = {"auth": auth, "framing": framing}
    with simulated_meter("dlms", seed=5, now=lambda: NOW, config=config) as address:
        with connect(address) as meter:
            ours = meter.call("object_list")
            (register,) = meter.read("1-0:1.8.0*255")
            rows = meter.read_profile("1-0:99.1.0*255", START, END)
        oldest = datetime(2026, 3, 1, 12, tzinfo=UTC) - timedelta(minutes=15 * (60 * 96 - 1))
        first = int((START - oldest) / timedelta(minutes=15)) + 1
        answer = ask(
            library,
            address,
            register="1.0.1.8.0.255",
            profile="1.0.99.1.0.255",
            start=START.isoformat(),
            end=END.isoformat(),
            first=first,
            last=first + 199,
        )
    table = [
        [row.timestamp.isoformat() if row.timestamp else None, *(int(str(one.value)) for one in row.readings)]
        for row in rows
    ]
    assert len(table) == 200
    dotted = [[one["class"], ".".join(re.split("[-:.*]", one["obis"]))] for one in ours]
    expected = {
        "objects": sorted(dotted),
        "register": str(register.value),
        "clock": NOW.isoformat(),
        "columns": ["0.0.1.0.0.255", "0.0.96.10.1.255", "1.0.1.8.0.255", "1.0.2.8.0.255"],
        "by_range": table,
        "by_entry": table,
    }
    lacking = SHORTCOMINGS.get(library, {})
    for name, value in expected.items():
        if name in lacking:
            assert lacking[name] in answer["errors"][name]
        else:
            assert name in answer, answer.get("errors")
            assert answer[name] == value, name
