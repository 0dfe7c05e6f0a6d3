"""How a test asks the supervisor to restart a service: one line over a Unix socket, one JSON answer.

The tests run in processes of their own, under xdist in several; the supervisor alone owns the services.
"""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["Client", "ControlError", "Server"]

ANSWER_S = 180.0


class ControlError(Exception):
    """The supervisor could not do what was asked; the message is its own."""


class Client:
    """The test's end."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)

    def wait(self, name: str) -> None:
        """Return when the service answers."""
        self._ask("wait", name)

    def restart(self, name: str) -> None:
        """``kill -9``, then start again on the same data and port; returns when it answers."""
        self._ask("restart", name)

    def kill(self, name: str) -> None:
        """``kill -9``."""
        self._ask("kill", name)

    def stop(self, name: str) -> None:
        """End it in order (SIGTERM)."""
        self._ask("stop", name)

    def start(self, name: str) -> None:
        """Start it again after `kill` or `stop`; returns when it answers."""
        self._ask("start", name)

    def folder(self, name: str) -> Path:
        """Where the service keeps its data."""
        return Path(self._ask("folder", name))

    def _ask(self, verb: str, name: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(self._path)
            connection.sendall(f"{verb} {name}\n".encode())
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline() or b'{"error": "the supervisor has gone"}')
        if "error" in answer:
            raise ControlError(answer["error"])
        return str(answer["ok"])


class Server:
    """The supervisor's end: each request is carried out in a thread of its own by ``command(verb, name)``."""

    def __init__(self, path: Path, command: Callable[[str, str], str]) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    verb, name = self.rfile.readline(200).decode().split()
                    answer = {"ok": command(verb, name)}
                except Exception as error:
                    answer = {"error": str(error)}
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
