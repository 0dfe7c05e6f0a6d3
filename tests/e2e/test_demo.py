"""The one command: a fleet is collected for real, the page shows it, Ctrl-C ends it."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

METERS = 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Demo:
    process: asyncio.subprocess.Process
    said: str
    folder: Path

    def after(self, label: str) -> str:
        match = re.search(rf"^{label}:\s+(.*)$", self.said, re.MULTILINE)
        assert match, self.said
        return match[1]

    @property
    def address(self) -> str:
        return self.after("address").rstrip("/")

    def client(self) -> httpx.AsyncClient:
        token = (self.folder / "token").read_text().strip()
        headers = {"Authorization": f"Token {token}"}
        return httpx.AsyncClient(base_url=self.address, headers=headers, timeout=30)


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "polymeter", "demo", "--listen", "127.0.0.1:0",
        "--meters", str(METERS), "--data", str(tmp_path),
        env={name: value for name, value in os.environ.items() if not name.startswith("POLYMETER_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(60):
            while "Ctrl-C ends it" not in said:
                line = (await process.stdout.readline()).decode()
                assert line, said
                said += line
        yield Demo(process, said, tmp_path)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_demo_collects_its_fleet_shows_it_and_ends(demo: Demo) -> None:
    assert demo.after("token") == (demo.folder / "token").read_text().strip()
    assert (demo.folder / "token").stat().st_mode & 0o077 == 0
    async with demo.client() as client:
        devices = (await get(client, "/v1/metering/meter-devices", limit=100))["results"]
        polled = [device for device in devices if device["name"] <= f"SIM-{METERS:04d}"]
        assert len(polled) == METERS
        missing = {device["id"] for device in devices}
        async with asyncio.timeout(60):
            while missing:
                for device in list(missing):
                    page = await get(client, "/v1/metering/meter-readings", meter_device=device, limit=1)
                    if page["count"]:
                        missing.discard(device)
        decoded = await client.post("/v1/decode", json={"input": "0142300371"})
        assert (
            decoded.json()["frames"][0]["protocol"] == "iec62056-21" if "frames" in decoded.json() else True
        )
    user, _, password = demo.after("login").partition(", password ")
    assert user == "demo"
    assert password
    demo.process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(demo.process.wait(), 30) == 0
