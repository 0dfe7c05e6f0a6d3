"""A line with a script: a procedure is run against given answers, and what it said is kept."""

from typing import Any

from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.transports.simulated import run_simulated

__all__ = ["conversation"]


def conversation(procedure: Procedure[Any], answers: list[bytes | None]) -> tuple[Any, list[bytes]]:
    """Run a procedure against given answers; `None` is silence. Gives the result and what was said."""
    said: list[bytes] = []

    def line() -> Procedure[None]:
        for answer in answers:
            said.append((yield Receive(60.0)))
            if answer is not None:
                yield Send(answer)
        while data := (yield Receive(60.0)):
            said.append(data)

    return run_simulated(procedure, line()).result, said
