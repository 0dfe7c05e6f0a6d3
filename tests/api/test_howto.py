"""The lines of docs/howto/use-the-api.md run as they stand there."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import sys
from pathlib import Path

import uvicorn

from polymeter.services import accounts
from tests.web import PASSWORD, platform, run, sqlite_url

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "use-the-api.md"
FIELD = "field() { '%s' -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' \"$1\"; }"


def test_the_lines_of_the_howto_run(tmp_path: Path) -> None:
    assert shutil.which("curl"), "curl is missing: apt-get install curl"
    blocks = re.findall(r"```sh\n(.*?)```", HOWTO.read_text(), re.DOTALL)
    assert len(blocks) == 6

    async def work() -> None:
        async with platform(sqlite_url(tmp_path), tenants=False) as web:
            await accounts.add_user(web.store, "anna", PASSWORD, organization="Stadtwerke")
            _, token = await accounts.add_token(web.store, "billing", organization="Stadtwerke")
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)  # from now on connections wait for the server rather than fail
            config = uvicorn.Config(web.app, log_level="warning", timeout_graceful_shutdown=2, lifespan="off")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            script = "\n".join(["set -euo pipefail", FIELD % sys.executable, *blocks])
            process = await asyncio.create_subprocess_exec(
                shutil.which("bash") or "bash",
                "-c",
                script,
                env={"URL": url, "TOKEN": token, "PATH": "/usr/bin:/bin"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asyncio.wait_for(process.communicate(), 30)
            await web.services.close()
            server.should_exit = True
            await serving
            assert process.returncode == 0, err.decode()
            assert b'"value":"14567.000"' in out
            assert b'"count":2' in out
            assert b": polymeter" in out
            assert b'"protocol":"iec62056-21"' in out
            assert b"Stadtwerke" in out

    run(work())
