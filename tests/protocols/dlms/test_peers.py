"""Other people's clients read our simulated meter over loopback TCP: exactly what it serves.

Each library lives in an environment of its own under ``.venvs`` and is run as a program there. What
a library itself cannot do is listed in `SHORTCOMINGS`, with the error that it gives.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from polymeter import connect
from polymeter.testing import simulated_meter
from tools import environment
from tools.bench import PEERS

HERE = Path(__file__).parent / "peers"
NOW = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
START = datetime(2026, 2, 20, tzinfo=UTC)
END = START + timedelta(minutes=15 * 199)
LIBRARIES = {
    "gurux-dlms": ("gurux-dlms", "gurux_client.py"),
    "dlms-cosem": ("dlms-cosem==21.3.2", "dlms_cosem_client.py"),
}
SHORTCOMINGS: dict[str, dict[str, str]] = {
    "dlms-cosem": {"by_entry": "NotImplementedError"},
}


def interpreter(name: str) -> str:
    """The Python of a library's own environment, made when it is not there yet."""
    requirement, _ = LIBRARIES[name]
    venv = PEERS / name
    stamp = venv / "requirements"
    if not stamp.exists() or stamp.read_text() != requirement:
        environment.make_venv(venv)
        environment.pip(venv, [requirement])
        stamp.write_text(requirement)
    return str(venv / "bin" / "python")


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
    command = [interpreter(library), str(HERE / LIBRARIES[library][1]), json.dumps(wish)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("library", sorted(LIBRARIES))
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
    dotted = [
        [one["class"], one["obis"].replace("-", ".").replace(":", ".").replace("*", ".")] for one in ours
    ]
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
